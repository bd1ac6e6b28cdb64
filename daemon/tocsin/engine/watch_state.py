"""State of a watch: its stream table, and the parts that assemble, step and judge frames in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.engine.conditions.alarm import state_slices
from tocsin.engine.conditions.evaluator import ConditionEvaluator
from tocsin.engine.frames.assembler import Assembler
from tocsin.engine.frames.stepper import Stepper
from tocsin.engine.streams.overrides import Overrides
from tocsin.engine.streams.table import StreamTable, TableSizes
from tocsin.engine.types import NEVER

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tocsin.engine.result import EngineResult
    from tocsin.engine.watch import Watch


class WatchState:
    """All streams of one watch.

    Attributes:
        watch: Configuration.
        table: The streams.
        state_slices: By alarm, its columns of the table's `condition_state`.
        assembler: Puts readings into frames.
        stepper: Runs the model on frames.
        evaluator: Judges the conditions.
        now: Time of the last call; NEVER before the first.
    """

    def __init__(self, watch: Watch) -> None:
        model, alarms = watch.model, watch.alarms
        self.watch = watch
        self.now = NEVER
        self.state_slices = state_slices(alarms)
        self.assembler = Assembler(model, watch.clock)
        self.stepper = Stepper(model)
        self.table = StreamTable(
            TableSizes(
                open_frames=self.assembler.open_frames,
                channels=len(model.channels),
                state_size=model.state_size,
                alarms=len(alarms),
                keeps_frames=watch.clock.reprocess_late_ticks > 0,
                samples=self.assembler.samples,
                condition_state_size=self.state_slices[-1].stop if self.state_slices else 0,
                recent=2 * watch.explain_ticks if any(alarm.condition.modelled for alarm in alarms) else 0,
            ),
            watch.max_streams,
            Overrides(watch.overrides, model, [alarm.name for alarm in alarms]) if watch.overrides else None,
        )
        self.evaluator = ConditionEvaluator(watch.name, model, alarms, self.table, self.state_slices, watch.adaptation)

    def newest_tick(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(R,) tick of each stream's newest reading; NEVER before the first."""
        return self.table.newest_tick(rows, self.watch.model.period_ns)

    def close_frames_up_to(self, rows: NDArray[np.int64], last: NDArray[np.int64], result: EngineResult) -> None:
        """Close all open frames of streams (R,) with ticks up to `last` (R,), each stream's oldest first."""
        while len(rows):
            tick, slot = self.assembler.oldest(self.table, rows)
            due = tick <= last
            rows, last = rows[due], last[due]
            self.close_frames(rows, tick[due], slot[due], result)

    def close_frames(
        self, rows: NDArray[np.int64], tick: NDArray[np.int64], slot: NDArray[np.int64], result: EngineResult
    ) -> None:
        """Close one frame each of streams (R,): step the model and judge the conditions."""
        if not len(rows):
            return
        steps = self.stepper.step(self.table, rows, tick, slot)
        self.assembler.close(self.table, rows, tick, slot)
        self.evaluator.judge(steps, result)
