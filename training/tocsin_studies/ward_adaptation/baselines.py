"""Baselines of adaptation: other ways to keep a budget in streams unlike those calibrated on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.conditions.adaptation import Adaptation


class Conformal:
    """Adaptive conformal inference: a stream's threshold rises with a score beyond it, and sinks with all others.

    The logarithm rises by `step` × (1 − a) and sinks by `step` × a, a the share of scores beyond the threshold on the
    streams that were calibrated on, so that in the long run this share of a stream's scores is beyond it (Gibbs and
    Candès, Adaptive Conformal Inference Under Distribution Shift, NeurIPS 2021; on the score's own scale as in
    Angelopoulos, Candès and Tibshirani, Conformal PID Control for Time Series Prediction, NeurIPS 2023).
    """

    def __init__(
        self, threshold: float, share: float, step: float, most: float, streams: int, *, freezes: bool
    ) -> None:
        """Begin with the calibrated threshold.

        Args:
            threshold: Calibrated.
            share: Of calibrated scores beyond it.
            step: Of the logarithm.
            most: Upper bound, as a multiple of the threshold.
            streams: N.
            freezes: Whether learning stops while an alarm is active.
        """
        self._threshold, self._share, self._step, self._most, self._freezes = threshold, share, step, most, freezes
        self._factor = np.ones(streams)  # (N,) a stream's threshold by the calibrated one

    def adapted(self, score: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores (n,) divided by the streams' factors."""
        return (score / self._factor[rows]).astype(np.float32)

    def learn(self, score: NDArray[np.float32], rows: NDArray[np.int64], is_up: NDArray[np.bool_]) -> None:
        """Update the factors."""
        factor = self._factor[rows]
        beyond = score >= self._threshold * factor
        moved = factor * np.exp(self._step * (beyond - self._share))
        stays = np.isnan(score) | (is_up & self._freezes)
        self._factor[rows] = np.where(stays, factor, np.clip(moved, 1.0, self._most))


class Quotient:
    """Score divided by the ratio of the stream's own high quantile to that of the calibrated streams.

    It settles and learns as the engine does, and tracks one quantile where the engine tracks two.
    """

    def __init__(self, like: Adaptation, high: float, streams: int) -> None:
        """Begin with the quantile of the calibrated streams."""
        self._like, self._level = like, high
        self._typical = np.full(streams, like.high)  # (N,)
        self._count = np.zeros(streams, dtype=np.int64)  # (N,)

    def adapted(self, score: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores (n,), divided; by the maximum while a stream settles."""
        factor = np.clip(self._typical[rows] / self._like.high, 1.0, self._like.max_ratio)
        settled = self._count[rows] >= self._like.settle_ticks
        return (score / np.where(settled, factor, self._like.max_ratio)).astype(np.float32)

    def learn(self, score: NDArray[np.float32], rows: NDArray[np.int64], is_up: NDArray[np.bool_]) -> None:
        """Update the quantile."""
        typical, count = self._typical[rows], self._count[rows]
        moved = typical * (1.0 + self._like.steps(count) * np.where(score > typical, self._level, self._level - 1.0))
        teaches = ~(is_up | np.isnan(score))
        self._typical[rows] = np.where(teaches, moved, typical)
        self._count[rows] = count + teaches
