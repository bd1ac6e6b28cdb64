"""Thresholds on scores at a rate of onsets, and scores sustained over an on-delay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.data.dataset import StreamDataset

SECONDS_PER_DAY = 86_400.0


def sustained(score: NDArray[np.float32], start: NDArray[np.int64], ticks: int) -> NDArray[np.float32]:
    """Minimum of the score over this row and the `ticks` rows before it in its stream.

    Its onsets are those of an alarm with this on-delay. Stream b owns the rows `start[b]:start[b + 1]`.

    >>> sustained(np.array([1, 3, 3, 1, 9, 2], dtype=np.float32), np.array([0, 4, 6]), 1).tolist()
    [-inf, 1.0, 3.0, 1.0, -inf, 2.0]
    """
    lowest = score.copy()
    for back in range(1, ticks + 1):
        lowest[back:] = np.minimum(lowest[back:], score[:-back])
    since = np.arange(len(score)) - np.repeat(start[:-1], np.diff(start))
    lowest[since < ticks] = -np.inf
    return lowest


def threshold_for_rate(score: NDArray[np.float32], data: StreamDataset, period_s: float, per_day: float) -> float:
    """Lowest threshold with at most `per_day` onsets (upward crossings) a stream-day of `data`.

    Raises:
        TrainingError: No frame has a score.
    """
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
