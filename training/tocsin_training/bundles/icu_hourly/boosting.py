"""The teacher of icu-hourly: gradient boosting that is told the whole history of a stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lightgbm
import numpy as np

from tocsin_training.bundles.icu_hourly import history
from tocsin_training.bundles.icu_hourly.history_features import Recollection
from tocsin_training.calibration import operating_point
from tocsin_training.errors import TrainingError
from tocsin_training.nets import tree_ensemble

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.data.dataset import Sequences

ROUNDS = 190
KNOBS = {
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


def scores(train: Sequences, valid: Sequences, test: Sequences) -> tuple[NDArray[np.float32], float]:
    """Fit on all of `train`, choose the threshold on `valid`; gives the scores (R,) of `test`, and that threshold."""
    if valid.gain is None:
        raise TrainingError("the teacher's threshold needs gains; give labelled sequences")
    teacher = Boosting(train)
    models = [teacher.fit(np.arange(len(train)), seed) for seed in range(SEEDS)]
    of_valid, of_test = (
        np.mean([model.predict(told, num_threads=1) for model in models], axis=0).astype(np.float32)
        for told in (history.told(valid), history.told(test))
    )
    return of_test, operating_point.most_gain(of_valid, valid.gain)


class Boosting:
    """Trees that learn which rows ringing gains in, each weighing what it gains or costs.

    So what they call a probability is one of gains: above a half, ringing is worth it.
    """

    def __init__(self, data: Sequences, told: NDArray[np.float32] | None = None) -> None:
        """Tell them of every row, the whole history or what is given (R, F), and sort all values into bins once."""
        if data.gain is None:
            raise TrainingError("the teacher needs gains; give labelled sequences")
        self.data = data
        self.told = history.told(data) if told is None else told  # (R, F)
        eventful = np.repeat(data.eventful, data.lengths)
        drawn = np.random.default_rng(1).random(len(eventful)) < QUIET_SHARE
        self.rows = np.flatnonzero(eventful | drawn)
        self.stream = np.repeat(np.arange(len(data)), data.lengths)[self.rows]
        gain = data.gain[self.rows]
        weight = np.abs(gain) / np.where(eventful[self.rows], 1.0, QUIET_SHARE)
        self.binned = lightgbm.Dataset(
            self.told[self.rows], label=gain > 0, weight=weight / weight.mean(), params=KNOBS, free_raw_data=False
        ).construct()

    def judge(self, fitted: NDArray[np.int64], asked: list[NDArray[np.int64]], seed: int) -> list[NDArray[np.float32]]:
        """Fit on the stays with these numbers; gives the probability in every row of each of the lists asked."""
        model = self.fit(fitted, seed)
        return [
            np.asarray(model.predict(self.told[self.data.rows(stays)], num_threads=1)).astype(np.float32)
            for stays in asked
        ]

    def fit(self, fitted: NDArray[np.int64], seed: int) -> lightgbm.Booster:
        """Fit on the stays with these numbers."""
        rows = np.flatnonzero(np.isin(self.stream, fitted))
        return lightgbm.train(KNOBS | {"seed": seed}, self.binned.subset(rows.tolist()), ROUNDS)


class Grower(Boosting):
    """Trees that learn which rows ringing gains in, from what a stream's state recollects."""

    def __init__(self, data: Sequences, period_s: float) -> None:
        """Tell them of every row, as the graph will."""
        self.teller = Recollection(data.channels, period_s)
        super().__init__(data, tree_ensemble.told(self.teller, data))
