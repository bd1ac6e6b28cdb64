"""Builds the condition events of a watch, with their reasons, evidence and explanations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.adaptation import StreamBaseline
from tocsin.engine.conditions.base import ReasonContext
from tocsin.engine.conditions.explanation import evidence, explanation
from tocsin.engine.events import ConditionEvent, ConditionEventKind, Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.engine.conditions.adaptation import Adaptation
    from tocsin.engine.conditions.alarm import Alarm
    from tocsin.engine.events import Evidence
    from tocsin.engine.model import Model
    from tocsin.engine.result import Steps
    from tocsin.engine.streams.table import StreamTable


class EventBuilder:
    """Builds the condition events of one watch.

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
        self._watch = watch
        self._model = model
        self._alarms = alarms
        self._table = table
        self._state_slices = state_slices
        self._adaptation = adaptation
        self._signature = f"{model.name}/{model.version} {model.sha256[:12]}"

    def of_frame(self, index: int, kind: ConditionEventKind, steps: Steps, i: int, now: int) -> ConditionEvent:
        """Build the event of an alarm's condition that changed in frame i."""
        scored = self._alarms[index].condition.scored
        score = None if np.isnan(steps.score[i]) else float(steps.score[i])
        channels = evidence(self._model, steps, i, scored=scored)
        context = self._context(index, int(steps.rows[i]), score, channels, steps, i)
        event = self._event(index, kind, int(steps.t[i]), now, context)
        if steps.reprocessed[i]:
            reason = f"{event.report.reason} (reprocessed after a late reading)"
            return replace(event, report=replace(event.report, reason=reason))
        return event

    def without_frame(self, index: int, kind: ConditionEventKind, row: int, t: int, now: int) -> ConditionEvent:
        """Build the event of an alarm's condition that changed because no frame arrived."""
        return self._event(index, kind, t, now, self._context(index, row, None, ()))

    def _context(
        self,
        index: int,
        row: int,
        score: float | None,
        channels: tuple[Evidence, ...],
        steps: Steps | None = None,
        i: int = 0,
    ) -> ReasonContext:
        return ReasonContext(
            model=self._model,
            row=row,
            tick=int(self._table.last_tick[row] if steps is None else steps.tick[i]),
            state=self._table.condition_state[row, self._state_slices[index]],
            limit=float(self._table.limits(np.array([row]))[0, index]),
            baseline=self._baseline(row),
            score=score,
            evidence=channels,
            low=None if steps is None or steps.low is None else steps.low[i],
            high=None if steps is None or steps.high is None else steps.high[i],
        )

    def _baseline(self, row: int) -> StreamBaseline | None:
        if self._adaptation is None:
            return None
        return StreamBaseline.of(self._adaptation, self._table, np.array([row]))

    def _event(self, index: int, kind: ConditionEventKind, t: int, now: int, context: ReasonContext) -> ConditionEvent:
        alarm, row = self._alarms[index], context.row
        modelled, is_active = alarm.condition.modelled, kind is ConditionEventKind.ACTIVE
        explained = explanation(self._table, alarm.condition, context, with_frames=is_active) if modelled else None
        return ConditionEvent(
            watch=self._watch,
            stream=self._table.names[row],
            labels=self._table.labels[row],
            alarm=alarm.name,
            kind=kind,
            t=t,
            raised_at=now,
            since=int(self._table.active_since[row, index]),
            priority=alarm.priority,
            category=alarm.category,
            report=Report(
                reason=alarm.condition.reason(kind, context),
                score=context.score,
                evidence=context.evidence,
                model=self._signature if modelled else None,
                explanation=explained,
            ),
        )
