"""Scores at random: what any figure is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.evaluation.baselines.baseline import Baseline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.bundle.manifest import ChannelEntry
    from tocsin_training.sequences import Sequences

NAME = "random"


def fit(channels: Sequence[ChannelEntry], period_s: float, train: Sequences | None, seed: int) -> Baseline:  # noqa: ARG001  (it knows nothing)
    """Uniform in 0 … 1, every row anew."""

    def score(data: Sequences) -> NDArray[np.float32]:
        return np.random.default_rng(seed).random(len(data.x), dtype=np.float32)

    return Baseline(NAME, "a uniform random number for every row", score)
