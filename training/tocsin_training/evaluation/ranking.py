"""Ranking metrics: anomalous rows over normal ones, without a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import average_precision_score

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

THRESHOLDS = 250  # as in the authors' code


def average_precision(label: NDArray[np.floating], score: NDArray[np.floating]) -> float:
    """The area under precision against recall, by steps; a random score gets about the share of anomalous rows.

    >>> average_precision(np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.5, 0.4])).__round__(3)
    0.833
    """
    _check(label, score)
    return float(average_precision_score(label > 0, score))


def vus_pr(label: NDArray[np.floating], score: NDArray[np.floating], buffer: int = 100) -> float:
    """The volume under the precision–recall surface (Paparrizos et al. 2022, PVLDB 15(11)), a value in 0 … 1.

    Each anomalous stretch gets slopes of w / 2 ticks on both sides, within which an early or late detection earns
    a part; the area under the range-based precision–recall curve is averaged over w = 0 … buffer. Equal to
    `RangeAUC_volume_opt` of the authors' package `vus`, in which slopes before a stretch are one tick longer than
    those after it; the slopes of neighbours add up, to 1 at most.

    Args:
        label: (T,) of one stream, 1 where anomalous.
        score: (T,) higher is worse, without NaN.
        buffer: The longest w, in ticks.

    >>> label = np.zeros(100); label[40:50] = 1
    >>> early = np.zeros(100); early[37:47] = 1
    >>> bool(vus_pr(label, label, 20) > 0.99 > vus_pr(label, early, 20) > average_precision(label, early))
    True
    """
    _check(label, score)
    anomalous = label > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], anomalous.astype(np.int8), [0]])))
    first, last = edges[::2], edges[1::2] - 1  # (E,) the ends of each stretch, inclusive
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    thresholds = falling[np.linspace(0, len(score) - 1, THRESHOLDS).astype(int)]
    predicted = np.searchsorted(-falling, -thresholds, side="right")  # (H,) rows at or above each threshold
    areas = []
    for width in range(buffer + 1):
        weight = _slopes(anomalous, first, last, width)
        hits = np.cumsum(weight[order])[predicted - 1]  # (H,) true positives, in parts of rows
        on_slopes = np.cumsum(np.where(anomalous, 0.0, weight)[order])[predicted - 1]
        positives = anomalous.sum() + on_slopes / 2.0  # halfway between the stretches and what else may be hit
        begin, end = _widened(first, last, width // 2, len(label))
        highest = np.array([score[a : b + 1].max() for a, b in zip(begin, end, strict=True)])
        found = (highest >= thresholds[:, None]).mean(axis=1)  # (H,) share of the stretches met at all
        recall = np.minimum(hits / positives, 1.0) * found
        areas.append(np.sum(np.diff(recall, prepend=0.0) * hits / predicted))
    return float(np.mean(areas))


def _slopes(
    anomalous: NDArray[np.bool_], first: NDArray[np.int64], last: NDArray[np.int64], width: int
) -> NDArray[np.float64]:
    """Weights (T,): 1 in an anomalous range, √(1 − distance / width) within width / 2 of one, else 0."""
    weight = anomalous.astype(np.float64)
    reach = width // 2
    if not reach:
        return weight
    away = np.arange(1, reach + 1)
    slope = np.sqrt(1.0 - away / width)
    for edges, direction in ((first, -1), (last, 1)):
        rows = edges[:, None] + direction * away  # (E, reach)
        inside = (rows >= 0) & (rows < len(weight))
        np.add.at(weight, rows[inside], np.broadcast_to(slope, rows.shape)[inside])
    return np.minimum(weight, 1.0)


def _widened(
    first: NDArray[np.int64], last: NDArray[np.int64], reach: int, ticks: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Inclusive ends of the ranges with their slopes; ranges with adjoining slopes are merged."""
    parted = np.flatnonzero(last[:-1] + reach < first[1:] - reach) + 1
    begin = np.maximum(first[np.concatenate([[0], parted])] - reach, 0)
    end = np.minimum(last[np.concatenate([parted - 1, [len(last) - 1]])] + reach, ticks - 1)
    return begin, end


def _check(label: NDArray[np.floating], score: NDArray[np.floating]) -> None:
    if label.shape != score.shape or label.ndim != 1:
        raise TrainingError(f"labels {label.shape} and scores {score.shape} must be alike and of one dimension")
    if np.isnan(score).any():
        raise TrainingError(f"{int(np.isnan(score).sum())} scores are NaN; leave those rows out, or give them a score")
    if not (label > 0).any():
        raise TrainingError("no row is labelled anomalous: there is nothing to rank; leave the stream out")
