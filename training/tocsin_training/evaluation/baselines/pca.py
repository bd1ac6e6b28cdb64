"""PCA on carried-forward values: T² within the model's plane, Q outside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.errors import TrainingError
from tocsin_training.evaluation.baselines.baseline import (
    Baseline,
    BaselineUnavailable,
    carried_forward,
    measured,
    needed,
    normal,
)
from tocsin_training.evaluation.pca import PcaModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tocsin.bundle.manifest import ChannelEntry
    from tocsin_training.data.dataset import StreamDataset

NAME_T2, NAME_Q = "PCA, T²", "PCA, Q"
FEWEST = 2  # channels; one spans no plane
DEVIATION_EPSILON = 1e-3  # of the range that a channel had in training
MOST_ROWS = 200_000  # more do not improve a covariance


def fit_t2(channels: Sequence[ChannelEntry], period_s: float, train: StreamDataset | None, seed: int) -> Baseline:  # noqa: ARG001
    """Hotelling's T², against its limit at 99 %."""
    plane, filled = _fitted(channels, train)

    def score(data: StreamDataset) -> NDArray[np.float32]:
        return plane.t2(filled(data)).astype(np.float32)

    return Baseline(NAME_T2, "distance along the components that hold 90 % of the variance", score, plane.t2_limit())


def fit_q(channels: Sequence[ChannelEntry], period_s: float, train: StreamDataset | None, seed: int) -> Baseline:  # noqa: ARG001
    """Squared prediction error, against its limit at 99 %."""
    plane, filled = _fitted(channels, train)
    limit = plane.q_limit()

    def score(data: StreamDataset) -> NDArray[np.float32]:
        return plane.q(filled(data)).astype(np.float32)

    return Baseline(NAME_Q, "squared distance from those components", score, limit if limit > 0 else None)


def _fitted(
    channels: Sequence[ChannelEntry], train: StreamDataset | None
) -> tuple[PcaModel, Callable[[StreamDataset], NDArray[np.float64]]]:
    """PCA model, and the function that fills and scales rows for it: last values, training means before the first."""
    columns = measured(channels)
    if len(columns) < FEWEST:
        raise BaselineUnavailable("needs at least two channels")
    fitted = needed(train)
    values = carried_forward(fitted)[normal(fitted)][:, columns]
    if np.isnan(values).all(axis=0).any():
        raise BaselineUnavailable("a channel was never measured in the training part")
    mean = np.nanmean(values, axis=0)
    spread = np.nanmax(values, axis=0) - np.nanmin(values, axis=0)
    spread = np.where(spread > 0, spread, 1.0)

    def scaled(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        whole: NDArray[np.float64] = (np.where(np.isnan(rows), mean, rows) - mean) / spread
        return whole

    try:
        plane = PcaModel.fit(scaled(values[:: -(-len(values) // MOST_ROWS)]), deviation_epsilon=DEVIATION_EPSILON)
    except TrainingError as error:
        raise BaselineUnavailable(str(error)) from error
    return plane, lambda data: scaled(carried_forward(data)[:, columns])
