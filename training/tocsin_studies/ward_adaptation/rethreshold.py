"""Recorded scores judged again, by the daemon's own judging: what another threshold would have made of them."""

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
    """Another way to adapt scores to their streams, outside the engine."""

    def adapted(self, score: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n,) what the scores of some streams are judged as."""
        ...

    def learn(self, score: NDArray[np.float32], rows: NDArray[np.int64], is_up: NDArray[np.bool_]) -> None:
        """Take in scores of streams, of which some have an alarm up."""
        ...


@dataclass(frozen=True, slots=True)
class Rejudgement:
    """What rang.

    Attributes:
        began: By alarm and stream, the ticks at which it began.
        up: (A, N) in how many ticks each alarm was up.
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
    """Judge scores as the engine does once it has stepped.

    Args:
        model: Whose scores they are.
        alarms: What may ring: conditions on scores.
        score: (T, N) tick by tick: NaN unknown, `NO_FRAME` where there is no frame.
        adaptation: How thresholds are adapted.
        rule: Or how scores are.
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
