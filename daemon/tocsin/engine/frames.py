"""Assembling: each stream's clock. Readings go into open frames; frames close in the order of their ticks.

A frame is a stream's values in one tick. It closes

- when the stream's newest `t` less `lateness` has passed the tick's end, or
- when `linger` has passed since its first arrival, or
- as soon as every expected channel is there, unless an older tick could still come.

A reading for a tick that has closed is late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.model import ChannelKind
from tocsin.engine.streams import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.model import Model
    from tocsin.engine.streams import StreamTable


@dataclass(frozen=True, slots=True)
class FrameClock:
    """When frames close.

    Attributes:
        lateness_ns: How long a tick waits for readings that come out of order, in event time.
        linger_ns: How long after its first arrival a frame closes at the latest, in `now`'s time.
    """

    lateness_ns: int
    linger_ns: int


class Assembler:
    """Puts readings into frames and says which frames are due."""

    def __init__(self, model: Model, clock: FrameClock) -> None:
        """Make an assembler for one model's period and channels."""
        self._period_ns = model.period_ns
        self._clock = clock
        self._expected = np.array(
            [i for i, c in enumerate(model.channels) if c.kind is ChannelKind.READING and c.expected], dtype=np.int64
        )
        # Ticks that may be open at once: those between the newest `t` less lateness and the newest `t`.
        self.open_frames = -(-clock.lateness_ns // model.period_ns) + 1

    def advance(self, table: StreamTable, rows: NDArray[np.int64], t: NDArray[np.int64]) -> NDArray[np.int64]:
        """Let readings at `t` (R,) move their streams' clocks, one reading a stream.

        Returns:
            (R,) the last tick of each stream that no reading can reach any more. Frames up to it have to close,
            oldest first, before `settle` makes it final and `place` opens new ones.
        """
        newest = np.maximum(table.newest_t[rows], t)
        table.newest_t[rows] = newest
        return self.passed(newest)

    def passed(self, newest_t: NDArray[np.int64]) -> NDArray[np.int64]:
        """(R,) the last tick that ended more than `lateness` before the newest `t` (R,)."""
        last: NDArray[np.int64] = (newest_t - self._clock.lateness_ns) // self._period_ns - 1
        return last

    def settle(self, table: StreamTable, rows: NDArray[np.int64], passed: NDArray[np.int64]) -> None:
        """Open no more frames at or before the ticks in `passed` (R,)."""
        table.closed_tick[rows] = np.maximum(table.closed_tick[rows], passed)

    def place(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        t: NDArray[np.int64],
        values: NDArray[np.float64],
        now: int,
    ) -> NDArray[np.bool_]:
        """Put one reading a stream into its frame.

        Of several values of a channel in one tick the one with the newest `t` stays; of two with equal `t`, the
        first, so that a reading delivered twice changes nothing.

        Args:
            table: The streams.
            rows: (R,) their rows, each at most once.
            t: (R,) ns.
            values: (R, C) NaN where not carried.
            now: ns.

        Returns:
            (R,) whether the reading came too late; a late one is not placed.
        """
        tick = t // self._period_ns
        late = tick <= table.closed_tick[rows]
        if late.any():
            on_time = ~late
            rows, t, tick, values = rows[on_time], t[on_time], tick[on_time], values[on_time]
        slot = tick % self.open_frames
        fresh = table.open_tick[rows, slot] != tick
        fresh_rows, fresh_slot = rows[fresh], slot[fresh]
        table.open_tick[fresh_rows, fresh_slot] = tick[fresh]
        table.opened_at[fresh_rows, fresh_slot] = now
        table.open_t[fresh_rows, fresh_slot] = NEVER
        table.open_value_t[fresh_rows, fresh_slot] = NEVER
        table.open_t[rows, slot] = np.maximum(table.open_t[rows, slot], t)
        newer = ~np.isnan(values) & (t[:, None] > table.open_value_t[rows, slot])  # (R, C)
        table.open_values[rows, slot] = np.where(newer, values, table.open_values[rows, slot])
        table.open_value_t[rows, slot] = np.where(newer, t[:, None], table.open_value_t[rows, slot])
        return late

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

    def lingered(self, table: StreamTable, now: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the streams with a frame that has been open for too long.

        Returns:
            (L,) rows and (L,) the newest such tick of each: frames up to it have to close.
        """
        open_tick = table.open_tick[: len(table)]  # (N, W)
        overdue = (open_tick != NEVER) & (now - table.opened_at[: len(table)] >= self._clock.linger_ns)
        rows = np.flatnonzero(overdue.any(axis=1))
        return rows, np.where(overdue[rows], open_tick[rows], NEVER).max(axis=1)

    def close(
        self, table: StreamTable, rows: NDArray[np.int64], tick: NDArray[np.int64], slot: NDArray[np.int64]
    ) -> None:
        """Free these frames' slots, so that their ticks are past."""
        table.open_tick[rows, slot] = NEVER
        table.closed_tick[rows] = np.maximum(table.closed_tick[rows], tick)
