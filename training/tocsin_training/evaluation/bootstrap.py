"""Bootstrap over streams: confidence intervals of figures.

Rows of one stream are correlated, so streams are resampled, with replacement (cluster bootstrap). A figure made of sums
over streams is computed for all replicates at once: replicate k counts stream b `weights[k, b]` times, and replicate 0
counts each once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.evaluation.result import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

REPLICATES = 1000
INTERVAL = (0.025, 0.975)


def weights(streams: int, replicates: int = REPLICATES, seed: int = 0) -> NDArray[np.float64]:
    """Number of times (1 + K, B) that each stream counts; K is 0 for a single stream.

    >>> weights(3, 2).sum(axis=1).tolist()
    [3.0, 3.0, 3.0]
    """
    rng = np.random.default_rng(seed)
    replicates = replicates if streams > 1 else 0
    drawn = rng.multinomial(streams, np.full(streams, 1.0 / streams), size=replicates)
    return np.concatenate([np.ones((1, streams)), drawn]).astype(np.float64)


def figure(values: NDArray[np.float64]) -> Estimate:
    """Estimate and interval of values (1 + K,), the first of them that of the data.

    Replicates that are NaN (no event was drawn) are left out. Without replicates there is no interval.

    >>> figure(np.array([0.5, 0.4, 0.6, np.nan]))
    Estimate(value=0.5, low=0.4, high=0.6)
    """
    known = values[1:][~np.isnan(values[1:])]
    if not len(known) or np.isnan(values[0]):
        return Estimate(value=float(values[0]), low=np.nan, high=np.nan)
    low, high = np.quantile(known, INTERVAL, method="nearest")  # of existing values: a delay may be infinite
    return Estimate(value=float(values[0]), low=float(low), high=float(high))


def figures(values: Mapping[str, NDArray[np.float64]]) -> dict[str, Estimate]:
    """Estimates by name."""
    return {name: figure(replicates) for name, replicates in values.items()}


def leads(ours: Mapping[str, NDArray[np.float64]], theirs: Mapping[str, NDArray[np.float64]]) -> dict[str, Estimate]:
    """Differences, ours less theirs, of the figures that both have (1 + K,) replicates of: paired by replicate.

    >>> leads({"a": np.array([3.0, 4.0, 5.0]), "b": np.array([1.0])}, {"a": np.array([1.0, 3.0, 3.0])})
    {'a': Estimate(value=2.0, low=1.0, high=2.0)}
    """
    return {name: figure(ours[name] - theirs[name]) for name in ours if name in theirs}


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64], weighted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ratio (1 + K,) of sums over streams (B,); NaN where the denominator is 0.

    >>> ratio(np.array([1.0, 0.0]), np.array([2.0, 2.0]), np.array([[1.0, 1.0], [2.0, 0.0]])).tolist()
    [0.25, 0.5]
    """
    below = weighted @ whole
    made: NDArray[np.float64] = np.divide(weighted @ part, below, out=np.full(len(below), np.nan), where=below > 0)
    return made
