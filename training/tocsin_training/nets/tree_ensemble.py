"""Tree ensembles in a graph: their logit is averaged with the networks' at every step.

The features that the trees read are kept in the stream's state by a module without weights. One ensemble is trained for
each fold, without that fold, so that every training stream is judged by a member and an ensemble that were not fitted
on it. All of them together judge other streams.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from tocsin_training.errors import TrainingError
from tocsin_training.nets.boosted_trees import BoostedTrees

if TYPE_CHECKING:
    import lightgbm
    from numpy.typing import NDArray

    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.recipe import Recipe

STREAMS_TOGETHER = 2048  # streams whose features are extracted in one batch


class FeatureExtractor(Protocol):
    """Features of trees, one step at a time: a module without weights."""

    state_size: int

    def __call__(
        self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor, owner: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Extract features from x, mask (M, C), delta (N, C) and state (N, S).

        The first N of the M rows are the real ones; `owner` (M,) is the row that each is a variant of.

        Returns:
            Features (M, F), NaN where unknown, and the next state (N, S).
        """


class TreeTrainer(Protocol):
    """Class that `tree_ensemble.trainer` names: built once of the training data, then fitted on parts of them.

    Attributes:
        extractor: Makes the features.
        features: (R, F) of the training data.
    """

    extractor: FeatureExtractor
    features: NDArray[np.float32]

    def __init__(self, data: StreamDataset, period_s: float) -> None:
        """Prepare what every fit shares."""

    def fit(self, fitted: NDArray[np.int64], seed: int) -> lightgbm.Booster:
        """Fit an ensemble on the streams with these numbers; its raw score is a logit."""


class TreeEnsemble(nn.Module):
    """Trees in a step: feature extractor, trees and the weight of their logit.

    Attributes:
        state_size: Floats of state a stream.
        weight: Of the trees' logit; the networks' has the rest.
    """

    def __init__(self, extractor: FeatureExtractor, trees: BoostedTrees, weight: float) -> None:
        """Combine an extractor with the trees fitted on its features."""
        super().__init__()
        self.extractor = extractor
        self.trees = trees
        self.weight = weight
        self.state_size = extractor.state_size

    def forward(
        self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor, owner: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logit of the trees (M,), and the state (N, S) after the real rows; arguments as `FeatureExtractor`'s."""
        features, state = self.extractor(x, mask, delta, state, owner)
        return self.trees(features), state

    def combined(self, networks: Tensor, trees: Tensor) -> Tensor:
        """Weighted mean of the networks' and the trees' logits."""
        return networks * (1.0 - self.weight) + trees * self.weight

    def sequence_logits(self, x: Tensor, mask: Tensor, delta: Tensor) -> Tensor:
        """Logits of the trees (B, T) over whole sequences (B, T, C)."""
        state = torch.zeros(len(x), self.state_size)
        logits = []
        for t in range(x.shape[1]):
            logit, state = self(x[:, t], mask[:, t], delta[:, t], state)
            logits.append(logit)
        return torch.stack(logits, dim=1)


@torch.no_grad()
def extracted_features(extractor: FeatureExtractor, data: StreamDataset) -> NDArray[np.float32]:
    """Features (R, F) of every frame."""
    out: NDArray[np.float32] | None = None
    order = np.argsort(-data.lengths, kind="stable")  # the longest first: those still running are a prefix
    for at in range(0, len(order), STREAMS_TOGETHER):
        chosen = order[at : at + STREAMS_TOGETHER]
        start, lengths = data.start[chosen], data.lengths[chosen]
        state = torch.zeros(len(chosen), extractor.state_size)
        for t in range(int(lengths[0])):
            running = int((lengths > t).sum())
            rows = start[:running] + t
            x, mask, delta = (torch.from_numpy(part[rows]) for part in (data.x, data.mask, data.delta))
            features, state = extractor(x, mask, delta, state[:running])
            if out is None:
                out = np.empty((len(data.x), features.shape[1]), dtype=np.float32)
            out[rows] = features.numpy()
    if out is None:
        raise AssertionError  # a dataset holds at least one stream
    return out


def train_trees(
    recipe: Recipe, data: StreamDataset, valid: StreamDataset, fold: NDArray[np.int64]
) -> tuple[TreeEnsemble, NDArray[np.float32]]:
    """Train the recipe's trees fold by fold.

    Args:
        recipe: With `tree_ensemble`.
        data: Training streams.
        valid: Validation streams.
        fold: (B,) the fold of each training stream.

    Returns:
        The ensemble, and its logits (R,): of the training streams from the trees fitted without their fold, then of the
        validation streams from all trees.

    Raises:
        TrainingError: `tree_ensemble.trainer` names no class.
    """
    ensemble = recipe.tree_ensemble
    if ensemble is None:
        raise AssertionError  # checked by the caller
    module, name = ensemble.trainer.split(":")
    try:
        trainer: TreeTrainer = getattr(importlib.import_module(module), name)(data, recipe.serving.period_s)
    except (ImportError, AttributeError) as error:
        raise TrainingError(
            f"recipe {recipe.name}: tree_ensemble.trainer {ensemble.trainer!r} cannot be found ({error}); "
            "give module:class of an installed package"
        ) from error
    cross_fitted = np.zeros(len(data.x), dtype=np.float32)
    boosters: list[lightgbm.Booster] = []
    each = ensemble.ensembles_per_fold
    for k in range(int(fold.max()) + 1):
        seeds = [recipe.training.seed * 1000 + k * each + i for i in range(each)]
        fitted = [trainer.fit(np.flatnonzero(fold != k), seed) for seed in seeds]
        rows = data.rows(np.flatnonzero(fold == k))
        cross_fitted[rows] = BoostedTrees(fitted).predict(trainer.features[rows])
        boosters += fitted
    trees = BoostedTrees(boosters)
    together = trees.predict(extracted_features(trainer.extractor, valid)).astype(np.float32)
    return TreeEnsemble(trainer.extractor, trees, ensemble.weight), np.concatenate([cross_fitted, together])
