"""Frame assembly: readings go into open frames, and frames close in the order of their ticks.

A frame is a stream's values in one tick. It closes

- when the stream's watermark, its newest `t` less the allowed lateness, has passed the tick's end, or
- when the frame timeout has passed since its first reading, or
- as soon as it has every expected channel, unless an older tick could still come.

A reading for a tick that has closed is late. `tocsin.engine.frames.reprocessing` puts it into its frame all the same,
in watches that keep closed frames for that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.model import ChannelKind
from tocsin.engine.types import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tocsin.engine.model import Model
    from tocsin.engine.streams.table import StreamTable


MAX_SAMPLES = 1024
"""Limit on the readings of one frame, where a channel's mean is taken."""


class Aggregation(StrEnum):
    """Aggregation of several values of a channel in one tick."""

    LAST = "last"  # the one with the newest `t`
    MEAN = "mean"
    MIN = "min"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class FrameClock:
    """Rules by which frames close, and the aggregation of their values.

    Attributes:
        lateness_ns: Allowed lateness of readings that come out of order, in event time.
        frame_timeout_ns: Time after its first reading at which a frame closes at the latest, on the clock of `now`.
        reprocess_late_ticks: Greatest lateness, in ticks before the newest reading, with which a reading is put into
            its closed frame; 0: none.
        aggregate: By channel, where not `LAST`. A frame with such a channel never closes before its tick is over.
    """

    lateness_ns: int
    frame_timeout_ns: int
    reprocess_late_ticks: int = 0
    aggregate: Mapping[str, Aggregation] = field(default_factory=dict)


_FIRST_SAMPLES = 4


class Assembler:
    """Puts readings into frames and finds the frames that are due.

    Args:
        model: Model with C channels.
        clock: Rules by which frames close.

    Attributes:
        open_frames: W, greatest number of frames of a stream that are open or kept at once.
        samples: K at first, readings of a frame that are kept apart for a mean; 0 where no channel has one.
    """

    def __init__(self, model: Model, clock: FrameClock) -> None:
        self._period_ns = model.period_ns
        self._clock = clock
        aggregations = [clock.aggregate.get(channel.name, Aggregation.LAST) for channel in model.channels]
        # Where several values count, more may come until the tick is over: no frame is complete before.
        waits = [i for i, c in enumerate(model.channels) if c.kind is ChannelKind.READING and c.expected]
        takes_all = any(aggregation is not Aggregation.LAST for aggregation in aggregations)
        self._expected = np.array([] if takes_all else waits, dtype=np.int64)
        self._mean = np.flatnonzero([aggregation is Aggregation.MEAN for aggregation in aggregations])
        self._least = np.flatnonzero([aggregation is Aggregation.MIN for aggregation in aggregations])
        self._most = np.flatnonzero([aggregation is Aggregation.MAX for aggregation in aggregations])
        self.samples = _FIRST_SAMPLES if len(self._mean) else 0
        # Ticks that may have a frame at once: those between the newest `t` less lateness and the newest `t`, and
        # those that may be gone back to.
        self.open_frames = max(-(-clock.lateness_ns // model.period_ns), clock.reprocess_late_ticks) + 1

    def observe(self, table: StreamTable, rows: NDArray[np.int64], t: NDArray[np.int64]) -> NDArray[np.int64]:
        """Advance the newest `t` of streams by one reading each at `t` (R,).

        Returns:
            (R,) int64 watermark of each stream. Frames up to it have to close, oldest first, before `advance` makes it
            final and `place` opens new ones.
        """
        newest = np.maximum(table.newest_t[rows], t)
        table.newest_t[rows] = newest
        return self.watermark(newest)

    def watermark(self, newest_t: NDArray[np.int64]) -> NDArray[np.int64]:
        """(R,) int64, the last tick that ended more than the allowed lateness before the newest `t` (R,)."""
        last: NDArray[np.int64] = (newest_t - self._clock.lateness_ns) // self._period_ns - 1
        return last

    def advance(self, table: StreamTable, rows: NDArray[np.int64], watermark: NDArray[np.int64]) -> None:
        """Let streams open no more frames at or before the ticks `watermark` (R,)."""
        table.closed_tick[rows] = np.maximum(table.closed_tick[rows], watermark)

    def late(self, table: StreamTable, rows: NDArray[np.int64], t: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(R,) bool, whether the ticks of readings at `t` (R,) have closed."""
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
        """Put one reading each of streams (R,) into its frame, which has not closed.

        Args:
            table: The streams.
            rows: (R,) int64 rows, each at most once.
            t: (R,) int64, ns.
            values: (R, C) float64, NaN where not carried.
            now: Time of the call, ns.

        Returns:
            (R,) bool, whether the reading fits: where a mean is taken, a frame holds `MAX_SAMPLES` readings.
        """
        tick = t // self._period_ns
        slot = tick % self.open_frames
        fresh = table.open_tick[rows, slot] != tick
        fresh_rows, fresh_slot = rows[fresh], slot[fresh]
        if len(fresh_rows):
            table.open_tick[fresh_rows, fresh_slot] = tick[fresh]
            self.put_values(table, fresh_rows, fresh_slot, now)
        return self.merge(table, rows, slot, t, values)

    def put_values(self, table: StreamTable, rows: NDArray[np.int64], slot: NDArray[np.int64], now: int) -> None:
        """Open frames in these slots (R,), one a stream."""
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
        """Mark channels (R, C) with an implausible value in readings at `t` (R,) that were placed."""
        table.open_implausible[rows, t // self._period_ns % self.open_frames] |= implausible

    def merge(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        slot: NDArray[np.int64],
        t: NDArray[np.int64],
        values: NDArray[np.float64],
    ) -> NDArray[np.bool_]:
        """Put one reading each of streams (R,) into the frame in its slot.

        Of several values of a channel in one tick the one with the newest `t` stays, unless another aggregation is
        configured; of two with equal `t`, the first, so that a reading delivered twice changes nothing. The result does
        not depend on the order in which the readings come, to the bit.

        Returns:
            (R,) bool, whether the reading fits.
        """
        fits = np.ones(len(rows), dtype=np.bool_)
        if self.samples:
            fits = self._add_samples(table, rows, slot, t, values)
            rows, slot, t, values = rows[fits], slot[fits], t[fits], values[fits]
        table.open_t[rows, slot] = np.maximum(table.open_t[rows, slot], t)
        before, before_t = table.open_values[rows, slot], table.open_value_t[rows, slot]  # (R, C)
        there = ~np.isnan(values)
        newer = there & (t[:, None] > before_t)
        merged = np.where(newer, values, before)
        # A slot without a value yet holds a value of the frame before.
        for columns, chosen in ((self._least, np.minimum), (self._most, np.maximum)):
            if len(columns):
                both = there[:, columns] & (before_t[:, columns] != NEVER)
                merged[:, columns] = np.where(both, chosen(before[:, columns], values[:, columns]), merged[:, columns])
        table.open_values[rows, slot] = merged
        table.open_value_t[rows, slot] = np.where(newer, t[:, None], before_t)
        if self.samples:
            self._average(table, rows, slot)
        return fits

    def _add_samples(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        slot: NDArray[np.int64],
        t: NDArray[np.int64],
        values: NDArray[np.float64],
    ) -> NDArray[np.bool_]:
        """Store readings as samples by their `t`; of two with equal `t` the first value of each channel stays."""
        sampled_t = table.sample_t[rows, slot]  # (R, K)
        duplicate = sampled_t == t[:, None]
        free = sampled_t == NEVER
        at = np.where(duplicate.any(axis=1), duplicate.argmax(axis=1), free.argmax(axis=1))
        full = ~(duplicate.any(axis=1) | free.any(axis=1))
        if full.any() and sampled_t.shape[1] < MAX_SAMPLES:
            table.widen_samples()
            return self._add_samples(table, rows, slot, t, values)
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
        """Find the oldest open frame of streams (R,).

        Returns:
            (R,) int64 its tick, beyond all ticks where none is open, and (R,) int64 its slot.
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
        """(R,) bool, whether open frames are complete: every expected channel is there, and no older frame can open."""
        if not len(self._expected):
            return np.zeros(len(rows), dtype=np.bool_)
        there = table.open_value_t[rows[:, None], slot[:, None], self._expected[None, :]] != NEVER  # (R, E)
        ready: NDArray[np.bool_] = there.all(axis=1) & (table.closed_tick[rows] >= tick - 1) & (tick != -NEVER)
        return ready

    def timed_out(self, table: StreamTable, now: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the streams with a frame that has been open for the frame timeout.

        Returns:
            (L,) int64 rows and (L,) int64 the newest such tick of each: frames up to it have to close.
        """
        open_tick = table.open_tick[: len(table)]  # (N, W)
        overdue = (open_tick != NEVER) & (now - table.opened_at[: len(table)] >= self._clock.frame_timeout_ns)
        rows = np.flatnonzero(overdue.any(axis=1))
        return rows, np.where(overdue[rows], open_tick[rows], NEVER).max(axis=1)

    def close(
        self, table: StreamTable, rows: NDArray[np.int64], tick: NDArray[np.int64], slot: NDArray[np.int64]
    ) -> None:
        """Close frames (R,), so that later readings for their ticks are late."""
        table.open_tick[rows, slot] = NEVER
        if self._clock.reprocess_late_ticks:
            table.kept_tick[rows, slot] = tick
        table.closed_tick[rows] = np.maximum(table.closed_tick[rows], tick)
