"""Ranking metrics with bootstrap intervals over streams.

The figures themselves are exact. For the replicates, scores are binned, so that each is a product of matrices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import roc_auc_score

from tocsin_training.evaluation import bootstrap, ranking

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.evaluation.detection import GroundTruth

BINS = 1000
BUFFER = 100  # ticks of the widest slopes of VUS-PR, as its authors have it
LONGEST = 400_000  # rows of the streams with events; beyond, VUS-PR would take too long


def replicates(ground: GroundTruth, score: NDArray[np.floating]) -> dict[str, NDArray[np.float64]]:
    """Replicates (1 + K,) of average precision, AUROC and VUS-PR of scores (R,); unknown scores rank last."""
    labelled = ~np.isnan(ground.label)
    ranked = np.nan_to_num(score.astype(np.float64), nan=-np.inf)
    finite = ranked[np.isfinite(ranked)]
    lowest = float(finite.min()) - 1.0 if len(finite) else 0.0
    ranked = np.maximum(ranked, lowest)
    label = ground.label > 0
    if not label[labelled].any() or label[labelled].all():
        return {}
    precision, area = _binned(ground, ranked, labelled)
    precision[0] = ranking.average_precision(label[labelled], ranked[labelled])
    area[0] = roc_auc_score(label[labelled], ranked[labelled])
    made = {"average precision": precision, "AUROC": area}
    with_events = np.unique(ground.events.stream)
    mixed = (ground.days > 0)[with_events].any()  # of a stream that is all event any score ranks all rows rightly
    if mixed and np.diff(ground.start)[with_events].sum() <= LONGEST:
        made["VUS-PR"] = _volume(ground, ranked, with_events)
    return made


def _volume(ground: GroundTruth, ranked: NDArray[np.float64], with_events: NDArray[np.int64]) -> NDArray[np.float64]:
    """VUS-PR (1 + K,), the mean over the streams that have an event."""
    volume = np.zeros(len(ground.days))
    there = np.zeros(len(ground.days))
    for b in with_events:
        rows = slice(ground.start[b], ground.start[b + 1])
        known = ~np.isnan(ground.label[rows])
        volume[b] = ranking.vus_pr(ground.label[rows][known], ranked[rows][known], BUFFER)
        there[b] = 1.0
    return bootstrap.ratio(volume, there, ground.weights)


def _binned(
    ground: GroundTruth, ranked: NDArray[np.float64], labelled: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average precision and area under the ROC curve (1 + K,) of binned scores."""
    edges = np.unique(np.quantile(ranked[labelled], np.linspace(0, 1, BINS)[1:-1]))
    place = len(edges) - np.searchsorted(edges, ranked[labelled], side="right")  # the highest scores first
    streams, bins = len(ground.days), len(edges) + 1
    cell = ground.stream[labelled] * bins + place

    def counted(which: NDArray[np.bool_]) -> NDArray[np.float64]:
        held = np.bincount(cell[which], minlength=streams * bins).reshape(streams, bins)
        return ground.weights @ held.astype(np.float64)  # (1 + K, bins)

    positive = ground.label[labelled] > 0
    hit, miss = counted(positive), counted(~positive)
    hits, misses = np.cumsum(hit, axis=1), np.cumsum(miss, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(hit > 0, hits / (hits + misses), 0.0)
        average = (precision * hit).sum(axis=1) / hits[:, -1]
        above = misses - miss / 2  # negatives above, ties by half
        area = 1.0 - (above * hit).sum(axis=1) / (hits[:, -1] * misses[:, -1])
    return average, area
