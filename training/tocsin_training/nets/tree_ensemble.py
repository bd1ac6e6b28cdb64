"""Trees beside the networks: their logit is averaged with the networks' at every step.

What the trees are told is kept in the stream's state by a module of the task's own. As many ensembles are grown as
there are members, each without its member's fold, so that every training stream is judged by a member and an ensemble
that were not fitted on it, and all together judge streams that none has met.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from tocsin_training.errors import TrainingError
from tocsin_training.nets.boosted_trees import Trees

if TYPE_CHECKING:
    import lightgbm
    from numpy.typing import NDArray

    from tocsin_training.data.dataset import Sequences
    from tocsin_training.recipe import Recipe

TOGETHER = 2048  # streams told of at once


class Teller(Protocol):
    """What trees are told, one step at a time: a module without weights."""

    state_size: int

    def __call__(
        self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor, owner: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """x, mask (M, C), delta (N, C), state (N, S) to features (M, F), NaN where unknown, and state (N, S).

        The first N of the M rows are the real ones; `owner` (M,) says which of them each is a variant of.
        """


class Grower(Protocol):
    """What `beside.trees` names: made once of the training data, then grows on parts of them."""

    teller: Teller
    told: NDArray[np.float32]
    """(R, F) of the training data."""

    def __init__(self, data: Sequences, period_s: float) -> None:
        """Prepare what every fit needs."""

    def fit(self, fitted: NDArray[np.int64], seed: int) -> lightgbm.Booster:
        """Grow an ensemble on the streams with these numbers, whose raw score is a logit."""


class Beside(nn.Module):
    """Trees in a step: what they are told, what they say, and what that counts for.

    Attributes:
        state_size: Floats a stream carries.
        weight: Of the trees' logit; the networks' has the rest.
    """

    def __init__(self, teller: Teller, trees: Trees, weight: float) -> None:
        """Put together what was grown."""
        super().__init__()
        self.teller = teller
        self.trees = trees
        self.weight = weight
        self.state_size = teller.state_size

    def forward(
        self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor, owner: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The trees' logit (M,), and the state (N, S) after the real rows."""
        told, state = self.teller(x, mask, delta, state, owner)
        return self.trees(told), state

    def joined(self, networks: Tensor, trees: Tensor) -> Tensor:
        """Both logits as one."""
        return networks * (1.0 - self.weight) + trees * self.weight

    def over(self, x: Tensor, mask: Tensor, delta: Tensor) -> Tensor:
        """The trees' logits (B, T) over whole sequences (B, T, C)."""
        state = torch.zeros(len(x), self.state_size)
        said = []
        for t in range(x.shape[1]):
            logit, state = self(x[:, t], mask[:, t], delta[:, t], state)
            said.append(logit)
        return torch.stack(said, dim=1)


@torch.no_grad()
def told(teller: Teller, data: Sequences) -> NDArray[np.float32]:
    """(R, F) what trees are told of every frame."""
    out: NDArray[np.float32] | None = None
    order = np.argsort(-data.lengths, kind="stable")  # the longest first: those still running are a prefix
    for at in range(0, len(order), TOGETHER):
        chosen = order[at : at + TOGETHER]
        start, lengths = data.start[chosen], data.lengths[chosen]
        state = torch.zeros(len(chosen), teller.state_size)
        for t in range(int(lengths[0])):
            running = int((lengths > t).sum())
            rows = start[:running] + t
            x, mask, delta = (torch.from_numpy(part[rows]) for part in (data.x, data.mask, data.delta))
            features, state = teller(x, mask, delta, state[:running])
            if out is None:
                out = np.empty((len(data.x), features.shape[1]), dtype=np.float32)
            out[rows] = features.numpy()
    if out is None:
        raise AssertionError  # Sequences hold at least one stream
    return out


def grown(
    recipe: Recipe, data: Sequences, valid: Sequences, fold: NDArray[np.int64]
) -> tuple[Beside, NDArray[np.float32]]:
    """Grow the recipe's trees, fold by fold; `fold` (B,) is each stream's.

    Returns:
        The trees, and their logits (R,) of the training streams, each from the ensemble that was grown without its
        fold, then of the validation streams, from all.
    """
    if recipe.beside is None:
        raise AssertionError  # the caller has looked
    module, name = recipe.beside.trees.split(":")
    try:
        grower: Grower = getattr(importlib.import_module(module), name)(data, recipe.serving.period_s)
    except (ImportError, AttributeError) as error:
        raise TrainingError(
            f"recipe {recipe.name}: beside.trees {recipe.beside.trees!r} cannot be found ({error}); "
            "give module:class of an installed package"
        ) from error
    crossed = np.zeros(len(data.x), dtype=np.float32)
    boosters: list[lightgbm.Booster] = []
    for k in range(int(fold.max()) + 1):
        seeds = [recipe.training.seed * 1000 + k * recipe.beside.each + i for i in range(recipe.beside.each)]
        grown = [grower.fit(np.flatnonzero(fold != k), seed) for seed in seeds]
        rows = data.rows(np.flatnonzero(fold == k))
        crossed[rows] = Trees(grown).of(grower.told[rows])
        boosters += grown
    trees = Trees(boosters)
    together = trees.of(told(grower.teller, valid)).astype(np.float32)
    return Beside(grower.teller, trees, recipe.beside.weight), np.concatenate([crossed, together])
