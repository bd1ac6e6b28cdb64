"""From scores to an operating point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.sequences import Sequences

SECONDS_PER_DAY = 86_400.0


def platt(logit: NDArray[np.float32], label: NDArray[np.float32]) -> tuple[float, float]:
    """Slope and offset that turn logits (R,) into those of the label (R,) by maximum likelihood (Platt 1999).

    Where logits and labels part cleanly, likelihood would have an infinite slope and every chance be 0 or 1. Then the
    labels count as Platt's targets: as if there were one row more of each, of which nothing is known.

    >>> logit = np.array([-2.0, -1.0, 0.0, 1.0, 2.0] * 20, dtype=np.float32)
    >>> label = (np.arange(100) % 20 < 3).astype(np.float32)
    >>> slope, offset = platt(logit, label)
    >>> bool(abs(np.mean(1 / (1 + np.exp(-(slope * logit + offset)))) - label.mean()) < 1e-3)
    True
    >>> slope, offset = platt(logit, (logit > 0.5).astype(np.float32))
    >>> bool(4 < slope < 5)  # and not without bound
    True
    """
    share = float(label.mean())
    if not 0.0 < share < 1.0:
        raise TrainingError(f"the validation data's share of positive rows is {share}; give data with both labels")
    target = label
    with_event, without = logit[label > 0], logit[label == 0]
    if with_event.min() >= without.max():
        target = np.where(label > 0, (len(with_event) + 1) / (len(with_event) + 2), 1 / (len(without) + 2))

    def misfit(line: NDArray[np.float64]) -> float:
        z = line[0] * logit + line[1]
        return float(np.mean(np.logaddexp(0.0, z) - target * z))

    found = minimize(misfit, np.array([1.0, np.log(share / (1 - share))]), method="Nelder-Mead")
    return float(found.x[0]), float(found.x[1])


def most_gain(score: NDArray[np.float32], gain: NDArray[np.float32]) -> float:
    """The threshold on scores (R,) at which the rows that ring gain most in all.

    It lies halfway between the last score that rings and the next, so that last bits decide nothing.

    >>> most_gain(np.array([0.1, 0.4, 0.6, 0.9], dtype=np.float32), np.array([-1, -1, 1, 1], dtype=np.float32))
    0.5
    """
    order = np.argsort(-score, kind="stable")
    gained = np.cumsum(gain[order])
    gained[:-1][score[order][:-1] == score[order][1:]] = -np.inf  # equal scores ring together
    last = int(np.argmax(gained))
    ringing = float(score[order[last]])
    following = float(score[order[min(last + 1, len(order) - 1)]])
    return round((ringing + following) / 2, 6)


def lasting(score: NDArray[np.float32], start: NDArray[np.int64], ticks: int) -> NDArray[np.float32]:
    """The lowest of this score and of the `ticks` before it in its stream; stream b owns start[b]:start[b + 1].

    Where this has an onset, an alarm with so long an on-delay rings.

    >>> lasting(np.array([1, 3, 3, 1, 9, 2], dtype=np.float32), np.array([0, 4, 6]), 1).tolist()
    [-inf, 1.0, 3.0, 1.0, -inf, 2.0]
    """
    lowest = score.copy()
    for back in range(1, ticks + 1):
        lowest[back:] = np.minimum(lowest[back:], score[:-back])
    since = np.arange(len(score)) - np.repeat(start[:-1], np.diff(start))
    lowest[since < ticks] = -np.inf
    return lowest


def few_alarms(score: NDArray[np.float32], data: Sequences, period_s: float, per_day: float) -> float:
    """The lowest threshold with at most `per_day` onsets (a score that rises over it) per stream-day of `data`."""
    days = len(score) * period_s / SECONDS_PER_DAY
    known = np.where(np.isnan(score), -np.inf, score)
    starts = np.zeros(len(score), dtype=bool)
    starts[data.start[:-1]] = True
    before = np.where(starts, -np.inf, np.roll(known, 1))
    finite = known[np.isfinite(known)]
    if not len(finite):
        raise TrainingError("no frame of the validation data has a score; give longer streams or a shorter warm-up")
    candidates = np.unique(np.quantile(finite, 1 - np.geomspace(1.0, 1e-6, 600)))
    for threshold in candidates:
        onsets = int(((known > threshold) & (before <= threshold)).sum())
        if onsets / days <= per_day and (known > threshold).mean() < 0.5:  # noqa: PLR2004  (below its median a score has few onsets because it is always up)
            return round(float(threshold), 6)
    return round(float(finite.max()), 6)
