"""Telling how conditions turned: what an engine's changes say, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.adaptation import StreamBaseline
from tocsin.engine.conditions.base import is_modelled, is_scored
from tocsin.engine.conditions.explanation import explanation
from tocsin.engine.conditions.wording import ReasonContext, evidence, reason
from tocsin.engine.events import ConditionEvent, ConditionEventKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.engine.conditions.adaptation import Adaptation
    from tocsin.engine.conditions.delays import Alarm
    from tocsin.engine.events import Evidence
    from tocsin.engine.frames.stepper import Steps
    from tocsin.engine.model import Model
    from tocsin.engine.streams.table import StreamTable


class EventBuilder:
    """Makes the changes of one watch's conditions."""

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
        self._watch = watch
        self._model = model
        self._alarms = alarms
        self._table = table
        self._state_slices = state_slices
        self._adaptation = adaptation
        self._signature = f"{model.name}/{model.version} {model.sha256[:12]}"

    def of_frame(self, index: int, kind: ConditionEventKind, steps: Steps, i: int, now: int) -> ConditionEvent:
        """Make the change of a condition that turned in frame i."""
        scored = is_scored(self._alarms[index].condition)
        score = None if np.isnan(steps.score[i]) else float(steps.score[i])
        channels = evidence(self._model, steps, i, scored=scored)
        context = self._context(index, int(steps.rows[i]), score, channels, steps, i)
        change = self._change(index, kind, int(steps.t[i]), now, context)
        if steps.reprocessed[i]:
            return replace(change, reason=f"{change.reason} (rewound: a late reading was put in)")
        return change

    def of_silence(self, index: int, kind: ConditionEventKind, row: int, t: int, now: int) -> ConditionEvent:
        """Make the change of a condition that turned because no frame came."""
        return self._change(index, kind, t, now, self._context(index, row, None, ()))

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
            notes=self._table.condition_state[row, self._state_slices[index]],
            limit=float(self._table.limits(np.array([row]))[0, index]),
            own=self._own(row),
            score=score,
            channels=channels,
            low=None if steps is None or steps.low is None else steps.low[i],
            high=None if steps is None or steps.high is None else steps.high[i],
        )

    def _own(self, row: int) -> StreamBaseline | None:
        if self._adaptation is None:
            return None
        return StreamBaseline.of(self._adaptation, self._table, np.array([row]))

    def _change(self, index: int, kind: ConditionEventKind, t: int, now: int, context: ReasonContext) -> ConditionEvent:
        alarm, row = self._alarms[index], context.row
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
            reason=reason(alarm.condition, kind, context),
            score=context.score,
            evidence=context.channels,
            model=self._signature if is_modelled(alarm.condition) else None,
            explanation=None
            if not is_modelled(alarm.condition)
            else explanation(
                self._table,
                row,
                context.model,
                alarm.condition,
                context.notes,
                context.limit,
                context.own,
                with_frames=kind is ConditionEventKind.ACTIVE,
            ),
        )
