"""Calibration of a classifier: temperature scaling and threshold, on streams that were not fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, roc_curve

from tocsin.bundle.manifest import Calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.export.event_step import EventStep


def inverse_temperature(logit: NDArray[np.floating], kind: NDArray[np.int64]) -> float:
    """Factor on logits (R, K) that maximises the likelihood of the classes (R,): temperature scaling.

    Below 1 the network was overconfident (Guo et al. 2017, arXiv:1706.04599).

    >>> logit = np.array([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    >>> round(inverse_temperature(logit, np.array([0, 0, 1, 1])), 2)
    0.55
    """
    rows = np.arange(len(kind))

    def misfit(log_factor: float) -> float:
        return -float(np.mean(log_softmax(np.exp(log_factor) * logit, axis=1)[rows, kind]))

    return float(np.exp(minimize_scalar(misfit, bounds=(-3.0, 3.0), method="bounded").x))


def youden_threshold(score: NDArray[np.floating], odd: NDArray[np.bool_]) -> float:
    """Threshold with the highest Youden index, true positive rate less false positive rate (Youden 1950).

    It lies halfway between the last score above it and the next below.

    >>> youden_threshold(np.array([0.1, 0.3, 0.7, 0.9]), np.array([False, False, True, True]))
    0.5
    """
    false, hits, threshold = (
        part[1:] for part in roc_curve(odd, score, drop_intermediate=False)
    )  # the first is silence
    last = int(np.argmax(hits - false))
    quieter = score[score < threshold[last]]
    return round(float((threshold[last] + (quieter.max() if len(quieter) else 0.0)) / 2), 6)


def calibrate(
    step: EventStep, logit: NDArray[np.float32], seen: StreamDataset, burn_in: int
) -> tuple[Calibration, dict[str, float]]:
    """Set the step's slope; returns the operating point, and figures of rows after the burn-in and of stream ends."""
    if seen.kind is None:
        raise AssertionError  # `make.read` has refused such data, and `sufficient` a class that is absent
    since = seen.tick - np.repeat(seen.tick[seen.start[:-1]], seen.lengths)
    late = since >= burn_in
    kind = np.repeat(seen.kind, seen.lengths)
    slope = inverse_temperature(logit[late], kind[late])
    step.slope.fill_(slope)
    probability = softmax(slope * logit, axis=1)
    score = 1.0 - probability[:, 0]
    last = seen.start[1:] - 1
    figures = {
        "held-out balanced accuracy, end of stream": balanced_accuracy_score(
            seen.kind, probability[last].argmax(axis=1)
        ),
        "held-out AUROC, end of stream": roc_auc_score(seen.kind > 0, score[last]),
        "held-out AUROC, every tick": roc_auc_score(kind[late] > 0, score[late]),
    }
    threshold = youden_threshold(score[late], kind[late] > 0)
    chosen_by = f"most hits less false alarms, as shares, over ticks of {len(seen)} validation streams"
    return (
        Calibration(scale="probability", threshold=threshold, chosen_by=chosen_by),
        {name: round(float(value), 4) for name, value in figures.items()},
    )
