"""What is minimised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from tocsin.engine.model import Task

if TYPE_CHECKING:
    from tocsin_training.batches import Batch
    from tocsin_training.network import Network, Outputs
    from tocsin_training.recipe import Recipe


def forecast_loss(network: Network, said: Outputs, batch: Batch) -> Tensor:
    """Negative log-likelihood of the next frame's observed readings, a normal per channel; a mean over them."""
    following = batch.mask[:, 1:] * network.measured * batch.real[:, 1:, None]  # (B, T - 1, C)
    x = network.memory.normalise(batch.x[:, 1:], batch.mask[:, 1:])
    scale = said.scale[:, :-1]
    z = (x - said.mean[:, :-1]) / scale
    nll = 0.5 * z * z + torch.log(scale)
    return (nll * following).sum() / following.sum().clamp(min=1)


def alarm_loss(said: Outputs, batch: Batch, recipe: Recipe) -> Tensor:
    """Cross-entropy weighted by what each row gains, and plain cross-entropy with the label and with a teacher.

    A row in which ringing gains g > 0 wants a 1 and weighs g; one in which it costs g wants a 0 and weighs as much.
    At its minimum the logit is positive just where ringing is worth it, so the loss stands for the utility itself.
    """
    weights = recipe.loss
    rows = batch.real.sum().clamp(min=1)
    wanted = torch.where(batch.gain > 0, 1.0 - weights.smoothing, weights.smoothing)
    by_gain = binary_cross_entropy_with_logits(said.logit, wanted, batch.gain.abs(), reduction="sum")
    positive = torch.tensor(weights.positive, device=said.logit.device)
    by_label = binary_cross_entropy_with_logits(
        said.logit, batch.label, batch.real, pos_weight=positive, reduction="sum"
    )
    by_teacher = binary_cross_entropy_with_logits(said.logit, batch.teacher, batch.real, reduction="sum")
    return (weights.gain * by_gain + weights.label * by_label + weights.teacher * by_teacher) / rows


def loss_of(network: Network, said: Outputs, batch: Batch, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """What is minimised, and what early stopping looks at: the task's own part of it."""
    following = forecast_loss(network, said, batch)
    if recipe.task is Task.FORECAST:
        return following, following
    event = alarm_loss(said, batch, recipe)
    return event + recipe.loss.following * following, event
