"""Task `alarm`: the score is the probability of a labelled event, now or within the horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from scipy.special import expit
from torch.nn.functional import binary_cross_entropy_with_logits

from tocsin.bundle.manifest import Calibration
from tocsin.engine.model import Task
from tocsin_training.calibration import operating_point
from tocsin_training.errors import TrainingError
from tocsin_training.export.event_step import EventStep
from tocsin_training.nets.heads import EventHead
from tocsin_training.train.members import train_members
from tocsin_training.train.objective import forecast_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from tocsin.engine.model import StepFunction
    from tocsin_training.data.batches import StreamBatch
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.export.step import StepModule
    from tocsin_training.nets.heads import Head, Outputs
    from tocsin_training.nets.network import Network
    from tocsin_training.nets.tree_ensemble import TreeEnsemble
    from tocsin_training.recipe import Recipe
    from tocsin_training.tasks.protocol import CalibrationResult
    from tocsin_training.train.members import HeldOut, Run

LEAST_SPREAD = 0.01  # of logits; their rounding error is about 1e-6
LEAST_FOLDS = 3  # of a recipe that has folds


class AlarmTask:
    """Probability of an event; members of a cross-fit and trees may share in it."""

    name: Task = Task.ALARM
    own_key: str | None = None
    predicts_events = True
    raises_alarms = True

    def head(self, recipe: Recipe, inputs: int, dropout: nn.Dropout) -> Head:
        """Forecast of the next frame, and the logit of the event."""
        return EventHead(recipe, inputs, 1, dropout)

    def loss(self, network: Network, outputs: Outputs, batch: StreamBatch, recipe: Recipe) -> tuple[Tensor, Tensor]:
        """Loss of the event, plus `loss.forecast` times that of the next frame."""
        following = forecast_loss(network, outputs, batch)
        own = event_loss(outputs, batch, recipe)
        return own + recipe.loss.forecast * following, own

    def recipe_fault(self, recipe: Recipe) -> str | None:
        """The horizon is given, and some loss term teaches the event."""
        if recipe.serving.horizon_s is None:
            return "task alarm needs serving.horizon_s: seconds that the event may lie ahead; 0 if it is detected only"
        if not recipe.loss.gain + recipe.loss.label + recipe.loss.teacher:
            return "loss.gain, label and teacher are all 0, so nothing would be learned of the event; raise one"
        return None

    def check_records(self, recipe: Recipe, data: StreamDataset) -> None:
        """Every row has a label and a gain.

        Raises:
            TrainingError: They are missing.
        """
        if data.label is None or data.gain is None:
            raise TrainingError(
                f"data.source {recipe.data.source!r}: task alarm needs a label in every row: of a table say by `label` "
                "which column holds it; a source of your own gives label and gain in every StreamRecord"
            )

    def check_sufficiency(self, recipe: Recipe, data: StreamDataset, valid: StreamDataset) -> None:
        """Both labels occur, and an event in every fold.

        Raises:
            TrainingError: They do not.
        """
        parts = (("train", data), ("valid", valid))
        for part, streams in parts[: 2 if recipe.training.folds == 1 else 1]:
            _check_labels(recipe, part, streams)
        _check_folds(recipe, data)

    def train(
        self, recipe: Recipe, data: StreamDataset, valid: StreamDataset, run: Run
    ) -> tuple[list[Network], HeldOut]:
        """Train the members, with logits of streams that they were not fitted on."""
        return train_members(self, recipe, data, valid, run)

    def step_module(
        self,
        members: Sequence[Network],
        recipe: Recipe,
        tree_ensemble: TreeEnsemble | None,
    ) -> StepModule:
        """Step that averages members and trees."""
        return EventStep(members, tree_ensemble)

    def fit_step(
        self,
        step: StepModule,
        recipe: Recipe,
        data: StreamDataset,
        held_out: HeldOut,
    ) -> CalibrationResult | None:
        """Calibrate the logit by Platt scaling, and choose the threshold with the highest gain.

        Raises:
            TrainingError: The logits hardly differ, or rank events below other rows.
        """
        data, logit = held_out.data, held_out.logit
        if data.label is None or data.gain is None:
            raise AssertionError  # see `check_records`
        _check_learned(logit)
        slope, offset = operating_point.platt(logit, data.label)
        if slope <= 0:
            raise TrainingError(
                f"on streams that it was not fitted on, calibration would turn the network's answer round (slope "
                f"{slope:.3g}): it has learned too little of the event; train longer, raise training.learning_rate, or "
                "give more streams with events"
            )
        event_step = cast("EventStep", step)
        event_step.slope.fill_(slope)
        event_step.offset.fill_(offset)
        probability = expit(slope * logit + offset)
        threshold = operating_point.threshold_of_most_gain(probability, data.gain)
        best = float(np.maximum(data.gain, 0).sum())
        figures = {"held-out gain share": round(float(data.gain[probability > threshold].sum()) / best, 4)}
        chosen_by = "most gain over validation streams"
        if recipe.training.folds > 1:
            chosen_by += ", and over training streams, each as judged by the member not fitted on it"
        return Calibration(scale="probability", threshold=threshold, chosen_by=chosen_by), figures

    def operating_point(
        self,
        graph: StepFunction,
        step: StepModule,
        recipe: Recipe,
        valid: StreamDataset,
    ) -> CalibrationResult:
        """Never called: `fit_step` chooses the operating point."""
        raise AssertionError


def event_loss(outputs: Outputs, batch: StreamBatch, recipe: Recipe) -> Tensor:
    """Cross-entropy weighted by gain, plus plain cross-entropies with the label and with a teacher.

    A row in which an alarm gains g > 0 has target 1 and weight g; a row in which it costs g has target 0 and weight g.
    At the minimum the logit is positive exactly where an alarm gains, so the loss is a surrogate of the utility.
    """
    weights = recipe.loss
    rows = batch.frame_mask.sum().clamp(min=1)
    target = torch.where(batch.gain > 0, 1.0 - weights.smoothing, weights.smoothing)
    by_gain = binary_cross_entropy_with_logits(outputs.logit, target, batch.gain.abs(), reduction="sum")
    positive = torch.tensor(weights.positive, device=outputs.logit.device)
    by_label = binary_cross_entropy_with_logits(
        outputs.logit, batch.label, batch.frame_mask, pos_weight=positive, reduction="sum"
    )
    by_teacher = binary_cross_entropy_with_logits(outputs.logit, batch.teacher, batch.frame_mask, reduction="sum")
    return (weights.gain * by_gain + weights.label * by_label + weights.teacher * by_teacher) / rows


def _check_labels(recipe: Recipe, part: str, streams: StreamDataset) -> None:
    if streams.label is None:
        raise AssertionError  # see `check_records`
    share = float(streams.label.mean())
    if not 0.0 < share < 1.0:
        raise TrainingError(
            f"data.source {recipe.data.source!r}: {'every' if share else 'no'} frame of part {part} is labelled 1; "
            "give streams with both labels, or split them otherwise, such as by another training.seed"
        )


def _check_folds(recipe: Recipe, data: StreamDataset) -> None:
    """Each member is stopped on a fold of its own, which needs an event."""
    folds, there = recipe.training.folds, int(data.eventful.sum())
    if there < folds:
        needs_folds = recipe.data.teacher is not None or recipe.tree_ensemble is not None
        fewer = f"say {there}, or " if there >= LEAST_FOLDS else "" if needs_folds else "say 1, or "
        raise TrainingError(
            f"{recipe.name}: {there} of {len(data)} streams of part train have an event, too few for each of "
            f"training.folds {folds} to hold one; {fewer}give more streams with events"
        )


def _check_learned(logit: NDArray[np.float32]) -> None:
    """Calibration would magnify differences that are close to rounding errors."""
    if np.ptp(logit) < LEAST_SPREAD:
        raise TrainingError(
            f"the network gives all frames the same logit, between {logit.min():.6g} and {logit.max():.6g}; "
            "train longer, raise training.learning_rate, or lower training.weight_decay"
        )
