"""Gradient boosting on carried-forward values and summaries of them: what a good data scientist tries first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.evaluation.baselines.baseline import Baseline, Unfit, needed
from tocsin_training.icu import baseline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.bundle.manifest import ChannelEntry
    from tocsin_training.sequences import Sequences

NAME = "gradient boosting"


def fit(channels: Sequence[ChannelEntry], period_s: float, train: Sequences | None, seed: int) -> Baseline:  # noqa: ARG001
    """Supervised: it needs rows of both labels in the training part."""
    fitted = needed(train)
    if fitted.label is None:
        raise Unfit("needs labels in the training part, which has none")
    known = ~np.isnan(fitted.label)
    if len(np.unique(fitted.label[known])) < 2:  # noqa: PLR2004  (two classes)
        raise Unfit("needs labels of both kinds in the training part, which has one alone")
    model = baseline.fit(fitted, seed)

    def score(data: Sequences) -> NDArray[np.float32]:
        probability: NDArray[np.float32] = model.predict_proba(baseline.features(data))[:, 1].astype(np.float32)
        return probability

    return Baseline(NAME, "last values, running means and minima, changes, counts; fitted on the labels", score)
