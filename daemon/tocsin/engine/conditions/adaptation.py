"""Adaptation: the threshold of a score rises for a stream whose score is usually higher than those calibrated on.

Of each stream two quantiles of its own score are followed, the middle and the `HIGH` one: up a little with a score
above, down a little with one below, in the proportion in which they come to rest where they should (Robbins and Monro,
The Annals of Mathematical Statistics 22, 1951; as a quantile tracker in Angelopoulos, Candès and Tibshirani, Conformal
PID Control for Time Series Prediction, NeurIPS 2023). No single score, however wild, moves them by more than one step.
A threshold that lies so many spreads above the middle of the streams calibrated on lies as many of the stream's own
spreads above its own middle.

A stream settles first: steps are long and grow shorter, and its own threshold is not known yet. It lies between the
calibrated one and `most` times that, so a score below the first does not ring, one above the second rings, and of one
between them nothing is known. Once it has settled, steps are short.

The threshold never falls below the calibrated one: a quiet stream is not made to ring more often. While an alarm on the
score is up nothing is learnt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.streams.table import StreamTable

HIGH = 0.9
"""The quantile beside the middle: high enough to say how far a stream's score goes, low enough to be known soon."""

QUANTILES = np.array([0.5, HIGH])  # (2,)
_STRIDE = (
    5.0  # the step after n scores of a stream that settles is _STRIDE / (n + 2 × _STRIDE): one half, then ever less
)


@dataclass(frozen=True, slots=True)
class Adaptation:
    """How a watch's scores are adapted.

    Attributes:
        middle: The median of the score on the streams that were calibrated on.
        high: Their `HIGH` quantile; above the middle, which is positive.
        most: A threshold is raised to no more than so many times.
        settle_ticks: A stream settles for so many scores.
        step: A settled quantile rises by no more than this part of itself with one score.
    """

    middle: float
    high: float
    most: float
    settle_ticks: int
    step: float

    def steps(self, learnt: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n,) how far quantiles move that are known from so many scores, as a part of themselves."""
        settling = np.maximum(_STRIDE / (learnt + 2 * _STRIDE), self.step)
        return np.where(learnt < self.settle_ticks, settling, self.step)


@dataclass(frozen=True, slots=True)
class StreamBaseline:
    """What n streams are like.

    Attributes:
        adaptation: How they are adapted to.
        usual: (n, 2) float64, the quantiles of each one's score; NaN before the first.
        learnt: (n,) int64, from how many scores.
        fixed: (n,) whether a stream's threshold is not adapted all the same.
    """

    adaptation: Adaptation
    usual: NDArray[np.float64]
    learnt: NDArray[np.int64]
    fixed: NDArray[np.bool_]

    @classmethod
    def of(cls, adaptation: Adaptation, table: StreamTable, rows: NDArray[np.int64]) -> StreamBaseline:
        """What some streams (n,) are like."""
        return cls(adaptation, table.score_quantiles[rows], table.score_count[rows], table.override_pinned[rows])

    def bounds(
        self, threshold: NDArray[np.float32] | np.float32 | float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(n,) twice: between what bounds lies each stream's own threshold? Once it has settled, they are one.

        The threshold is that of all, or (n,) of each before it is adapted; in float32, as scores are.

        >>> like = Adaptation(middle=1.0, high=2.0, most=4.0, settle_ticks=100, step=0.001)
        >>> usual = np.array([[np.nan, np.nan], [1.5, 3.5], [0.5, 1.0], [9.0, 30.0]])
        >>> own = StreamBaseline(like, usual, np.array([0, 100, 100, 100]), np.zeros(4, np.bool_))
        >>> least, most = own.bounds(3.0)
        >>> least.tolist(), most.tolist()
        ([3.0, 5.5, 3.0, 12.0], [12.0, 5.5, 3.0, 12.0])
        """
        like = self.adaptation
        spreads = (threshold - like.middle) / (like.high - like.middle)
        middle, high = self.usual[:, 0], self.usual[:, 1]
        own = np.clip(middle + spreads * np.maximum(high - middle, 0.0), threshold, threshold * like.most)
        settled = self.learnt >= like.settle_ticks
        least, most = np.where(settled, own, threshold), np.where(settled, own, threshold * like.most)
        least, most = (np.where(self.fixed, threshold, bound) for bound in (least, most))
        return least.astype(np.float32), most.astype(np.float32)


def learn(
    own: StreamBaseline, score: NDArray[np.float32], frozen: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Take in one score each of n streams.

    >>> like = Adaptation(middle=1.0, high=2.0, most=4.0, settle_ticks=0, step=0.1)
    >>> own = StreamBaseline(like, np.array([[1.0, 2.0]] * 3), np.zeros(3, np.int64), np.zeros(3, np.bool_))
    >>> usual, learnt = learn(own, np.array([1.5, 2.5, 2.5], np.float32), np.array([False, False, True]))
    >>> usual.round(3).tolist(), learnt.tolist()
    ([[1.05, 1.98], [1.05, 2.18], [1.0, 2.0]], [1, 1, 0])

    Args:
        own: What they are like until now.
        score: (n,) as the model gave them; unknown (NaN) teaches nothing.
        frozen: (n,) whether nothing is learnt of it.

    Returns:
        (n, 2) and (n,): `usual` and `learnt` from now on.
    """
    like = own.adaptation
    usual = np.where(np.isnan(own.usual), (like.middle, like.high), own.usual)
    step = like.steps(own.learnt)[:, None]
    with np.errstate(invalid="ignore"):
        above = score[:, None] > usual
    moved = usual * (1.0 + step * np.where(above, QUANTILES, QUANTILES - 1.0))
    teaches = ~(frozen | np.isnan(score))
    return np.where(teaches[:, None], moved, own.usual), own.learnt + teaches
