"""Assembling: each stream's clock. Readings go into open frames; frames close in the order of their ticks.

A frame is a stream's values in one tick. It closes

- when the stream's newest `t` less `lateness` has passed the tick's end, or
- when `linger` has passed since its first arrival, or
- as soon as every expected channel is there, unless an older tick could still come.

A reading for a tick that has closed is late. Where a watch rewinds, closed frames are kept for a while, and a late
reading is put into the frame it belongs to; see `tocsin.engine.frames.reprocessing`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.model import ChannelKind
from tocsin.engine.streams.table import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tocsin.engine.model import Model
    from tocsin.engine.streams.table import StreamTable


MOST_SAMPLES = 1024
"""So many readings of one tick are kept apart, where a channel's mean is asked for."""


class Aggregation(StrEnum):
    """What becomes of several values of a channel in one tick."""

    LAST = "last"  # the one with the newest `t`
    MEAN = "mean"
    MIN = "min"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class FrameClock:
    """When frames close, and what they hold then.

    Attributes:
        lateness_ns: How long a tick waits for readings that come out of order, in event time.
        frame_timeout_ns: How long after its first arrival a frame closes at the latest, in `now`'s time.
        reprocess_late_ticks: So far back from the newest reading a late one is still put right.
        combine: By channel, where it isn't the last value that counts. A frame with such a channel is never complete
            before its time.
    """

    lateness_ns: int
    frame_timeout_ns: int
    reprocess_late_ticks: int = 0
    combine: Mapping[str, Aggregation] = field(default_factory=dict)


_FIRST_SAMPLES = 4


class Assembler:
    """Puts readings into frames and says which frames are due."""

    def __init__(self, model: Model, clock: FrameClock) -> None:
        """Make an assembler for one model's period and channels."""
        self._period_ns = model.period_ns
        self._clock = clock
        combine = [clock.combine.get(channel.name, Aggregation.LAST) for channel in model.channels]
        # Where values are gathered more may come until the tick is over, so that no frame is complete before.
        waits = [i for i, c in enumerate(model.channels) if c.kind is ChannelKind.READING and c.expected]
        gathers = any(way is not Aggregation.LAST for way in combine)
        self._expected = np.array([] if gathers else waits, dtype=np.int64)
        self._mean = np.flatnonzero([way is Aggregation.MEAN for way in combine])
        self._least = np.flatnonzero([way is Aggregation.MIN for way in combine])
        self._most = np.flatnonzero([way is Aggregation.MAX for way in combine])
        self.samples = _FIRST_SAMPLES if len(self._mean) else 0
        # Ticks that may have a frame at once: those between the newest `t` less lateness and the newest `t`, and
        # those that may be gone back to.
        self.open_frames = max(-(-clock.lateness_ns // model.period_ns), clock.reprocess_late_ticks) + 1

    def observe(self, table: StreamTable, rows: NDArray[np.int64], t: NDArray[np.int64]) -> NDArray[np.int64]:
        """Let readings at `t` (R,) move their streams' clocks, one reading a stream.

        Returns:
            (R,) the last tick of each stream that no reading can reach any more. Frames up to it have to close,
            oldest first, before `advance` makes it final and `place` opens new ones.
        """
        newest = np.maximum(table.newest_t[rows], t)
        table.newest_t[rows] = newest
        return self.watermark(newest)

    def watermark(self, newest_t: NDArray[np.int64]) -> NDArray[np.int64]:
        """(R,) the last tick that ended more than `lateness` before the newest `t` (R,)."""
        last: NDArray[np.int64] = (newest_t - self._clock.lateness_ns) // self._period_ns - 1
        return last

    def advance(self, table: StreamTable, rows: NDArray[np.int64], passed: NDArray[np.int64]) -> None:
        """Open no more frames at or before the ticks in `passed` (R,)."""
        table.closed_tick[rows] = np.maximum(table.closed_tick[rows], passed)

    def late(self, table: StreamTable, rows: NDArray[np.int64], t: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(R,) whether the ticks of readings at `t` (R,) have closed."""
        closed: NDArray[np.bool_] = t // self._period_ns <= table.closed_tick[rows]
        return closed

    def place(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        t: NDArray[np.int64],
        values: NDArray[np.float64],
        now: int,
    ) -> NDArray[np.bool_]:
        """Put one reading a stream into its frame, which has not closed.

        Args:
            table: The streams.
            rows: (R,) their rows, each at most once.
            t: (R,) ns.
            values: (R, C) NaN where not carried.
            now: ns.

        Returns:
            (R,) whether it fitted: of readings whose mean is taken a frame holds `MOST_SAMPLES`.
        """
        tick = t // self._period_ns
        slot = tick % self.open_frames
        fresh = table.open_tick[rows, slot] != tick
        fresh_rows, fresh_slot = rows[fresh], slot[fresh]
        if len(fresh_rows):
            table.open_tick[fresh_rows, fresh_slot] = tick[fresh]
            self.empty(table, fresh_rows, fresh_slot, now)
        return self.merge(table, rows, slot, t, values)

    def empty(self, table: StreamTable, rows: NDArray[np.int64], slot: NDArray[np.int64], now: int) -> None:
        """Begin frames in these slots (R,), one a stream."""
        table.opened_at[rows, slot] = now
        table.open_t[rows, slot] = NEVER
        table.open_value_t[rows, slot] = NEVER
        table.open_implausible[rows, slot] = False
        if self.samples:
            table.sample_t[rows, slot] = NEVER
            table.samples[rows, slot] = np.nan
        if self._clock.reprocess_late_ticks:
            table.kept_tick[rows, slot] = NEVER

    def mark_implausible(
        self, table: StreamTable, rows: NDArray[np.int64], t: NDArray[np.int64], implausible: NDArray[np.bool_]
    ) -> None:
        """Note which channels (R, C) had an implausible value in readings at `t` (R,) that were placed."""
        table.open_implausible[rows, t // self._period_ns % self.open_frames] |= implausible

    def merge(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        slot: NDArray[np.int64],
        t: NDArray[np.int64],
        values: NDArray[np.float64],
    ) -> NDArray[np.bool_]:
        """Put one reading a stream into the frame in this slot.

        Of several values of a channel in one tick the one with the newest `t` stays, unless another way to combine
        them is configured; of two with equal `t`, the first, so that a reading delivered twice changes nothing. The
        result does not depend on the order in which the readings come, to the bit.

        Returns:
            (R,) whether it fitted.
        """
        fits = np.ones(len(rows), dtype=np.bool_)
        if self.samples:
            fits = self._gather(table, rows, slot, t, values)
            rows, slot, t, values = rows[fits], slot[fits], t[fits], values[fits]
        table.open_t[rows, slot] = np.maximum(table.open_t[rows, slot], t)
        before, before_t = table.open_values[rows, slot], table.open_value_t[rows, slot]  # (R, C)
        there = ~np.isnan(values)
        newer = there & (t[:, None] > before_t)
        merged = np.where(newer, values, before)
        # A place that holds no value yet holds what a frame before it held.
        for columns, chosen in ((self._least, np.minimum), (self._most, np.maximum)):
            if len(columns):
                both = there[:, columns] & (before_t[:, columns] != NEVER)
                merged[:, columns] = np.where(both, chosen(before[:, columns], values[:, columns]), merged[:, columns])
        table.open_values[rows, slot] = merged
        table.open_value_t[rows, slot] = np.where(newer, t[:, None], before_t)
        if self.samples:
            self._average(table, rows, slot)
        return fits

    def _gather(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        slot: NDArray[np.int64],
        t: NDArray[np.int64],
        values: NDArray[np.float64],
    ) -> NDArray[np.bool_]:
        """Keep readings apart by their `t`; of two with equal `t` the first value of each channel stays."""
        held = table.sample_t[rows, slot]  # (R, K)
        doubled = held == t[:, None]
        free = held == NEVER
        at = np.where(doubled.any(axis=1), doubled.argmax(axis=1), free.argmax(axis=1))
        full = ~(doubled.any(axis=1) | free.any(axis=1))
        if full.any() and held.shape[1] < MOST_SAMPLES:
            table.widen_samples()
            return self._gather(table, rows, slot, t, values)
        rows, slot, at, t, values = rows[~full], slot[~full], at[~full], t[~full], values[~full]
        table.sample_t[rows, slot, at] = t
        there = table.samples[rows, slot, at]
        table.samples[rows, slot, at] = np.where(np.isnan(there), values, there)
        fits: NDArray[np.bool_] = ~full
        return fits

    def _average(self, table: StreamTable, rows: NDArray[np.int64], slot: NDArray[np.int64]) -> None:
        order = table.sample_t[rows, slot].argsort(axis=1, kind="stable")[:, :, None]  # (R, K, 1)
        values = np.take_along_axis(table.samples[rows, slot][:, :, self._mean], order, axis=1)  # (R, K, M)
        there = ~np.isnan(values)
        # One after the other in the order of `t`: a sum's last bits must depend on nothing else.
        total = np.where(there, values, 0.0).cumsum(axis=1)[:, -1]
        count = there.sum(axis=1)
        held = table.open_values[rows, slot]
        held[:, self._mean] = np.where(count > 0, total / np.maximum(count, 1), held[:, self._mean])
        table.open_values[rows, slot] = held

    def oldest(self, table: StreamTable, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find each row's oldest open frame.

        Returns:
            (R,) its tick, beyond all ticks where none is open, and (R,) its slot.
        """
        open_tick = table.open_tick[rows]  # (R, W)
        if self.open_frames == 1:
            tick = open_tick[:, 0]
            return np.where(tick == NEVER, -NEVER, tick), np.zeros(len(rows), dtype=np.int64)
        open_tick = np.where(open_tick == NEVER, -NEVER, open_tick)
        slot = open_tick.argmin(axis=1)
        return open_tick[np.arange(len(rows)), slot], slot

    def complete(
        self, table: StreamTable, rows: NDArray[np.int64], tick: NDArray[np.int64], slot: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Say which of these open frames (R,) need wait for nothing more.

        Every expected channel is there, and the tick before has closed: nothing older can come any more.
        """
        if not len(self._expected):
            return np.zeros(len(rows), dtype=np.bool_)
        there = table.open_value_t[rows[:, None], slot[:, None], self._expected[None, :]] != NEVER  # (R, E)
        ready: NDArray[np.bool_] = there.all(axis=1) & (table.closed_tick[rows] >= tick - 1) & (tick != -NEVER)
        return ready

    def timed_out(self, table: StreamTable, now: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the streams with a frame that has been open for too long.

        Returns:
            (L,) rows and (L,) the newest such tick of each: frames up to it have to close.
        """
        open_tick = table.open_tick[: len(table)]  # (N, W)
        overdue = (open_tick != NEVER) & (now - table.opened_at[: len(table)] >= self._clock.frame_timeout_ns)
        rows = np.flatnonzero(overdue.any(axis=1))
        return rows, np.where(overdue[rows], open_tick[rows], NEVER).max(axis=1)

    def close(
        self, table: StreamTable, rows: NDArray[np.int64], tick: NDArray[np.int64], slot: NDArray[np.int64]
    ) -> None:
        """End these frames, so that their ticks are past."""
        table.open_tick[rows, slot] = NEVER
        if self._clock.reprocess_late_ticks:
            table.kept_tick[rows, slot] = tick
        table.closed_tick[rows] = np.maximum(table.closed_tick[rows], tick)
