"""Skill of a distribution of the next hour: pinball loss, coverage, and the probability of falling below a limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.forecast import falls_below
from tocsin_training.bundles.pressure_minute.records import WINDOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
"""Which quantiles forecasts are compared by, of the pressure at every minute and of its minimum."""
LIMIT = 60.0  # mmHg
FIRST, EVERY = 120, 20  # minutes: when a record is first forecast, and how often from then on


@dataclass(frozen=True, slots=True)
class Forecasts:
    """O forecasts of the next 60 minutes.

    Attributes:
        ahead: (O, 60, Q) quantiles of the pressure at each of the minutes, mmHg.
        lowest: (O, Q) quantiles of the minimum over them.
    """

    ahead: NDArray[np.float64]
    lowest: NDArray[np.float64]


def origins(minutes: int) -> NDArray[np.int64]:
    """Forecast origins (O,) of a record, minutes with a whole hour to come.

    >>> origins(660)[[0, -1]].tolist()
    [119, 599]
    """
    return np.arange(FIRST - 1, minutes - WINDOW, EVERY)


def observed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Observed values (O, 60) after each origin of a record (T,), NaN where missing."""
    return np.stack([values[at + 1 : at + 1 + WINDOW] for at in origins(len(values))])


def pinball(
    quantiles: NDArray[np.floating], levels: NDArray[np.floating], value: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Pinball (quantile) loss: (1 - level) a for a quantile too high by a, level · a for one too low by a.

    >>> float(pinball(np.array([8.0]), np.array([0.9]), np.array(10.0)).round(3))
    1.8
    >>> float(pinball(np.array([12.0]), np.array([0.9]), np.array(10.0)).round(3))
    0.2

    Args:
        quantiles: (…, Q).
        levels: (Q,).
        value: (…,) observed; NaN gives NaN.

    Returns:
        (…,) the mean over the levels.
    """
    off = value[..., None] - quantiles
    loss: NDArray[np.float64] = np.maximum(levels * off, (levels - 1) * off).mean(axis=-1)
    return loss


def crps(made: Forecasts, truth: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Continuous ranked probability score (O,) of the minutes and of their minimum, mmHg.

    Twice the pinball loss, a mean over the levels in place of the integral. `truth` is (O, 60), NaN where missing.
    """
    lowest = np.nanmin(truth, axis=1)
    return 2 * np.nanmean(pinball(made.ahead, LEVELS, truth), axis=1), 2 * pinball(made.lowest, LEVELS, lowest)


def figures(made: Forecasts, truth: NDArray[np.float64]) -> dict[str, float]:
    """Scores of forecasts against observations `truth` (O, 60); minutes without a value are ignored.

    `in 90 %` is the coverage of the interval from the 5 % to the 95 % quantile. `Brier` is the mean squared error of
    the probability that the minimum lies below 60 mmHg.
    """
    lowest = np.nanmin(truth, axis=1)  # (O,)
    known = ~np.isnan(truth)
    within = (truth >= made.ahead[..., 0]) & (truth <= made.ahead[..., -1])
    minutes, minimum = crps(made, truth)
    return {
        "CRPS": float(minutes.mean()),
        "in 90 %": float(within[known].mean()),
        "CRPS of the minimum": float(minimum.mean()),
        "minimum in 90 %": float(((lowest >= made.lowest[:, 0]) & (lowest <= made.lowest[:, -1])).mean()),
        "Brier": float(((falls_below(LIMIT, made.lowest, LEVELS) - (lowest < LIMIT)) ** 2).mean()),
    }
