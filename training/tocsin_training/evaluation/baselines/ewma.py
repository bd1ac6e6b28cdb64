"""Exponentially weighted moving averages: each channel against its own recent past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

from tocsin_training.evaluation.baselines.baseline import Baseline, carried_forward, measured, needed, normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.bundle.manifest import ChannelEntry
    from tocsin_training.data.dataset import StreamDataset

NAME = "EWMA"
TICKS = 30.0  # that the averages reach back
FLOOR = 0.1  # of the training part's standard deviation: the first change of a constant channel is no alarm


def fit(channels: Sequence[ChannelEntry], period_s: float, train: StreamDataset | None, seed: int) -> Baseline:  # noqa: ARG001  (ticks count)
    """Forecast by the moving mean and variance; the score is half the mean squared standardised deviation."""
    fitted = needed(train)
    columns = measured(channels)
    rows = normal(fitted)
    floor = np.array(
        [
            max(float(np.std(seen)) if len(seen := fitted.x[rows & (fitted.mask[:, c] > 0), c]) else 1.0, 1e-6) * FLOOR
            for c in columns
        ]
    )
    rate = 2.0 / (TICKS + 1.0)

    def score(data: StreamDataset) -> NDArray[np.float32]:
        observed = data.mask[:, columns] > 0
        values = carried_forward(data)[:, columns]
        out = np.full(len(values), np.nan, dtype=np.float32)
        for a, b in zip(data.start[:-1], data.start[1:], strict=True):
            z2 = _surprise(values[a:b], rate, floor)
            counted = observed[a:b] & ~np.isnan(z2)
            count = counted.sum(axis=1)
            total = np.where(counted, z2, 0.0).sum(axis=1)
            out[a:b] = np.where(count > 0, 0.5 * total / np.maximum(count, 1), np.nan)
        return out

    return Baseline(NAME, f"each channel against its own moving mean and variance of {TICKS:g} ticks", score)


def _surprise(values: NDArray[np.float64], rate: float, floor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared standardised deviations (T, C) of one stream's values from the forecast of the rows before."""
    known = ~np.isnan(values)
    first = np.argmax(known, axis=0)
    begin = np.where(known.any(axis=0), values[first, np.arange(values.shape[1])], 0.0)  # (C,)
    away = np.where(known, values - begin, 0.0)  # from the first value, at which the average starts
    smoothed = lfilter([rate], [1.0, rate - 1.0], away, axis=0)
    before = np.vstack([np.zeros_like(begin), smoothed[:-1]])
    residual = away - before
    variance = lfilter([rate], [1.0, rate - 1.0], residual * residual, axis=0)
    variance = np.vstack([np.zeros_like(begin), variance[:-1]])
    z2: NDArray[np.float64] = residual**2 / (variance + floor * floor)
    seen = np.cumsum(known, axis=0) > 1  # the first value of a channel has nothing before it
    return np.where(seen, z2, np.nan)
