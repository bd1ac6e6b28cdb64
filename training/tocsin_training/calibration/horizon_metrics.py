"""Metrics of a `seq2seq` model's horizon: quantile calibration, and skill at predicting threshold crossings.

Probabilities of crossings come from the quantiles by the daemon's own formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from tocsin.engine.conditions.forecast import falls_below, rises_above
from tocsin.engine.model import ChannelKind
from tocsin_training.backtest import rollout
from tocsin_training.data import horizon_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.engine.model import StepFunction
    from tocsin_training.data.dataset import StreamDataset

RARE = 0.05  # the limits that are asked about: which share of a channel's values lies beyond


@dataclass(frozen=True, slots=True)
class HorizonScores:
    """Predicted quantiles and observed extremes of R rows, in the channels' units.

    Attributes:
        low: (R, C, Q) quantiles of the minimum over the horizon.
        high: (R, C, Q) quantiles of the maximum.
        lowest: (R, C) observed minimum.
        highest: (R, C) observed maximum.
        whole: (R, C) whether enough of the horizon was observed for the observed extremes to count.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    lowest: NDArray[np.float32]
    highest: NDArray[np.float32]
    whole: NDArray[np.bool_]


def horizon_scores(step: StepFunction, state_size: int, data: StreamDataset, ticks: int, levels: int) -> HorizonScores:
    """Step a model over `data`, with a horizon of K = `ticks` ticks and Q = `levels` quantiles."""
    shape = (*data.x.shape, levels)
    low, high = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
    for rows, result in rollout.results(step, state_size, data):
        if result.low is None or result.high is None:
            raise ValueError("the model has no quantiles of a horizon: its task is not seq2seq")
        low[rows], high[rows] = result.low, result.high
    observed = [
        horizon_targets.horizon_targets(
            torch.from_numpy(data.x[rows])[None],
            torch.from_numpy(data.mask[rows])[None],
            torch.from_numpy(data.tick[rows])[None],
            torch.arange(rows.stop - rows.start),
            ticks,
        )
        for rows in map(slice, data.start[:-1], data.start[1:])
    ]
    lowest, highest, whole = (
        torch.cat(parts).numpy() for parts in zip(*((c.lowest, c.highest, c.whole) for c in observed), strict=True)
    )
    return HorizonScores(low, high, lowest, highest, whole > 0)


def figures(seen: HorizonScores, data: StreamDataset, levels: Sequence[float]) -> dict[str, float]:
    """Mean distance of the quantiles from their levels, and Brier skill of predicted crossings, over readings.

    A skill of 1 is certainty, 0 the base rate.
    """
    apart, below, above = [], [], []
    at = np.array(levels)
    for c, channel in enumerate(data.channels):
        whole = seen.whole[:, c]
        if channel.kind is not ChannelKind.READING or not whole.any():
            continue
        low, high = seen.low[whole, c], seen.high[whole, c]  # (n, Q)
        lowest, highest = seen.lowest[whole, c], seen.highest[whole, c]
        for quantiles, value in ((low, lowest), (high, highest)):
            apart.append(float(np.abs((value[:, None] <= quantiles).mean(axis=0) - at).mean()))
        values = data.x[data.mask[:, c] > 0, c]
        bottom, top = float(np.quantile(values, RARE)), float(np.quantile(values, 1 - RARE))
        below.append(brier_skill(falls_below(bottom, low, at), lowest < bottom))
        above.append(brier_skill(rises_above(top, high, at), highest > top))
    if not apart:
        return {}
    return {
        "held-out quantiles, mean distance from their level": round(float(np.mean(apart)), 4),
        f"held-out Brier skill of falling below the lowest {RARE:.0%}": round(float(np.mean(below)), 4),
        f"held-out Brier skill of rising above the highest {RARE:.0%}": round(float(np.mean(above)), 4),
    }


def brier_skill(probability: NDArray[np.float64], observed: NDArray[np.bool_]) -> float:
    """Brier skill score over the base rate; 0 if that is never wrong.

    >>> brier_skill(np.array([0.9, 0.1, 0.1, 0.9]), np.array([True, False, False, True]))
    0.96
    """
    least = float(np.mean((observed - observed.mean()) ** 2))
    return 1.0 - float(np.mean((probability - observed) ** 2)) / least if least > 0 else 0.0
