"""Baselines of the networks: persistence, an autoregression, and the median of the last two hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_studies.pressure_minute import skill
from tocsin_training.bundles.pressure_minute.records import WINDOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ORDER = 10  # minutes that the autoregression looks back
PATHS = 200  # it draws so many futures
TWO_HOURS = 120


def filled(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Values (T,) with implausible ones replaced by the value before; at the beginning by the record's median.

    >>> filled(np.array([80.0, -40.0, 82.0]), 20, 200).tolist()
    [80.0, 80.0, 82.0]
    """
    good = (values >= low) & (values <= high)
    row = np.maximum.accumulate(np.where(good, np.arange(len(values)), -1))
    return np.where(row >= 0, values[row], np.median(values[good]))


def persistence(fitted: Sequence[NDArray[np.float64]], held_out: Sequence[NDArray[np.float64]]) -> skill.Forecasts:
    """Forecast the last value, with the quantiles of its errors on other records (T,), minute by minute."""
    last = _last(fitted)
    observed = np.concatenate([skill.observed(values) for values in fitted])  # (O, 60)
    errors = np.quantile(observed - last[:, None], skill.LEVELS, axis=0).T  # (60, Q)
    fall = np.quantile(observed.min(axis=1) - last, skill.LEVELS)  # (Q,)
    now = _last(held_out)
    return skill.Forecasts(now[:, None, None] + errors, now[:, None] + fall)


def autoregression(
    fitted: Sequence[NDArray[np.float64]], held_out: Sequence[NDArray[np.float64]], seed: int = 0
) -> skill.Forecasts:
    """AR(10), fitted on other records; forecasts by simulation with its errors there."""
    rng = np.random.default_rng(seed)
    past = np.concatenate([_windows(values[:-1]) for values in fitted])  # (R, 10)
    design = np.column_stack([past, np.ones(len(past))])
    following = np.concatenate([values[ORDER:] for values in fitted])
    weights = np.linalg.lstsq(design, following, rcond=None)[0]
    errors = following - design @ weights
    past = np.concatenate([_windows(values)[skill.origins(len(values)) - ORDER + 1] for values in held_out])  # (O, 10)
    paths = np.repeat(past[:, None], PATHS, axis=1)  # (O, P, 10)
    for _ in range(WINDOW):
        drawn = rng.choice(errors, paths.shape[:2])
        following = paths[..., -ORDER:] @ weights[:-1] + weights[-1] + drawn
        paths = np.concatenate([paths, following[..., None]], axis=2)
    ahead = paths[..., ORDER:]  # (O, P, 60)
    return skill.Forecasts(
        np.moveaxis(np.quantile(ahead, skill.LEVELS, axis=1), 0, -1),
        np.quantile(ahead.min(axis=2), skill.LEVELS, axis=1).T,
    )


def beyond(score: NDArray[np.float64], event: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each score (B,) reaches the threshold with the highest accuracy on the others.

    >>> beyond(np.array([0.1, 0.2, 0.6, 0.8]), np.array([False, False, True, True])).tolist()
    [False, False, True, True]
    """
    every = np.arange(len(score))
    return np.array([score[b] >= best_threshold(score[every != b], event[every != b]) for b in every])


def best_threshold(score: NDArray[np.float64], event: NDArray[np.bool_]) -> float:
    """Threshold (an event from it on) with the highest accuracy; the middle one of several.

    >>> best_threshold(np.array([0.1, 0.2, 0.6, 0.8]), np.array([False, False, True, True]))
    0.4
    """
    ranked = np.sort(score)
    candidates = (ranked[1:] + ranked[:-1]) / 2
    right = ((score[None] >= candidates[:, None]) == event[None]).sum(axis=1)
    best = candidates[right == right.max()]
    return round(float(best[len(best) // 2]), 9)


def _windows(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Windows (T - 9, 10) of ten consecutive values."""
    return np.lib.stride_tricks.sliding_window_view(values, ORDER)


def _last(records: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Value (O,) at each origin of each record."""
    return np.concatenate([values[skill.origins(len(values))] for values in records])
