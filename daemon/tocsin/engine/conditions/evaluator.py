"""Evaluates the conditions of a watch, in frames and in silence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.adaptation import StreamBaseline, update_quantiles
from tocsin.engine.conditions.base import EvaluationContext
from tocsin.engine.conditions.delays import advance
from tocsin.engine.conditions.event_builder import EventBuilder
from tocsin.engine.types import NEVER, ConditionState, Truth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.engine.conditions.adaptation import Adaptation
    from tocsin.engine.conditions.alarm import Alarm
    from tocsin.engine.model import Model
    from tocsin.engine.result import EngineResult, Steps
    from tocsin.engine.streams.table import StreamTable

GONE = "its source says that it is gone"


class ConditionEvaluator:
    """Evaluates the conditions of one watch.

    Args:
        watch: Name of the watch.
        model: Its model.
        alarms: A alarms.
        table: Its streams.
        state_slices: By alarm, its columns of the table's `condition_state`.
        adaptation: Settings by which score thresholds are adapted; None: they are not.
    """

    def __init__(
        self,
        watch: str,
        model: Model,
        alarms: Sequence[Alarm],
        table: StreamTable,
        state_slices: Sequence[slice],
        adaptation: Adaptation | None,
    ) -> None:
        self._model = model
        self._alarms = alarms
        self._table = table
        self._state_slices = state_slices
        self._adaptation = adaptation
        silences = [(index, alarm.condition.silence_ns) for index, alarm in enumerate(alarms)]
        self._silences = [(index, after_ns) for index, after_ns in silences if after_ns is not None]
        self._judged = [index for index, after_ns in silences if after_ns is None]
        scored = [index for index, alarm in enumerate(alarms) if alarm.condition.scored]
        self._scored = np.array(scored, dtype=np.int64)  # their columns
        self._event_builder = EventBuilder(watch, model, alarms, table, state_slices, adaptation)

    def judge(self, steps: Steps, result: EngineResult) -> None:
        """Judge every condition in these frames."""
        result.steps.append(steps)
        rows, table = steps.rows, self._table
        limits, previous = table.limits(rows), table.truth[rows]  # (n, A): rows are quicker to gather than columns
        off = None if table.overrides is None else table.override_off[rows]  # (n, A)
        baseline = None if self._adaptation is None else StreamBaseline.of(self._adaptation, table, rows)
        for index in self._judged:
            alarm, columns = self._alarms[index], self._state_slices[index]
            context = EvaluationContext(steps, table, self._model, limits[:, index], baseline)
            state = table.condition_state[rows, columns]
            truth = _judgement(alarm, context, previous[:, index], state)
            if columns.stop > columns.start:
                table.condition_state[rows, columns] = state
            if off is not None:
                truth[off[:, index]] = Truth.UNKNOWN
            for i, kind in advance(table, index, alarm, rows, truth, steps.t):
                result.events.append(self._event_builder.of_frame(index, kind, steps, i, result.now))
        if baseline is not None:
            # A condition that is uncertain only because the stream has not settled must not keep it from settling.
            is_up = (table.delay_state[rows[:, None], self._scored] == ConditionState.ACTIVE).any(axis=1)
            # The score of a reprocessed frame has been counted already.
            frozen = is_up | steps.reprocessed
            table.score_quantiles[rows], table.score_count[rows] = update_quantiles(baseline, steps.score, frozen)

    def end_silence(self, rows: NDArray[np.int64], result: EngineResult) -> None:
        """End the silence of streams of which readings have just arrived."""
        for index, _ in self._silences:
            silent = rows[self._table.truth[rows, index] == Truth.TRUE]
            self._judge_without_frame(index, silent, self._table.newest_t[silent], Truth.FALSE, result)

    def evaluate_silence(self, result: EngineResult) -> None:
        """Find streams that have become silent; their other conditions become unknown."""
        table, n = self._table, len(self._table)
        for index, after_ns in self._silences:
            awaited = (table.last_reading_at[:n] != NEVER) & (table.truth[:n, index] != Truth.TRUE)
            awaited &= table.standby_until[:n] == NEVER
            if table.overrides is not None:
                awaited &= ~table.override_off[:n, index]
            rows = np.flatnonzero(awaited & (result.now - table.last_reading_at[:n] >= after_ns))
            t = self._idle_since(rows) + after_ns
            self._judge_without_frame(index, rows, t, Truth.TRUE, result)
            self._mark_unknown(rows, t, result)

    def _idle_since(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(R,) event times since which streams have been idle.

        Not `now`: the time of an event must not depend on how often the engine is called. A stream that was admitted
        and has sent nothing is idle since its admission.
        """
        table = self._table
        sent = table.newest_tick(rows, self._model.period_ns) > table.stay_began_after_tick[rows]
        return np.where(sent, table.newest_t[rows], table.last_reading_at[rows])

    def _judge_without_frame(
        self,
        index: int,
        rows: NDArray[np.int64],
        t: NDArray[np.int64],
        judged: Truth,
        result: EngineResult,
        *,
        reason: str | None = None,
    ) -> None:
        """Give an alarm's condition the same judgement in streams of which no frame has arrived.

        Args:
            index: Column of the alarm.
            rows: (R,) the streams.
            t: (R,) event times of the judgement, ns.
            judged: The judgement.
            result: Receives the events.
            reason: Reason of the events; None: the condition's own.
        """
        if not len(rows):
            return
        truth = np.full(len(rows), judged, dtype=np.int8)
        for i, kind in advance(self._table, index, self._alarms[index], rows, truth, t):
            event = self._event_builder.without_frame(index, kind, int(rows[i]), int(t[i]), result.now)
            if reason is not None:
                event = replace(event, report=replace(event.report, reason=reason))
            result.events.append(event)

    def mark_stale(self, rows: NDArray[np.int64], result: EngineResult) -> None:
        """Mark streams stale that their source reports gone.

        They are silent at once, at their newest `t`, and their other conditions become unknown.
        """
        for index, _ in self._silences:
            not_silent = rows[self._table.truth[rows, index] != Truth.TRUE]
            if self._table.overrides is not None:
                not_silent = not_silent[~self._table.override_off[not_silent, index]]
            t = self._idle_since(not_silent)
            self._judge_without_frame(index, not_silent, t, Truth.TRUE, result, reason=GONE)
        self._mark_unknown(rows, self._idle_since(rows), result)

    def _mark_unknown(self, rows: NDArray[np.int64], t: NDArray[np.int64], result: EngineResult) -> None:
        """Judge every condition but silence unknown in these streams (R,), at event times (R,)."""
        for index in self._judged:
            self._judge_without_frame(index, rows, t, Truth.UNKNOWN, result)


def _judgement(
    alarm: Alarm, context: EvaluationContext, previous: NDArray[np.int8], state: NDArray[np.float64]
) -> NDArray[np.int8]:
    """(n,) int8, the judgement of an alarm's condition; errors name both, as the condition may be another package's.

    Raises:
        TypeError: The condition gave something else. Booleans would count as judgements, and never raise the alarm.
    """
    try:
        truth = alarm.condition.judge(context, previous, state)
    except Exception as error:
        error.add_note(f"alarm {alarm.name!r}: its condition {alarm.condition.kind!r} can't be judged")
        raise
    if not isinstance(truth, np.ndarray) or truth.dtype != np.int8 or truth.shape != previous.shape:
        given = f"{truth.dtype} {truth.shape}" if isinstance(truth, np.ndarray) else type(truth).__name__
        raise TypeError(
            f"alarm {alarm.name!r}: its condition {alarm.condition.kind!r} gave {given} (legal: int8 {previous.shape}, "
            "a Truth each)"
        )
    return truth
