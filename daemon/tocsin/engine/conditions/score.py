"""The score condition: the model's score has reached a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.base import Condition, truth_of
from tocsin.engine.conditions.wording import expected, figure, printed_unit
from tocsin.engine.events import ConditionEventKind
from tocsin.engine.types import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tocsin.engine.conditions.base import EvaluationContext, ReasonContext
    from tocsin.engine.events import Evidence

_NAMED_CHANNELS = 3


@dataclass(frozen=True, slots=True)
class ScoreAbove(Condition):
    """The model's score has reached a threshold.

    State: the tick since which the score has been at or above half the threshold.

    Attributes:
        threshold: On the scale of the manifest's calibration.
    """

    threshold: float

    kind = "score"
    state_size = 1
    scored = True

    @property
    def parameters(self) -> Mapping[str, object]:
        return {"threshold": self.threshold}

    def judge(
        self,
        context: EvaluationContext,
        previous: NDArray[np.int8],
        state: NDArray[np.float64],
    ) -> NDArray[np.int8]:
        score, threshold = context.steps.score, self._threshold(context)
        lower, upper = (threshold, threshold) if context.baseline is None else context.baseline.bounds(threshold)
        scored = ~np.isnan(score)
        with np.errstate(invalid="ignore"):
            risen = score >= np.minimum(lower, lower / 2)
            holds = score >= upper
            known = scored & (holds | (score < lower))
        began = np.where(np.isnan(state[:, 0]), context.steps.tick, state[:, 0])
        state[:, 0] = np.where(scored, np.where(risen, began, np.nan), state[:, 0])
        return truth_of(holds, known)

    def _threshold(self, context: EvaluationContext) -> NDArray[np.float32] | np.float32:
        """(n,) the thresholds of streams, or one for all.

        In float32, as the scores are: against a float64 a score of 0.7 would lie below a threshold of 0.7.
        """
        if context.table.overrides is None:
            return np.float32(self.threshold)
        return np.where(np.isnan(context.limit), self.threshold, context.limit).astype(np.float32)

    def score_onset(self, state: NDArray[np.float64]) -> tuple[float, int]:
        return self.threshold, NEVER if np.isnan(state[0]) else int(state[0])

    def reason(self, kind: ConditionEventKind, context: ReasonContext) -> str:
        what = "probability" if context.model.task.judges_by_probability else "score"
        threshold = context.limit_or(self.threshold)
        if context.score is None:
            return f"{what} is unknown now"
        if kind is ConditionEventKind.UNCERTAIN:
            unknown = "the score quantiles of the stream aren't known yet"
            return f"{what} {context.score:.3g} is above {threshold:.3g}, and {unknown}"
        threshold, adapted = _adapted(threshold, context)
        if kind is ConditionEventKind.INACTIVE:
            return f"{what} {context.score:.3g}, back below {threshold:.3g}{adapted}"
        channels = [_of_channel(e) for e in context.evidence[:_NAMED_CHANNELS] if (e.contribution or 0.0) > 0.0]
        named = ": " + "; ".join(channels) if channels else ""
        return f"{what} {context.score:.3g}, threshold {threshold:.3g}{adapted}{named}"


def _adapted(threshold: float, context: ReasonContext) -> tuple[float, str]:
    """Threshold by which the stream is judged, and the words on its adaptation."""
    if context.baseline is None:
        return threshold, ""
    lower, upper = (float(bound[0]) for bound in context.baseline.bounds(threshold))
    if lower < upper:
        times = f"{upper / threshold:.3g} times {threshold:.3g}"
        return upper, f" (the score quantiles of the stream aren't known yet: {times})"
    return upper, "" if upper == threshold else f" (the stream's own, {upper / threshold:.3g} times {threshold:.3g})"


def _of_channel(entry: Evidence) -> str:
    unit = printed_unit(entry.unit)
    if entry.value is None:
        return f"{entry.channel} not measured"
    if entry.mean is None or entry.scale is None:
        return f"{entry.channel} {figure(entry.value, 4)}{unit}"
    return f"{entry.channel} {figure(entry.value, 4)}{unit} (expected {expected(entry.mean, entry.scale)})"
