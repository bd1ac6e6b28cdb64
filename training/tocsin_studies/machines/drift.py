"""Drift of a plant in normal operation, learned from one long normal run.

A model fitted on the first minutes of an experiment scores all later rows as anomalous: water warms up, a pump runs
in. The extent of that drift, and its correlation between channels, come from a normal run. It is cut into simulated
experiments; each is fitted on its first rows, and the drift of its later residuals is the slack of real experiments, in
the channels' units. The height of their scores gives the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from tocsin_studies.machines import detector, recipes, skab

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin_studies.machines.detector import MachineDetector
    from tocsin_studies.machines.skab import SkabExperiment

MAX_FALSE_SHARE = 0.05  # share of normal rows after the fitted ones that may pass the limit
APART = 3  # pretended experiments so far from each other share no row, nor do their neighbours


@dataclass(frozen=True, slots=True)
class NormalDrift:
    """Drift of normal experiments after the rows that were fitted.

    Attributes:
        covariance: (C, C) about 0, of averaged residuals, in the channels' units.
        limit: A score that few of their rows exceed.
    """

    covariance: NDArray[np.float64]
    limit: float

    @classmethod
    def learn(cls, experiments: Sequence[SkabExperiment]) -> Self:
        """Learn from simulated experiments; each is scored with the drift of those that share no row with it."""
        fitted = [fit(experiment) for experiment in experiments]
        drifts = np.stack([_drift(one, experiment) for one, experiment in zip(fitted, experiments, strict=True)])
        every = np.arange(len(experiments))
        scores = []
        for number, (one, experiment) in enumerate(zip(fitted, experiments, strict=True)):
            one.refit_score(drifts[np.abs(every - number) >= APART].mean(axis=0), experiment.stream(skab.FITTED))
            scores.append(one.contributions(experiment.stream()).sum(axis=1)[skab.FITTED :])
        return cls(drifts.mean(axis=0), float(np.quantile(np.concatenate(scores), 1.0 - MAX_FALSE_SHARE)))

    def score(self, experiment: SkabExperiment) -> NDArray[np.float64]:
        """Scores (T,) of an experiment, divided by the limit; the network is fitted on its first rows."""
        fitted = fit(experiment)
        fitted.refit_score(self.covariance, experiment.stream(skab.FITTED))
        parts: NDArray[np.float64] = fitted.contributions(experiment.stream()).sum(axis=1) / self.limit
        return parts


def fit(experiment: SkabExperiment) -> MachineDetector:
    """Fit the network of an experiment, without slack."""
    recipe = recipes.of_experiment()
    return detector.fit(recipe, experiment.fitted(), experiment.held_out(), experiment.stream(skab.FITTED))


def _drift(fitted: MachineDetector, experiment: SkabExperiment) -> NDArray[np.float64]:
    """Covariance (C, C) of averaged residuals after the fitted rows."""
    strayed = fitted.averaged(experiment.stream())[skab.FITTED - 1 :]  # the first frame has none
    covariance: NDArray[np.float64] = strayed.T @ strayed / len(strayed)
    return covariance
