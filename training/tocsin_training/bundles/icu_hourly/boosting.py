"""Gradient boosting on the history of a stay: teacher and trees of icu-hourly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lightgbm
import numpy as np

from tocsin_training.bundles.icu_hourly import history
from tocsin_training.bundles.icu_hourly.history_features import HistoryFeatures
from tocsin_training.calibration import operating_point
from tocsin_training.errors import TrainingError
from tocsin_training.nets import tree_ensemble

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.data.dataset import StreamDataset

ROUNDS = 190
PARAMETERS = {
    "objective": "binary",
    "num_leaves": 12,
    "learning_rate": 0.045,
    "min_data_in_leaf": 80,
    "lambda_l2": 5.0,
    "feature_fraction": 0.15,
    "bagging_fraction": 0.6,
    "bagging_freq": 1,
    "max_bin": 63,
    "num_threads": 1,
    "deterministic": True,
    "force_col_wise": True,
    "verbose": -1,
}
QUIET_SHARE = 0.2  # of the rows of stays without sepsis: neighbouring hours say nearly the same


SEEDS = 3  # whose trees are averaged where the teacher is measured itself


def scores(train: StreamDataset, valid: StreamDataset, test: StreamDataset) -> tuple[NDArray[np.float32], float]:
    """Scores (R,) of `test` and their threshold: fitted on `train`, threshold chosen on `valid`."""
    if valid.gain is None:
        raise TrainingError("the teacher's threshold needs gains; give labelled sequences")
    teacher = Boosting(train)
    models = [teacher.fit(np.arange(len(train)), seed) for seed in range(SEEDS)]
    of_valid, of_test = (
        np.mean([model.predict(rows, num_threads=1) for model in models], axis=0).astype(np.float32)
        for rows in (history.features(valid), history.features(test))
    )
    return of_test, operating_point.threshold_of_most_gain(of_valid, valid.gain)


class Boosting:
    """Trees that classify rows by whether an alarm gains, weighted by the gain or the cost.

    Their probability is one of a gain: above one half, an alarm is worth it.
    """

    def __init__(self, data: StreamDataset, features: NDArray[np.float32] | None = None) -> None:
        """Extract features of every row, or take (R, F), and bin all values once.

        Raises:
            TrainingError: The data have no gains.
        """
        if data.gain is None:
            raise TrainingError("the teacher needs gains; give labelled sequences")
        self.data = data
        self.features = history.features(data) if features is None else features  # (R, F)
        eventful = np.repeat(data.eventful, data.lengths)
        drawn = np.random.default_rng(1).random(len(eventful)) < QUIET_SHARE
        self.rows = np.flatnonzero(eventful | drawn)
        self.stream = np.repeat(np.arange(len(data)), data.lengths)[self.rows]
        gain = data.gain[self.rows]
        weight = np.abs(gain) / np.where(eventful[self.rows], 1.0, QUIET_SHARE)
        self.binned = lightgbm.Dataset(
            self.features[self.rows],
            label=gain > 0,
            weight=weight / weight.mean(),
            params=PARAMETERS,
            free_raw_data=False,
        ).construct()

    def predict(
        self, fitted: NDArray[np.int64], held_out: list[NDArray[np.int64]], seed: int
    ) -> list[NDArray[np.float32]]:
        """Fit on the stays numbered `fitted`; returns the probability of every row of each list in `held_out`."""
        model = self.fit(fitted, seed)
        return [
            np.asarray(model.predict(self.features[self.data.rows(stays)], num_threads=1)).astype(np.float32)
            for stays in held_out
        ]

    def fit(self, fitted: NDArray[np.int64], seed: int) -> lightgbm.Booster:
        """Fit on the stays with these numbers."""
        rows = np.flatnonzero(np.isin(self.stream, fitted))
        return lightgbm.train(PARAMETERS | {"seed": seed}, self.binned.subset(rows.tolist()), ROUNDS)


class HistoryTreeTrainer(Boosting):
    """Trees on the features that the graph computes from a stream's state, see `tree_ensemble.TreeTrainer`."""

    def __init__(self, data: StreamDataset, period_s: float) -> None:
        """Extract the features of every row as the graph does."""
        self.extractor = HistoryFeatures(data.channels, period_s)
        super().__init__(data, tree_ensemble.extracted_features(self.extractor, data))
