"""Task `classify`: the class of a whole stream, at every tick. The score is 1 - p(first class)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tocsin.engine.model import Task
from tocsin_training.calibration import classifier
from tocsin_training.errors import TrainingError
from tocsin_training.export.event_step import EventStep
from tocsin_training.nets.heads import EventHead
from tocsin_training.tasks.alarm import AlarmTask
from tocsin_training.train.objective import forecast_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from tocsin_training.data.batches import StreamBatch
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.export.step import StepModule
    from tocsin_training.nets.heads import Head, Outputs
    from tocsin_training.nets.network import Network
    from tocsin_training.nets.tree_ensemble import TreeEnsemble
    from tocsin_training.recipe import Recipe
    from tocsin_training.tasks.protocol import CalibrationResult
    from tocsin_training.train.members import HeldOut


class ClassifyStep(EventStep):
    """Score: probability of any class but the first. Further output: the probability of each class."""

    task: ClassVar = Task.CLASSIFY
    others: Tensor
    every: Tensor

    def __init__(self, members: Sequence[Network], classes: int) -> None:
        """Wrap trained networks that discriminate K classes."""
        super().__init__(members)
        self.register_buffer("every", torch.ones(classes, 1))  # sums are matrix products, see `StepModule`
        self.register_buffer("others", torch.ones(classes - 1, 1))

    def calibrated(self, logit: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """From logits (M, K): the logit of not being of the first class (M,), and the probabilities (M, K)."""
        logit = logit * self.slope
        likeliest = torch.amax(logit, dim=1, keepdim=True)
        share = torch.exp(logit - likeliest)
        first, rest = logit[:, :1], logit[:, 1:]
        likeliest = torch.amax(rest, dim=1, keepdim=True)
        other = likeliest + torch.log(torch.exp(rest - likeliest) @ self.others)
        return (other - first)[:, 0], (share / (share @ self.every),)


class ClassifyTask(AlarmTask):
    """Classification of streams."""

    name = Task.CLASSIFY
    own_key = "classes"
    predicts_events = False

    def head(self, recipe: Recipe, inputs: int, dropout: nn.Dropout) -> Head:
        """Forecast of the next frame, and the logits of the classes."""
        return EventHead(recipe, inputs, len(recipe.classes or ()), dropout)

    def loss(self, network: Network, outputs: Outputs, batch: StreamBatch, recipe: Recipe) -> tuple[Tensor, Tensor]:
        """Cross-entropy with the class at every tick after the burn-in, plus `loss.forecast` times the forecast's."""
        following = forecast_loss(network, outputs, batch)
        counts = batch.frame_mask * (batch.tick >= recipe.loss.burn_in)  # (B, T)
        by_tick = cross_entropy(outputs.logit.movedim(-1, 1), batch.kind, reduction="none")  # (B, T)
        own = (by_tick * counts).sum() / counts.sum().clamp(min=1)
        return own + recipe.loss.forecast * following, own

    def recipe_fault(self, recipe: Recipe) -> str | None:
        """Folds are for tasks with an event."""
        if recipe.training.folds > 1:
            return f"training.folds {recipe.training.folds} fits task alarm only; say 1"
        return None

    def check_records(self, recipe: Recipe, data: StreamDataset) -> None:
        """Every stream is of one of the classes.

        Raises:
            TrainingError: Classes are missing, or have numbers that the recipe does not name.
        """
        classes = recipe.classes or ()
        if data.kind is None:
            raise TrainingError(
                f"data.source {recipe.data.source!r}: task classify needs kind in every StreamRecord; give the number "
                "of its class"
            )
        if not ((data.kind >= 0) & (data.kind < len(classes))).all():
            raise TrainingError(
                f"data.source {recipe.data.source!r}: kinds {data.kind.min()} to {data.kind.max()} for "
                f"{len(classes)} classes ({', '.join(classes)}); count them from 0"
            )

    def check_sufficiency(self, recipe: Recipe, data: StreamDataset, valid: StreamDataset) -> None:
        """Every class occurs in both parts, and in a validation stream that outlasts the burn-in.

        Raises:
            TrainingError: One does not.
        """
        if data.kind is None or valid.kind is None or recipe.classes is None:
            raise AssertionError  # see `check_records` and `registry.recipe_fault`
        for part, kind in (("train", data.kind), ("valid", valid.kind)):
            if absent := _absent(recipe.classes, kind):
                raise TrainingError(
                    f"data.source {recipe.data.source!r}: no stream of part {part} is of class {absent}; give streams "
                    "of every class, or split them otherwise, such as by another training.seed"
                )
        ticks = valid.tick[valid.start[1:] - 1] - valid.tick[valid.start[:-1]]  # (B,) duration of each stream
        if absent := _absent(recipe.classes, valid.kind[ticks >= recipe.loss.burn_in]):
            raise TrainingError(
                f"no validation stream of class {absent} outlasts loss.burn_in {recipe.loss.burn_in}; give longer "
                "streams, or a shorter burn-in"
            )

    def step_module(
        self,
        members: Sequence[Network],
        recipe: Recipe,
        tree_ensemble: TreeEnsemble | None,
    ) -> StepModule:
        """Step with the probability of each class."""
        return ClassifyStep(members, len(recipe.classes or ()))

    def fit_step(
        self,
        step: StepModule,
        recipe: Recipe,
        data: StreamDataset,
        held_out: HeldOut,
    ) -> CalibrationResult | None:
        """Calibrate by temperature scaling, and choose the threshold with the highest Youden index."""
        return classifier.calibrate(cast("EventStep", step), held_out.logit, held_out.data, recipe.loss.burn_in)


def _absent(classes: Sequence[str], kind: NDArray[np.int64]) -> str:
    return ", ".join(name for k, name in enumerate(classes) if k not in kind)
