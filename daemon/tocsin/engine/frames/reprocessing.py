"""Reprocessing of late readings: a closed frame gets the reading, and all frames from there on are stepped again.

A stream's last frames are kept, each with the state before it. A late reading goes into the frame of its tick, which is
added if it does not exist; the stream's state is restored from before that frame, and the frames from there on are
stepped again. The resulting state is, to the bit, the one without any lateness. The newest frame is judged again by its
new score; events that were published before stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.types import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tocsin.engine.frames.assembler import Assembler
    from tocsin.engine.frames.stepper import Stepper
    from tocsin.engine.result import Steps
    from tocsin.engine.streams.table import StreamTable


class Reprocessor:
    """Puts late readings into kept frames.

    Args:
        assembler: Assembler of the watch.
        stepper: Stepper of the watch.
        period_ns: Length of a tick.
        ticks: Greatest lateness, in ticks before a stream's newest reading; 0: none.
    """

    def __init__(self, assembler: Assembler, stepper: Stepper, period_ns: int, ticks: int) -> None:
        self._assembler = assembler
        self._stepper = stepper
        self._period_ns = period_ns
        self._ticks = ticks

    def reaches(self, table: StreamTable, rows: NDArray[np.int64], t: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(R,) bool, whether late readings at `t` (R,) can be put in."""
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
        """Put one late reading each of streams (R,) into its frame.

        Args:
            table: The streams.
            rows: (R,) int64 rows, each at most once.
            t: (R,) int64, ns; all reached.
            values: (R, C) float64, NaN where not carried.
            now: Time of the call, ns.

        Returns:
            (R,) bool, whether the reading changed its frame; and the results of each stream's newest frame. The frames
            are stepped as the iterator advances.
        """
        tick = t // self._period_ns
        slot = tick % self._assembler.open_frames
        fresh = table.kept_tick[rows, slot] != tick
        self._assembler.put_values(table, rows[fresh], slot[fresh], now)
        before = table.open_values[rows, slot], table.open_value_t[rows, slot]
        self._assembler.merge(table, rows, slot, t, values)
        after = table.open_values[rows, slot], table.open_value_t[rows, slot]
        changed = fresh | (before[0] != after[0]).any(axis=1) | (before[1] != after[1]).any(axis=1)
        rows, tick, slot, fresh = rows[changed], tick[changed], slot[changed], fresh[changed]
        restored = self._restore(table, rows, tick, slot, fresh)
        table.kept_tick[rows, slot] = tick
        return changed, self._step_from(table, rows, tick, restored)

    def _restore(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        tick: NDArray[np.int64],
        slot: NDArray[np.int64],
        fresh: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Restore the states from before these ticks (R,); give (R,) whether any later frame had been stepped."""
        kept = table.kept_tick[rows]  # (R, W)
        later = np.where(kept >= tick[:, None], kept, ALWAYS)
        first = later.argmin(axis=1)  # the slot of the first frame stepped at this tick or after
        back: NDArray[np.bool_] = later[np.arange(len(rows)), first] != ALWAYS
        static = np.where(back[:, None], table.kept_static[rows, first], table.statics(rows))
        table.kept_static[rows[fresh], slot[fresh]] = static[fresh]
        table.undo_step(rows[back], first[back])
        return back

    def _step_from(
        self, table: StreamTable, rows: NDArray[np.int64], tick: NDArray[np.int64], restored: NDArray[np.bool_]
    ) -> Iterator[Steps]:
        """Step the kept frames from these ticks (R,) on, oldest first; give the results of each stream's newest."""
        while len(rows):
            kept = table.kept_tick[rows]  # (R, W)
            ahead = np.where(kept >= tick[:, None], kept, ALWAYS)
            slot = ahead.argmin(axis=1)
            at = ahead[np.arange(len(rows)), slot]
            ends = (ahead != ALWAYS).sum(axis=1) == 1
            if ends.any():
                yield self._stepper.step(table, rows[ends], at[ends], slot[ends], reprocessed=restored[ends])
            rows, at, slot, restored = rows[~ends], at[~ends], slot[~ends], restored[~ends]
            if len(rows):
                self._stepper.step(table, rows, at, slot, reprocessed=restored)
            tick = at + 1
