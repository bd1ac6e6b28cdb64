"""Metrics of detectors on the servers and on the test bed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.evaluation.ranking import average_precision, vus_pr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin_studies.machines.servers import Cause

BUFFER = 100  # ticks of VUS-PR's longest slopes


@dataclass(frozen=True, slots=True)
class Ranked:
    """One detector on one server.

    Attributes:
        average_precision: Of its scores.
        vus_pr: Volume under the surface of precision and recall.
        causes: Of an episode's true channels, the share among the first k by contribution; a mean over episodes.
    """

    average_precision: float
    vus_pr: float
    causes: float


def ranked(contribution: NDArray[np.float64], label: NDArray[np.float32], causes: Sequence[Cause]) -> Ranked:
    """Evaluate contributions (T, C), whose row sums are the scores."""
    score = contribution.sum(axis=1)
    return Ranked(average_precision(label, score), vus_pr(label, score, BUFFER), causes_found(contribution, causes))


def causes_found(contribution: NDArray[np.float64], causes: Sequence[Cause]) -> float:
    """Of each episode's k channels, the share among the first k by contribution summed over its rows; the mean.

    >>> from tocsin_studies.machines.servers import Cause
    >>> rows = np.array([[5.0, 1.0, 0.0, 3.0]] * 4)
    >>> causes_found(rows, [Cause(0, 1, (0, 1)), Cause(2, 3, (0, 3))])
    0.75
    """
    shares = []
    for cause in causes:
        whole = contribution[cause.first : cause.last + 1].sum(axis=0)
        first = np.argsort(-whole, kind="stable")[: len(cause.channels)]
        shares.append(len(set(first.tolist()) & set(cause.channels)) / len(cause.channels))
    return float(np.mean(shares))


@dataclass(frozen=True, slots=True)
class Counts:
    """Confusion matrix over the rows of all files."""

    hit: int
    false: int
    missed: int
    silent: int

    @classmethod
    def of(cls, label: NDArray[np.float32], alarmed: NDArray[np.bool_]) -> Counts:
        """Count rows by label (R,) and alarm (R,)."""
        anomalous = label > 0
        return cls(
            int((anomalous & alarmed).sum()),
            int((~anomalous & alarmed).sum()),
            int((anomalous & ~alarmed).sum()),
            int((~anomalous & ~alarmed).sum()),
        )

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall.

        >>> round(Counts(70, 30, 10, 90).f1, 3)
        0.778
        """
        return 2 * self.hit / (2 * self.hit + self.false + self.missed)

    @property
    def false_alarm_rate(self) -> float:
        """Share of the normal rows that alarm."""
        return self.false / (self.false + self.silent)

    @property
    def missed_rate(self) -> float:
        """Share of the anomalous rows that do not alarm."""
        return self.missed / (self.missed + self.hit)


def at_false_alarm_rate(label: NDArray[np.float32], score: NDArray[np.float64], rate: float) -> Counts:
    """Counts at the threshold at which this share of the normal rows alarms."""
    return Counts.of(label, score > np.quantile(score[label == 0], 1.0 - rate))


def interval(values: Sequence[float], *, draws: int = 2000, seed: int = 1) -> tuple[float, float]:
    """95 % interval of the mean, by a bootstrap over machines."""
    rng = np.random.default_rng(seed)
    drawn = np.asarray(values)[rng.integers(0, len(values), (draws, len(values)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)
