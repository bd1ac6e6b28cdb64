"""What a network has to beat: gradient boosting on carried-forward values and summaries of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from tocsin.engine.model import ChannelKind
from tocsin_training import calibrate
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.sequences import Sequences


def scores(train: Sequences, valid: Sequences, test: Sequences, seed: int = 0) -> tuple[NDArray[np.float32], float]:
    """Fit on `train`, choose the threshold on `valid`; gives the scores (R,) of `test`, and that threshold."""
    if valid.gain is None:
        raise TrainingError("the baseline needs gains to choose its threshold by; give labelled sequences")
    model = fit(train, seed)
    threshold = calibrate.most_gain(model.predict_proba(features(valid))[:, 1].astype(np.float32), valid.gain)
    return model.predict_proba(features(test))[:, 1].astype(np.float32), threshold


def fit(train: Sequences, seed: int) -> HistGradientBoostingClassifier:
    """Fit on the rows whose label is known."""
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


def features(data: Sequences) -> NDArray[np.float32]:
    """(R, F) per reading: the last value, the mean and the least so far, the last change, how often it was measured."""
    measured = np.array([channel.kind is ChannelKind.READING for channel in data.channels])
    values = np.where(data.mask > 0, data.x, np.nan)
    told = [_summaries(values[a:b, measured]) for a, b in zip(data.start[:-1], data.start[1:], strict=True)]
    return np.concatenate([np.concatenate(told), values[:, ~measured]], axis=1).astype(np.float32)


def _summaries(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(T, 5 C) of one stay's (T, C); row t knows rows up to t and no further."""
    seen = ~np.isnan(values)
    count = np.cumsum(seen, axis=0)
    filled = np.where(seen, values, 0.0)
    row = np.maximum.accumulate(np.where(seen, np.arange(len(values))[:, None], 0), axis=0)
    last = np.take_along_axis(values, row, axis=0)
    mean = np.divide(np.cumsum(filled, axis=0), count, out=np.full(values.shape, np.nan, np.float32), where=count > 0)
    least = np.where(count > 0, np.minimum.accumulate(np.where(seen, values, np.inf), axis=0), np.nan)
    change = np.diff(last, axis=0, prepend=last[:1])
    return np.concatenate([last, mean, least, change, count], axis=1)
