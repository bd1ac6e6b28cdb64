"""Gradient boosting on carried-forward values and their summaries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from tocsin.engine.model import ChannelKind
from tocsin_training.calibration import operating_point
from tocsin_training.errors import TrainingError
from tocsin_training.evaluation.baselines.baseline import Baseline, BaselineUnavailable, needed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.bundle.manifest import ChannelEntry
    from tocsin_training.data.dataset import StreamDataset

NAME = "gradient boosting"


def fit(channels: Sequence[ChannelEntry], period_s: float, train: StreamDataset | None, seed: int) -> Baseline:  # noqa: ARG001
    """Fit gradient boosting, supervised: the training part needs rows of both labels."""
    fitted = needed(train)
    if fitted.label is None:
        raise BaselineUnavailable("needs labels in the training part, which has none")
    known = ~np.isnan(fitted.label)
    if len(np.unique(fitted.label[known])) < 2:  # noqa: PLR2004  (two classes)
        raise BaselineUnavailable("needs labels of both kinds in the training part, which has one alone")
    model = classifier(fitted, seed)

    def score(data: StreamDataset) -> NDArray[np.float32]:
        probability: NDArray[np.float32] = model.predict_proba(features(data))[:, 1].astype(np.float32)
        return probability

    return Baseline(NAME, "last values, running means and minima, changes, counts; fitted on the labels", score)


def scores(
    train: StreamDataset, valid: StreamDataset, test: StreamDataset, seed: int = 0
) -> tuple[NDArray[np.float32], float]:
    """Fit on `train` and choose the threshold on `valid`; returns the scores (R,) of `test` and that threshold."""
    if valid.gain is None:
        raise TrainingError("the baseline needs gains to choose its threshold by; give labelled sequences")
    model = classifier(train, seed)
    threshold = operating_point.threshold_of_most_gain(
        model.predict_proba(features(valid))[:, 1].astype(np.float32), valid.gain
    )
    return model.predict_proba(features(test))[:, 1].astype(np.float32), threshold


def classifier(train: StreamDataset, seed: int) -> HistGradientBoostingClassifier:
    """Fit on the rows with a known label."""
    if train.label is None:
        raise TrainingError("the baseline needs labels; give labelled sequences")
    known = ~np.isnan(train.label)
    model = HistGradientBoostingClassifier(
        max_iter=200,
        learning_rate=0.05,
        max_leaf_nodes=15,
        min_samples_leaf=200,
        l2_regularization=5.0,
        random_state=seed,
    )
    return model.fit(features(train)[known], train.label[known])


def features(data: StreamDataset) -> NDArray[np.float32]:
    """Features (R, F) of each reading: last value, mean and minimum so far, last change, number of measurements."""
    measured = np.array([channel.kind is ChannelKind.READING for channel in data.channels])
    values = np.where(data.mask > 0, data.x, np.nan)
    summaries = [_summaries(values[a:b, measured]) for a, b in zip(data.start[:-1], data.start[1:], strict=True)]
    return np.concatenate([np.concatenate(summaries), values[:, ~measured]], axis=1).astype(np.float32)


def _summaries(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Summaries (T, 5 C) of one stay's values (T, C); row t depends on rows up to t."""
    seen = ~np.isnan(values)
    count = np.cumsum(seen, axis=0)
    filled = np.where(seen, values, 0.0)
    row = np.maximum.accumulate(np.where(seen, np.arange(len(values))[:, None], 0), axis=0)
    last = np.take_along_axis(values, row, axis=0)
    mean = np.divide(np.cumsum(filled, axis=0), count, out=np.full(values.shape, np.nan, np.float32), where=count > 0)
    least = np.where(count > 0, np.minimum.accumulate(np.where(seen, values, np.inf), axis=0), np.nan)
    change = np.diff(last, axis=0, prepend=last[:1])
    return np.concatenate([last, mean, least, change, count], axis=1)
