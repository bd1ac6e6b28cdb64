"""Adaptation of score thresholds to each stream, by quantiles of the stream's own score.

Two quantiles of a stream's score are tracked, the median and the `HIGH` one. A score above a quantile raises it a
little, a score below lowers it a little, in the proportion at which it comes to rest at its level (Robbins and Monro,
The Annals of Mathematical Statistics 22, 1951; as a quantile tracker in Angelopoulos, Candès and Tibshirani, Conformal
PID Control for Time Series Prediction, NeurIPS 2023). A single score moves a quantile by one step at most, however
large it is. A threshold that lies k spreads above the median of the calibration streams lies k of the stream's own
spreads above the stream's own median.

A stream settles first: steps begin long and shorten, and its own threshold is unknown. It lies between the calibrated
threshold and `max_ratio` times that. A score below the first is false, a score above the second is true, and a score
between them is unknown. Steps of a settled stream are short.

The threshold never falls below the calibrated one, so adaptation adds no alarms for a quiet stream. Quantiles stand
still while an alarm on the score is up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.streams.table import StreamTable

HIGH = 0.9
"""Level of the upper quantile: high enough to measure a score's spread, low enough to be known soon."""

QUANTILES = np.array([0.5, HIGH])  # (2,) levels
# A settling stream's step after n scores is _STRIDE / (n + 2 × _STRIDE): one half at first, then shorter.
_STRIDE = 5.0


@dataclass(frozen=True, slots=True)
class Adaptation:
    """Settings by which a watch's score thresholds are adapted.

    Attributes:
        middle: Median score of the calibration streams.
        high: `HIGH` quantile of their scores; above `middle`, which is positive.
        max_ratio: Upper bound of a stream's threshold, as a multiple of the calibrated one.
        settle_ticks: Number of scores for which a stream settles.
        step: Longest relative step of a settled quantile per score.
    """

    middle: float
    high: float
    max_ratio: float
    settle_ticks: int
    step: float

    def steps(self, score_count: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n,) relative steps of quantiles that rest on (n,) scores."""
        settling = np.maximum(_STRIDE / (score_count + 2 * _STRIDE), self.step)
        return np.where(score_count < self.settle_ticks, settling, self.step)


@dataclass(frozen=True, slots=True)
class StreamBaseline:
    """Score quantiles of n streams.

    Attributes:
        adaptation: Settings of the watch.
        score_quantiles: (n, 2) float64, quantiles of each stream's score by `QUANTILES`; NaN before the first score.
        score_count: (n,) int64, number of scores behind them.
        pinned: (n,) bool, whether an override exempts the stream from adaptation.
    """

    adaptation: Adaptation
    score_quantiles: NDArray[np.float64]
    score_count: NDArray[np.int64]
    pinned: NDArray[np.bool_]

    @classmethod
    def of(cls, adaptation: Adaptation, table: StreamTable, rows: NDArray[np.int64]) -> StreamBaseline:
        """Read the baselines of streams (n,) from the table."""
        return cls(adaptation, table.score_quantiles[rows], table.score_count[rows], table.override_pinned[rows])

    def bounds(
        self, threshold: NDArray[np.float32] | np.float32 | float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Bounds of each stream's own threshold, equal once the stream has settled.

        Args:
            threshold: Before adaptation: one for all streams, or (n,) one each.

        Returns:
            (n,) lower and (n,) upper bounds, float32 as scores are.

        >>> like = Adaptation(middle=1.0, high=2.0, max_ratio=4.0, settle_ticks=100, step=0.001)
        >>> quantiles = np.array([[np.nan, np.nan], [1.5, 3.5], [0.5, 1.0], [9.0, 30.0]])
        >>> baseline = StreamBaseline(like, quantiles, np.array([0, 100, 100, 100]), np.zeros(4, np.bool_))
        >>> lower, upper = baseline.bounds(3.0)
        >>> lower.tolist(), upper.tolist()
        ([3.0, 5.5, 3.0, 12.0], [12.0, 5.5, 3.0, 12.0])
        """
        like = self.adaptation
        spreads = (threshold - like.middle) / (like.high - like.middle)
        middle, high = self.score_quantiles[:, 0], self.score_quantiles[:, 1]
        adapted = np.clip(middle + spreads * np.maximum(high - middle, 0.0), threshold, threshold * like.max_ratio)
        settled = self.score_count >= like.settle_ticks
        lower, upper = np.where(settled, adapted, threshold), np.where(settled, adapted, threshold * like.max_ratio)
        lower, upper = (np.where(self.pinned, threshold, bound) for bound in (lower, upper))
        return lower.astype(np.float32), upper.astype(np.float32)


def update_quantiles(
    baseline: StreamBaseline, score: NDArray[np.float32], frozen: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Move the quantiles of n streams by one score each.

    >>> like = Adaptation(middle=1.0, high=2.0, max_ratio=4.0, settle_ticks=0, step=0.1)
    >>> baseline = StreamBaseline(like, np.array([[1.0, 2.0]] * 3), np.zeros(3, np.int64), np.zeros(3, np.bool_))
    >>> scores, frozen = np.array([1.5, 2.5, 2.5], np.float32), np.array([False, False, True])
    >>> quantiles, count = update_quantiles(baseline, scores, frozen)
    >>> quantiles.round(3).tolist(), count.tolist()
    ([[1.05, 1.98], [1.05, 2.18], [1.0, 2.0]], [1, 1, 0])

    Args:
        baseline: Before these scores.
        score: (n,) as the model gave them; an unknown score (NaN) changes nothing.
        frozen: (n,) bool, streams whose quantiles stand still.

    Returns:
        `score_quantiles` (n, 2) and `score_count` (n,) after these scores.
    """
    like = baseline.adaptation
    before = baseline.score_quantiles
    quantiles = np.where(np.isnan(before), (like.middle, like.high), before)
    step = like.steps(baseline.score_count)[:, None]
    with np.errstate(invalid="ignore"):
        above = score[:, None] > quantiles
    moved = quantiles * (1.0 + step * np.where(above, QUANTILES, QUANTILES - 1.0))
    counts = ~(frozen | np.isnan(score))
    return np.where(counts[:, None], moved, before), baseline.score_count + counts
