"""Re-evaluation of recorded scores with other thresholds, by the daemon's own conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tocsin.engine import EngineResult
from tocsin.engine.conditions.alarm import state_slices
from tocsin.engine.conditions.evaluator import ConditionEvaluator
from tocsin.engine.events import ConditionEventKind
from tocsin.engine.result import Steps
from tocsin.engine.streams.table import StreamTable, TableSizes
from tocsin.engine.types import ConditionState
from tocsin_studies.ward_adaptation.out_of_distribution import NO_FRAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.engine.conditions.adaptation import Adaptation
    from tocsin.engine.conditions.alarm import Alarm
    from tocsin.engine.model import Model


class AdaptationRule(Protocol):
    """Rule that adapts scores to their streams outside the engine."""

    def adapted(self, score: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Adapted scores (n,) of some streams."""
        ...

    def learn(self, score: NDArray[np.float32], rows: NDArray[np.int64], is_up: NDArray[np.bool_]) -> None:
        """Learn from scores of streams, given which have an active alarm."""
        ...


@dataclass(frozen=True, slots=True)
class Rejudgement:
    """Alarms of a re-evaluation.

    Attributes:
        began: By alarm and stream, the ticks at which it began.
        up: (A, N) number of ticks in which each alarm was active.
    """

    began: dict[str, list[list[int]]]
    up: NDArray[np.int64]


def judged(
    model: Model,
    alarms: Sequence[Alarm],
    score: NDArray[np.float32],
    adaptation: Adaptation | None,
    rule: AdaptationRule | None = None,
) -> Rejudgement:
    """Evaluate the conditions on scores as the engine does after its step.

    Args:
        model: That made the scores.
        alarms: Conditions on scores.
        score: (T, N) by tick: NaN unknown, `NO_FRAME` where there is no frame.
        adaptation: Of thresholds.
        rule: Of scores.
    """
    ticks, streams = score.shape
    columns = state_slices(alarms)
    channels = len(model.channels)
    table = StreamTable(
        TableSizes(
            open_frames=1,
            channels=channels,
            state_size=1,
            alarms=len(alarms),
            condition_state_size=columns[-1].stop,
        ),
        max_streams=streams,
    )
    turning = ConditionEvaluator("again", model, alarms, table, columns, adaptation)
    table.rows([str(stream) for stream in range(streams)])
    blank = np.zeros((streams, channels), dtype=np.float32)
    nothing = np.zeros((streams, channels), dtype=np.bool_)
    began: dict[str, list[list[int]]] = {alarm.name: [[] for _ in range(streams)] for alarm in alarms}
    up = np.zeros((len(alarms), streams), dtype=np.int64)
    for tick in range(ticks):
        rows = np.flatnonzero(score[tick] != NO_FRAME)
        n, t, known = len(rows), np.full(len(rows), tick * model.period_ns), score[tick, rows]
        steps = Steps(
            rows=rows,
            t=t,
            tick=np.full(n, tick),
            x=blank[:n],
            mask=blank[:n],
            implausible=nothing[:n],
            score=known if rule is None else rule.adapted(known, rows),
            contribution=blank[:n],
            mean=blank[:n],
            scale=blank[:n],
            low=None,
            high=None,
            reprocessed=nothing[:n, 0],
        )
        outcome = EngineResult(tick * model.period_ns)
        turning.judge(steps, outcome)
        for change in outcome.events:
            if change.kind is ConditionEventKind.ACTIVE:
                began[change.alarm][int(change.stream)].append(tick)
        standing = table.delay_state[:streams]
        if rule is not None:
            rule.learn(known, rows, (standing[rows] == ConditionState.ACTIVE).any(axis=1))
        up += (standing != ConditionState.INACTIVE).T
    return Rejudgement(began, up)
