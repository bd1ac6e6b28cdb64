"""Comparison of scores over stays: the challenge's utility, ranking, and intervals of differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from tocsin_training.bundles.icu_hourly import utility

if TYPE_CHECKING:
    from numpy.typing import NDArray

REPLICATES = 1000
INTERVAL = (2.5, 97.5)  # per cent


@dataclass(frozen=True, slots=True)
class StayScores:
    """A model's scores over some stays.

    Attributes:
        score: (R,) higher is worse; unknown (NaN) ranks below everything and never alarms.
        threshold: Rows at or above it alarm.
        label: (R,).
        start: (B + 1,) stay b owns the rows `start[b]:start[b + 1]`.
    """

    score: NDArray[np.float32]
    threshold: float
    label: NDArray[np.float32]
    start: NDArray[np.int64]

    @property
    def ranked(self) -> NDArray[np.float32]:
        """Score (R,), unknown as the lowest."""
        return np.nan_to_num(self.score, nan=-1.0)

    @property
    def alarming(self) -> NDArray[np.bool_]:
        """Whether the row alarms (R,)."""
        return self.ranked >= self.threshold

    def figures(self) -> dict[str, float]:
        """AUROC, AUPRC and the normalised utility."""
        return {
            "AUROC": float(roc_auc_score(self.label, self.ranked)),
            "AUPRC": float(average_precision_score(self.label, self.ranked)),
            "utility": utility.normalised(self.alarming, self.label, self.start),
        }


def bootstrap(one: StayScores, other: StayScores, seed: int = 0) -> dict[str, tuple[float, float]]:
    """95 % intervals of `one`'s figures and of its lead over `other`, paired by stay."""
    rng = np.random.default_rng(seed)
    stays = len(one.start) - 1
    stay = np.repeat(np.arange(stays), np.diff(one.start))
    utilities = [utility.per_stay(scored.alarming, scored.label, scored.start) for scored in (one, other)]
    orders = [np.argsort(scored.ranked, kind="stable") for scored in (one, other)]
    drawn: dict[str, list[float]] = {name: [] for name in ("utility", "AUROC", "utility lead", "AUROC lead")}
    for _ in range(REPLICATES):
        times = np.bincount(rng.integers(0, stays, stays), minlength=stays)  # (B,) how often each stay was drawn
        gains = [float((gained * times).sum() / (best * times).sum()) for gained, best in utilities]
        ranks = [_auroc(one.label[order], times[stay[order]]) for order in orders]
        drawn["utility"].append(gains[0])
        drawn["AUROC"].append(ranks[0])
        drawn["utility lead"].append(gains[0] - gains[1])
        drawn["AUROC lead"].append(ranks[0] - ranks[1])
    return {
        name: (float(np.percentile(values, INTERVAL[0])), float(np.percentile(values, INTERVAL[1])))
        for name, values in drawn.items()
    }


def _auroc(label: NDArray[np.float32], times: NDArray[np.int64]) -> float:
    """Share of (negative, positive) pairs in the right order; rows (R,) ascend by score and count `times`."""
    positive, negative = label * times, (1 - label) * times
    below = np.cumsum(negative) - negative / 2
    return float((positive * below).sum() / (positive.sum() * negative.sum()))
