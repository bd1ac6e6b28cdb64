"""How good is what a `seq2seq` model says of the frames to come? Its quantiles, and the chance that a limit is crossed.

The chance comes from the quantiles by the daemon's own formula, so what is reported here is what a user would see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from tocsin.engine.crossing import falls_below, rises_above
from tocsin.engine.model import ChannelKind
from tocsin_training.backtest import rollout
from tocsin_training.data import horizon_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.engine.model import StepFunction
    from tocsin_training.data.dataset import Sequences

RARE = 0.05  # the limits that are asked about: which share of a channel's values lies beyond


@dataclass(frozen=True, slots=True)
class Outlook:
    """What was said at each of R rows and what came, in the channels' units.

    Attributes:
        low: (R, C, Q) quantiles of the minimum over the horizon.
        high: (R, C, Q) of the maximum.
        lowest: (R, C) the minimum that came.
        highest: (R, C) the maximum.
        whole: (R, C) whether most of the horizon was seen; elsewhere the two before say nothing.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    lowest: NDArray[np.float32]
    highest: NDArray[np.float32]
    whole: NDArray[np.bool_]


def look(step: StepFunction, state_size: int, data: Sequences, ticks: int, levels: int) -> Outlook:
    """Step a model over `data`; what it says of the next K = `ticks` ticks, at Q = `levels`, beside what came."""
    shape = (*data.x.shape, levels)
    low, high = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
    for rows, result in rollout.results(step, state_size, data):
        if result.low is None or result.high is None:
            raise ValueError("the model tells no quantiles of a horizon: it is of another task than seq2seq")
        low[rows], high[rows] = result.low, result.high
    came = [
        horizon_targets.truth(
            torch.from_numpy(data.x[rows])[None],
            torch.from_numpy(data.mask[rows])[None],
            torch.from_numpy(data.tick[rows])[None],
            torch.arange(rows.stop - rows.start),
            ticks,
        )
        for rows in map(slice, data.start[:-1], data.start[1:])
    ]
    lowest, highest, whole = (
        torch.cat(parts).numpy() for parts in zip(*((c.lowest, c.highest, c.whole) for c in came), strict=True)
    )
    return Outlook(low, high, lowest, highest, whole > 0)


def figures(seen: Outlook, data: Sequences, levels: Sequence[float]) -> dict[str, float]:
    """How far the quantiles are from their levels, and how well a crossing is told; means over measured channels.

    The skill is the Brier score's: 1 is certainty, 0 is always saying how often a crossing comes.
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


def brier_skill(chance: NDArray[np.float64], came: NDArray[np.bool_]) -> float:
    """How much better than always saying the mean; 0 where that is never wrong.

    >>> brier_skill(np.array([0.9, 0.1, 0.1, 0.9]), np.array([True, False, False, True]))
    0.96
    """
    least = float(np.mean((came - came.mean()) ** 2))
    return 1.0 - float(np.mean((chance - came) ** 2)) / least if least > 0 else 0.0
