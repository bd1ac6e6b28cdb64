"""Comparison of the network with PCA on the same rows, in the same run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin_studies.machines import detector, recipes, skab
from tocsin_studies.machines.measure import Ranked, ranked
from tocsin_studies.machines.servers import RUN_IN
from tocsin_training.evaluation.pca import PcaModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_studies.machines.detector import MachineDetector
    from tocsin_studies.machines.drift import NormalDrift
    from tocsin_studies.machines.servers import Server
    from tocsin_studies.machines.skab import SkabExperiment

DEVIATION_EPSILON = 1e-3  # added to PCA's deviations of servers: what it is known by (see `docs/decisions/0017`)
NETWORK, PCA_Q, PCA_T2, CHANCE = "network, whitened", "PCA, Q", "PCA, T²", "chance"
PCA_EITHER = "PCA, T² or Q"
CONFIDENCE = 0.99


def fit_server(server: Server, seed: int = 1) -> MachineDetector:
    """Fit the network of a server."""
    recipe = recipes.of_server(server, seed=seed)
    return detector.fit(recipe, server.fitted(), server.held_out(), server.normal())


@dataclass(frozen=True, slots=True)
class ServerComparison:
    """Results on one server.

    Attributes:
        ranked: Detector → its figures, one for each seed.
        scores: Detector → (T,) scores of the first seed, for figures.
    """

    ranked: dict[str, list[Ranked]]
    scores: dict[str, NDArray[np.float64]]


def compare_server(server: Server, seeds: int) -> ServerComparison:
    """Fit and evaluate all detectors; those without a seed once."""
    plane = PcaModel.fit(server.train, deviation_epsilon=DEVIATION_EPSILON)
    by_detector = {
        NETWORK: [fit_server(server, seed).contributions(server.tested())[RUN_IN:] for seed in range(1, seeds + 1)],
        PCA_Q: [plane.q_contribution(server.test)],
        PCA_T2: [plane.t2_contribution(server.test)],
        CHANCE: [np.random.default_rng(1).random(server.test.shape)],
    }
    return ServerComparison(
        {name: [ranked(one, server.label, server.causes) for one in each] for name, each in by_detector.items()},
        {name: each[0].sum(axis=1) for name, each in by_detector.items()},
    )


@dataclass(frozen=True, slots=True)
class ExperimentScores:
    """Scores (T,) of one file by detector, divided by its limit: above 1 it alarms."""

    label: NDArray[np.float32]
    scores: dict[str, NDArray[np.float64]]


def compare_experiment(experiment: SkabExperiment, drift: NormalDrift) -> ExperimentScores:
    """Fit both on the first 400 rows, score all."""
    plane = PcaModel.fit(experiment.rows[: skab.FITTED])
    both = [in_parts(score(experiment.rows)) for score in (plane.t2, plane.q)]
    return ExperimentScores(experiment.label, {NETWORK: drift.score(experiment), PCA_EITHER: np.maximum(*both)})


def in_parts(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores (T,) divided by what 1 % of the fitted rows exceed."""
    parts: NDArray[np.float64] = score / np.quantile(score[: skab.FITTED], CONFIDENCE)
    return parts
