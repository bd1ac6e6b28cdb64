"""What is minimised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from tocsin.engine.model import Task
from tocsin_training.data.horizon_targets import pinball, truth

if TYPE_CHECKING:
    from tocsin_training.data.batches import Batch
    from tocsin_training.nets.network import Network, Outputs
    from tocsin_training.recipe import HorizonRecipe, Recipe


def forecast_loss(network: Network, said: Outputs, batch: Batch) -> Tensor:
    """Negative log-likelihood of the next frame's observed readings, a mean over them.

    What the last tick expects came after the batch. A generated stream's outputs begin a tick before its frames do, and
    there the first frame is expected too.
    """
    first = batch.x.shape[1] - (said.mean.shape[1] - 1)  # the frame that the first output expects
    following = batch.mask[:, first:] * network.measured * batch.real[:, first:, None]  # (B, T - 1, C)
    x = network.memory.normalise(batch.x[:, first:], batch.mask[:, first:])
    scale = said.scale[:, :-1]
    z = network.memory.residual(x, said.mean[:, :-1], scale)
    nll = network.distribution.nll(z, scale)
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


def classify_loss(said: Outputs, batch: Batch, recipe: Recipe) -> Tensor:
    """Cross-entropy with the stream's class at every tick after the burn-in, so that a prefix can be told too."""
    counts = batch.real * (batch.tick >= recipe.loss.burn_in)  # (B, T)
    by_tick = cross_entropy(said.logit.movedim(-1, 1), batch.kind, reduction="none")  # (B, T)
    return (by_tick * counts).sum() / counts.sum().clamp(min=1)


def horizon_loss(network: Network, said: Outputs, batch: Batch, recipe: Recipe, horizon: HorizonRecipe) -> Tensor:
    """Negative log-likelihood of what was observed of the K frames to come, and the pinball loss of their extremes.

    In training the decoder starts from one tick in `horizon.every`, with a first one drawn anew for each batch.
    """
    if said.context is None:
        raise AssertionError  # only a decoder's outputs come here
    length = batch.x.shape[1]
    first = int(torch.randint(horizon.every, ())) if network.training else 0
    anchors = torch.arange(min(first, length - 1), length, horizon.every, device=batch.x.device)
    joined, last = (part[:, anchors].flatten(0, 1) for part in said.context)  # (N, …)
    ahead = network.decode(joined, last)

    mask = batch.mask * network.measured * batch.real[..., None]
    seen = truth(network.memory.normalise(batch.x, batch.mask), mask, batch.tick, anchors, horizon.ticks)
    real = batch.real[:, anchors].reshape(-1, 1)  # (N, 1) whether there is an anchor
    nll = network.distribution.nll((seen.x - ahead.mean) / ahead.scale, ahead.scale)
    counts = seen.mask * real[..., None]
    loss = (nll * counts).sum() / counts.sum().clamp(min=1)
    whole = seen.whole * real
    levels = torch.tensor(horizon.quantiles, device=batch.x.device)
    known = whole > 0
    extremes = torch.zeros_like(loss)
    for quantiles, value in ((ahead.low, seen.lowest), (ahead.high, seen.highest)):
        missed = pinball(quantiles, torch.where(known, value, 0.0)[..., None], levels)  # (N, C, Q)
        extremes = extremes + (missed.mean(dim=-1) * whole).sum() / whole.sum().clamp(min=1)
    return loss + recipe.loss.extremes * extremes


def loss_of(network: Network, said: Outputs, batch: Batch, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """What is minimised, and what early stopping looks at: the task's own part of it."""
    following = forecast_loss(network, said, batch)
    if recipe.task in {Task.FORECAST, Task.GENERATE}:
        return following, following
    if recipe.horizon is not None:
        ahead = horizon_loss(network, said, batch, recipe, recipe.horizon)
        return ahead + following, ahead
    own = alarm_loss(said, batch, recipe) if recipe.task is Task.ALARM else classify_loss(said, batch, recipe)
    return own + recipe.loss.following * following, own
