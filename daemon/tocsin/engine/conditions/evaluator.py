"""Turning: conditions are judged in frames and in silence, and what turned is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.adaptation import StreamBaseline, update_quantiles
from tocsin.engine.conditions.base import Silent, Truth, is_scored
from tocsin.engine.conditions.delays import ConditionState, advance
from tocsin.engine.conditions.event_builder import EventBuilder
from tocsin.engine.conditions.judgement import EvaluationContext, judge
from tocsin.engine.streams.table import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.engine.conditions.adaptation import Adaptation
    from tocsin.engine.conditions.delays import Alarm
    from tocsin.engine.frames.stepper import Steps
    from tocsin.engine.model import Model
    from tocsin.engine.result import EngineResult
    from tocsin.engine.streams.table import StreamTable

GONE = "its source says that it is gone"


class ConditionEvaluator:
    """The conditions of one watch."""

    def __init__(
        self,
        watch: str,
        model: Model,
        alarms: Sequence[Alarm],
        table: StreamTable,
        state_slices: Sequence[slice],
        adaptation: Adaptation | None,
    ) -> None:
        """Prepare.

        Args:
            watch: Its name.
            model: What watches.
            alarms: A of them.
            table: The streams.
            state_slices: By alarm, its cells of the table's notes.
            adaptation: How thresholds of scores are adapted to each stream, if they are.
        """
        self._model = model
        self._alarms = alarms
        self._table = table
        self._state_slices = state_slices
        self._adaptation = adaptation
        scored = [index for index, alarm in enumerate(alarms) if is_scored(alarm.condition)]
        self._scored = np.array(scored, dtype=np.int64)  # their columns
        self._event_builder = EventBuilder(watch, model, alarms, table, state_slices, adaptation)

    def judge(self, steps: Steps, result: EngineResult) -> None:
        """Judge every condition in these frames."""
        result.steps.append(steps)
        rows, table = steps.rows, self._table
        limits, held = table.limits(rows), table.truth[rows]  # (n, A): rows are quicker to gather than columns
        off = None if table.overrides is None else table.override_off[rows]  # (n, A)
        own = None if self._adaptation is None else StreamBaseline.of(self._adaptation, table, rows)
        for index, alarm in enumerate(self._alarms):
            if isinstance(alarm.condition, Silent):
                continue
            context = EvaluationContext(steps, table, self._model, limits[:, index], own)
            state_slices = self._state_slices[index]
            notes = table.condition_state[rows, state_slices]
            truth = judge(alarm.condition, context, held[:, index], notes)
            if state_slices.stop > state_slices.start:
                table.condition_state[rows, state_slices] = notes
            if off is not None:
                truth[off[:, index]] = Truth.UNKNOWN
            for i, kind in advance(table, index, alarm, rows, truth, steps.t):
                result.events.append(self._event_builder.of_frame(index, kind, steps, i, result.now))
        if own is not None:
            # What is uncertain only because the stream has not settled must not keep it from settling.
            is_up = (table.delay_state[rows[:, None], self._scored] == ConditionState.PRESENT).any(axis=1)
            # A frame that was put right has been learnt from already.
            table.score_quantiles[rows], table.score_count[rows] = update_quantiles(
                own, steps.score, is_up | steps.reprocessed
            )

    def hear(self, rows: NDArray[np.int64], result: EngineResult) -> None:
        """End the silence of streams that have just been heard."""
        for index, alarm in enumerate(self._alarms):
            if isinstance(alarm.condition, Silent):
                silent = rows[self._table.truth[rows, index] == Truth.TRUE]
                self._judge_bare(index, silent, self._table.newest_t[silent], Truth.FALSE, result)

    def listen(self, result: EngineResult) -> None:
        """Notice streams that have fallen silent: their other conditions become unknown."""
        table, n = self._table, len(self._table)
        for index, alarm in enumerate(self._alarms):
            if not isinstance(alarm.condition, Silent):
                continue
            heard = (table.last_reading_at[:n] != NEVER) & (table.truth[:n, index] != Truth.TRUE)
            heard &= table.standby_until[:n] == NEVER
            if table.overrides is not None:
                heard &= ~table.override_off[:n, index]
            rows = np.flatnonzero(heard & (result.now - table.last_reading_at[:n] >= alarm.condition.for_ns))
            t = self._heard_t(rows) + alarm.condition.for_ns
            self._judge_bare(index, rows, t, Truth.TRUE, result)
            self._lose_sight(rows, t, result)

    def _heard_t(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(R,) since when nothing is heard of streams.

        Not `now`: a change's time must not depend on how often somebody asked. Whoever was admitted, and of whom
        nothing has come, is silent since then.
        """
        table = self._table
        come = table.newest_tick(rows, self._model.period_ns) > table.stay_began_after_tick[rows]
        return np.where(come, table.newest_t[rows], table.last_reading_at[rows])

    def _judge_bare(
        self,
        index: int,
        rows: NDArray[np.int64],
        t: NDArray[np.int64],
        judged: Truth,
        result: EngineResult,
        *,
        because: str | None = None,
    ) -> None:
        """Judge an alarm's condition alike in some streams, of which no frame has come.

        What turns says why by itself, unless another reason is given.
        """
        if not len(rows):
            return
        truth = np.full(len(rows), judged, dtype=np.int8)
        for i, kind in advance(self._table, index, self._alarms[index], rows, truth, t):
            change = self._event_builder.of_silence(index, kind, int(rows[i]), int(t[i]), result.now)
            result.events.append(change if because is None else replace(change, reason=because))

    def mark_stale(self, rows: NDArray[np.int64], result: EngineResult) -> None:
        """Hear that streams are gone: they are silent at once, at their newest `t`, and all else is unknown."""
        for index, alarm in enumerate(self._alarms):
            if isinstance(alarm.condition, Silent):
                heard = rows[self._table.truth[rows, index] != Truth.TRUE]
                if self._table.overrides is not None:
                    heard = heard[~self._table.override_off[heard, index]]
                self._judge_bare(index, heard, self._heard_t(heard), Truth.TRUE, result, because=GONE)
        self._lose_sight(rows, self._heard_t(rows), result)

    def _lose_sight(self, rows: NDArray[np.int64], t: NDArray[np.int64], result: EngineResult) -> None:
        for index, alarm in enumerate(self._alarms):
            if not isinstance(alarm.condition, Silent):
                self._judge_bare(index, rows, t, Truth.UNKNOWN, result)
