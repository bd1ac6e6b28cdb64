"""Members of a model: networks trained on folds, and logits of streams that a member was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from tocsin_training.data.batches import in_order, padded
from tocsin_training.train import distillation, loop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.nets.network import Network
    from tocsin_training.recipe import Recipe
    from tocsin_training.train.objective import Objective

STREAMS_TOGETHER = 256  # in a batch without gradients


@dataclass(frozen=True, slots=True)
class Run:
    """Settings of a training run that are not part of the recipe.

    Attributes:
        folder: For checkpoints.
        device: To train on.
        resume: Whether to continue from checkpoints.
        on_epoch: Called with the member's number after every epoch.
    """

    folder: Path
    device: torch.device
    resume: bool
    on_epoch: Callable[[int, loop.Epoch], None]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Streams that calibration may use, and their logits.

    Attributes:
        data: The streams.
        logit: (R,) or (R, K), uncalibrated, from members that were not fitted on the stream; empty for tasks without.
    """

    data: StreamDataset
    logit: NDArray[np.float32]


def train_one(objective: Objective, recipe: Recipe, data: StreamDataset, valid: StreamDataset, run: Run) -> Network:
    """Train a single network, stopped on the validation streams."""
    return _train(objective, recipe, 0, data, valid, data, run)


def train_members(
    objective: Objective, recipe: Recipe, data: StreamDataset, valid: StreamDataset, run: Run
) -> tuple[list[Network], HeldOut]:
    """Train a network on `data`, or with `training.folds` one a fold.

    With folds, each member is stopped on one fold of the training streams, which it was not fitted on, and gives their
    logits. The logits of the validation streams are the mean of all members, as in the graph.
    """
    seed = recipe.training.seed
    if recipe.training.folds == 1:
        network = train_one(objective, recipe, data, valid, run)
        return [network], HeldOut(valid, logits(network, valid))
    fold = folds(data, recipe.training.folds, seed)
    if recipe.data.teacher:
        targets = distillation.teacher_targets(recipe, data, fold, run.folder / "teacher.npz", resume=run.resume)
    members: list[Network] = []
    cross_fitted = np.zeros(len(data.x), dtype=np.float32)
    for member in range(recipe.training.folds):
        held_out = np.flatnonzero(fold == member)
        learned = replace(data, teacher=targets[member]) if recipe.data.teacher else data
        parts = learned.pick(np.flatnonzero(fold != member)), learned.pick(held_out)
        network = _train(objective, recipe, member, *parts, data, run)
        cross_fitted[data.rows(held_out)] = logits(network, data.pick(held_out))
        members.append(network)
    together = np.mean([logits(network, valid) for network in members], axis=0)
    return members, HeldOut(data.join(valid), np.concatenate([cross_fitted, together]))


def _train(
    objective: Objective,
    recipe: Recipe,
    member: int,
    fitted: StreamDataset,
    held_out: StreamDataset,
    normalised: StreamDataset,
    run: Run,
) -> Network:
    return loop.train(
        objective,
        recipe,
        fitted,
        held_out,
        run.folder / f"member-{member}.pt",
        seed=recipe.training.seed * 1000 + member,
        device=run.device,
        normalised=normalised,
        resume=run.resume,
        on_epoch=lambda epoch: run.on_epoch(member, epoch),
    )


def folds(data: StreamDataset, count: int, seed: int) -> NDArray[np.int64]:
    """Fold of each stream (B,); streams with and without an event are dealt out separately."""
    rng = np.random.default_rng(seed)
    fold = np.empty(len(data), dtype=np.int64)
    for kind in (data.eventful, ~data.eventful):
        chosen = rng.permutation(np.flatnonzero(kind))
        fold[chosen] = np.arange(len(chosen)) % count
    return fold


@torch.no_grad()
def logits(network: Network, data: StreamDataset) -> NDArray[np.float32]:
    """Uncalibrated logit of every frame, (R,); of K classes, (R, K)."""
    out: NDArray[np.float32] | None = None
    for chosen in in_order(data.lengths, STREAMS_TOGETHER):
        batch = padded(data, chosen, torch.device("cpu"))
        outputs, _ = network(batch.x, batch.mask, batch.delta)
        logit = outputs.logit[batch.frame_mask > 0].numpy()
        if out is None:
            out = np.zeros((len(data.x), *logit.shape[1:]), dtype=np.float32)
        out[data.rows(chosen)] = logit
    if out is None:
        raise AssertionError  # a dataset holds at least one stream
    return out
