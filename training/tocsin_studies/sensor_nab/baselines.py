"""Baselines on the same series: causal detectors in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erfc

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SMALLEST = 1e-6  # standard deviation of a window that stands still


def windowed_gaussian(value: NDArray[np.float64], window: int = 6400) -> NDArray[np.float64]:
    """NAB's windowed Gaussian (T,): 1 less the tail probability of a normal fitted to the `window` values before.

    It is 1 exactly beyond 8.3 standard deviations, by rounding.

    >>> windowed_gaussian(np.array([1.0, 2.0, 1.0, 2.0, 40.0])).round(3).tolist()
    [0.0, 1.0, 0.841, 0.921, 1.0]
    """
    before = np.concatenate([[0.0], np.cumsum(value - value[0])])
    squares = np.concatenate([[0.0], np.cumsum((value - value[0]) ** 2)])
    end = np.arange(1, len(value))
    start = np.maximum(end - window, 0)
    mean = (before[end] - before[start]) / (end - start)
    variance = (squares[end] - squares[start]) / (end - start) - mean * mean
    deviation = np.where(variance > SMALLEST**2, np.sqrt(np.maximum(variance, 0.0)), SMALLEST)
    tail = 0.5 * erfc(np.abs(value[1:] - value[0] - mean) / deviation / np.sqrt(2.0))
    return np.concatenate([[0.0], 1.0 - tail])


def ewma(value: NDArray[np.float64], ticks: float = 20.0) -> NDArray[np.float64]:
    """EWMA control chart (T,): the distance from a moving average in its moving standard deviations.

    >>> bool(ewma(np.array([1.0, 2.0] * 50 + [40.0]))[-1] > 50)
    True
    """
    rate = 2.0 / (ticks + 1.0)
    score = np.zeros(len(value))
    mean, variance = value[0], 0.0
    for row, x in enumerate(value[1:], start=1):
        away = x - mean
        score[row] = abs(away) / max(np.sqrt(variance), SMALLEST) if row > ticks else 0.0
        mean += rate * away
        variance = (1.0 - rate) * (variance + rate * away * away)
    return score


def noise(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Random scores (T,), seeded."""
    return np.random.default_rng(42).random(len(value))


BASELINES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "Windowed Gaussian": windowed_gaussian,
    "EWMA chart": ewma,
    "random": noise,
}
