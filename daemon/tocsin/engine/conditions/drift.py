"""The drift condition: the score creeps up against the stream's own beginning, by a one-sided cumulative sum.

The first hours of a stream are its reference and remain it: a reference that followed the score would hide the drift.
From then on every frame adds the score's height above the reference, less a slack, and the sum never falls below 0
(CUSUM; Page, Continuous inspection schemes, Biometrika 41, 1954). It is counted on the score's logarithm, in units of
the noise of normal streams about their own median, and in hours: a score three noises up with a slack of one adds two
an hour. A single frame counts for at most `WIDEST` noises. The score is the model's own, before any adaptation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.base import Condition, truth_of
from tocsin.engine.events import ConditionEventKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tocsin.engine.conditions.base import EvaluationContext, ReasonContext

WIDEST = 4.0
LOWEST = 1e-3  # scores below count as this
HIGHEST_SUM = 2.0  # times the limit: what rose for a day need not fall for a day
_NS_PER_H = 3_600_000_000_000


@dataclass(frozen=True, slots=True)
class Drift(Condition):
    """The model's score drifts up from the score with which the stream began.

    State: the logarithm of the reference, the number of frames of which it is the mean, the sum.

    Attributes:
        noise: Standard deviation of the logarithm of a normal stream's score about its own median.
        slack: Height above the reference that is no drift, in noises.
        limit: Limit of the sum, in noises times hours.
        settle_ns: Length of the reference, counted in frames with a score.
    """

    noise: float
    slack: float
    limit: float
    settle_ns: int

    kind = "drift"
    state_size = 3
    scored = True

    @property
    def parameters(self) -> Mapping[str, object]:
        return {"noise": self.noise, "slack": self.slack, "limit": self.limit, "settle_ns": self.settle_ns}

    def judge(
        self, context: EvaluationContext, previous: NDArray[np.int8], state: NDArray[np.float64]
    ) -> NDArray[np.int8]:
        score = context.steps.score
        self._add(state, score, ~context.steps.reprocessed, context.model.period_ns)
        total = state[:, 2]
        with np.errstate(invalid="ignore"):
            return truth_of(total >= self.limit, ~np.isnan(total) & ~np.isnan(score))

    def _add(
        self, state: NDArray[np.float64], score: NDArray[np.float32], counts: NDArray[np.bool_], period_ns: int
    ) -> None:
        """Add one score each of n streams to their state (n, 3), in place.

        An unknown score (NaN) changes nothing, and neither does a frame that does not count (n,).
        """
        there = counts & ~np.isnan(score)
        logarithm = np.log(np.maximum(np.where(there, score, 1.0).astype(np.float64), LOWEST))
        seen = np.where(np.isnan(state[:, 1]), 0.0, state[:, 1])
        reference = np.where(np.isnan(state[:, 0]), 0.0, state[:, 0])
        total = np.where(np.isnan(state[:, 2]), 0.0, state[:, 2])
        settling = seen < self.settle_ns // period_ns
        above = np.clip((logarithm - reference) / self.noise, -WIDEST, WIDEST) - self.slack
        grown = np.clip(total + above * (period_ns / _NS_PER_H), 0.0, HIGHEST_SUM * self.limit)
        state[:, 0] = np.where(there & settling, reference + (logarithm - reference) / (seen + 1.0), state[:, 0])
        state[:, 1] = np.where(there & settling, seen + 1.0, state[:, 1])
        state[:, 2] = np.where(there & ~settling, grown, state[:, 2])

    def reason(self, kind: ConditionEventKind, context: ReasonContext) -> str:
        if kind is ConditionEventKind.UNCERTAIN or context.score is None:
            return "score is unknown now"
        reference, total = float(np.exp(context.state[0])), float(context.state[2])
        if kind is ConditionEventKind.INACTIVE:
            return f"score {context.score:.3g} no longer drifts from {reference:.3g}: sum {total:.3g}"
        return (
            f"score {context.score:.3g} has drifted up from {reference:.3g}, where the stream began: sum {total:.3g}, "
            f"limit {self.limit:.3g}"
        )
