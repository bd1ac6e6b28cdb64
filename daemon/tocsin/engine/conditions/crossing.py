"""How probable is it that a channel crosses a limit within the horizon?

A model of task `seq2seq` gives quantiles of the minimum and of the maximum over the next K frames. Whether a limit will
be crossed is a question about those and not about the frames one by one: P(min < limit) is the distribution of the
minimum at the limit, and the quantiles are points of that distribution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEEPEST = 1e6  # of the distribution, per unit: two quantiles may coincide


def falls_below(
    limit: float | NDArray[np.float64], low: NDArray[np.floating], levels: NDArray[np.floating]
) -> NDArray[np.float64]:
    """P(the minimum over the horizon < limit), from the minimum's quantiles.

    Between two quantiles the distribution is a line; beyond the first and the last it goes on with the same slope and
    bends to 0 and to 1 exponentially, so a limit that is further off is less probable, and none is impossible.

    >>> levels = np.array([0.1, 0.5, 0.9])
    >>> falls_below(88, np.array([[86.0, 90.0, 92.0]]), levels).round(3).tolist()
    [0.3]
    >>> falls_below(84, np.array([[86.0, 90.0, 92.0]]), levels).round(3).tolist()
    [0.014]

    Args:
        limit: In the channel's unit; one for all, or (…,) one each.
        low: (…, Q) quantiles of the minimum, ascending.
        levels: (Q,) which quantiles they are, ascending, between 0 and 1; at least two.

    Returns:
        (…,) probabilities.
    """
    low, levels = np.asarray(low, dtype=np.float64), np.asarray(levels, dtype=np.float64)
    limit = np.asarray(limit, dtype=np.float64)
    passed = (low <= limit[..., None]).sum(axis=-1)
    at = np.clip(passed - 1, 0, len(levels) - 2)  # (…,) the piece the limit lies in, or next to
    left = np.take_along_axis(low, at[..., None], axis=-1)[..., 0]
    right = np.take_along_axis(low, at[..., None] + 1, axis=-1)[..., 0]
    slope = (levels[at + 1] - levels[at]) / np.maximum(right - left, 1.0 / _STEEPEST)
    inside = levels[at] + slope * (limit - left)
    first, last = levels[0], levels[-1]
    below = first * np.exp(-slope / first * np.maximum(low[..., 0] - limit, 0.0))
    above = 1.0 - (1.0 - last) * np.exp(-slope / (1.0 - last) * np.maximum(limit - low[..., -1], 0.0))
    chance: NDArray[np.float64] = np.where(limit < low[..., 0], below, np.where(limit > low[..., -1], above, inside))
    return chance


def rises_above(
    limit: float | NDArray[np.float64], high: NDArray[np.floating], levels: NDArray[np.floating]
) -> NDArray[np.float64]:
    """P(the maximum over the horizon > limit), from the maximum's quantiles (…, Q); see `falls_below`.

    >>> rises_above(120, np.array([100.0, 110.0, 130.0]), np.array([0.1, 0.5, 0.9])).round(3).tolist()
    0.3
    """
    return 1.0 - falls_below(limit, high, levels)
