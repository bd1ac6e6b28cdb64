"""Going back: a reading that comes after its frame has closed is put in, and what follows is stepped again.

A stream's last frames are kept, each with what the model remembered before it. A late reading goes into the frame of
its tick, which may have to be made; the stream's memory is taken back to before that frame, and all frames from there
on are stepped again. In the end the model remembers, to the bit, what it would if nothing had been late. The newest
frame's new score counts from now on; what rang meanwhile has rung.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.streams.table import ALWAYS, STEP_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tocsin.engine.frames.assembler import Assembler
    from tocsin.engine.frames.stepper import Stepper, Steps
    from tocsin.engine.streams.table import StreamTable


class Reprocessor:
    """Takes streams back to the ticks of late readings."""

    def __init__(self, assembler: Assembler, stepper: Stepper, period_ns: int, ticks: int) -> None:
        """Make one that goes back at most so many ticks from a stream's newest reading."""
        self._assembler = assembler
        self._stepper = stepper
        self._period_ns = period_ns
        self._ticks = ticks

    def reaches(self, table: StreamTable, rows: NDArray[np.int64], t: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(R,) whether it can go back as far as the late readings at `t` (R,)."""
        tick, newest = t // self._period_ns, table.newest_t[rows] // self._period_ns
        reached: NDArray[np.bool_] = (
            (self._ticks > 0) & (newest - tick <= self._ticks) & (tick > table.stay_began_after_tick[rows])
        )
        return reached

    def put_in(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        t: NDArray[np.int64],
        values: NDArray[np.float64],
        now: int,
    ) -> tuple[NDArray[np.bool_], Iterator[Steps]]:
        """Put one late reading a stream into its frame.

        Args:
            table: The streams.
            rows: (R,) their rows, each at most once.
            t: (R,) ns; within reach.
            values: (R, C) NaN where not carried.
            now: ns.

        Returns:
            (R,) whether it changed anything, and the stepping again, which happens as it is asked for: each stream's
            newest frame, once.
        """
        tick = t // self._period_ns
        slot = tick % self._assembler.open_frames
        fresh = table.kept_tick[rows, slot] != tick
        self._assembler.empty(table, rows[fresh], slot[fresh], now)
        before = table.open_values[rows, slot], table.open_value_t[rows, slot]
        self._assembler.merge(table, rows, slot, t, values)
        after = table.open_values[rows, slot], table.open_value_t[rows, slot]
        changed = fresh | (before[0] != after[0]).any(axis=1) | (before[1] != after[1]).any(axis=1)
        rows, tick, slot, fresh = rows[changed], tick[changed], slot[changed], fresh[changed]
        went_back = self._go_back(table, rows, tick, slot, fresh)
        table.kept_tick[rows, slot] = tick
        return changed, self._step_again(table, rows, tick, went_back)

    def _go_back(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        tick: NDArray[np.int64],
        slot: NDArray[np.int64],
        fresh: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Remember what was remembered before these ticks (R,); gives where that differs from what is."""
        kept = table.kept_tick[rows]  # (R, W)
        later = np.where(kept >= tick[:, None], kept, ALWAYS)
        first = later.argmin(axis=1)  # the slot of the first frame stepped at this tick or after
        back: NDArray[np.bool_] = later[np.arange(len(rows)), first] != ALWAYS
        static = np.where(back[:, None], table.kept_static[rows, first], table.statics(rows))
        table.kept_static[rows[fresh], slot[fresh]] = static[fresh]
        for name in STEP_COLUMNS:
            getattr(table, name)[rows[back]] = getattr(table, f"before_{name}")[rows[back], first[back]]
        return back

    def _step_again(
        self, table: StreamTable, rows: NDArray[np.int64], tick: NDArray[np.int64], went_back: NDArray[np.bool_]
    ) -> Iterator[Steps]:
        """Step the kept frames from these ticks (R,) on, oldest first; give those that are their streams' newest."""
        while len(rows):
            kept = table.kept_tick[rows]  # (R, W)
            ahead = np.where(kept >= tick[:, None], kept, ALWAYS)
            slot = ahead.argmin(axis=1)
            at = ahead[np.arange(len(rows)), slot]
            ends = (ahead != ALWAYS).sum(axis=1) == 1
            if ends.any():
                yield self._stepper.step(table, rows[ends], at[ends], slot[ends], reprocessed=went_back[ends])
            rows, at, slot, went_back = rows[~ends], at[~ends], slot[~ends], went_back[~ends]
            if len(rows):
                self._stepper.step(table, rows, at, slot, reprocessed=went_back)
            tick = at + 1
