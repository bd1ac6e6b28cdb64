"""Task `seq2seq`: forecast of the next K frames, with quantiles of each channel's minimum and maximum over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import Tensor

from tocsin.engine.model import Task
from tocsin_training.calibration import horizon_metrics
from tocsin_training.data.horizon_targets import horizon_targets
from tocsin_training.errors import TrainingError
from tocsin_training.export.forecast_step import ForecastStep
from tocsin_training.nets.heads import HorizonHead
from tocsin_training.tasks.forecast import ForecastTask
from tocsin_training.train.objective import forecast_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from tocsin.engine.model import StepFunction
    from tocsin_training.data.batches import StreamBatch
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.export.step import StepModule
    from tocsin_training.nets.decoder import HorizonForecast
    from tocsin_training.nets.heads import Head, Outputs
    from tocsin_training.nets.network import Network
    from tocsin_training.nets.tree_ensemble import TreeEnsemble
    from tocsin_training.recipe import HorizonRecipe, Recipe
    from tocsin_training.tasks.protocol import CalibrationResult


class HorizonStep(ForecastStep):
    """Outputs K frames in place of one, and quantiles of their extremes; x is scored under the first of them."""

    task: ClassVar = Task.SEQ2SEQ
    costly: ClassVar = True

    def predict(self, features: Tensor, entered: Tensor, h: Tensor) -> tuple[Tensor, Tensor, HorizonForecast | None]:
        """First decoded frame, and all of them."""
        network = self.network
        head = cast("HorizonHead", network.head)
        ahead = head.decode(network.head_inputs(entered, h), network.channel_features.last(features), network.measured)
        return ahead.mean[:, 0], ahead.scale[:, 0], ahead

    def displayed(
        self, mean: Tensor, scale: Tensor, ahead: HorizonForecast | None, evidence: Tensor
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, ...]]:
        """Forecast of the K frames (N, K, C), and quantiles of their extremes (N, C, Q)."""
        if ahead is None:
            return super().displayed(mean, scale, ahead, evidence)
        denormalise = self.network.channel_features.denormalise
        extremes = (quantiles.transpose(1, 2) for quantiles in (ahead.low, ahead.high))  # (N, Q, C)
        return (ahead.mean, ahead.scale), tuple(denormalise(part, part)[0].transpose(1, 2) for part in extremes)


class Seq2SeqTask(ForecastTask):
    """Forecast of a horizon; scored like a forecast by its first frame."""

    name = Task.SEQ2SEQ
    own_key = "horizon"

    def head(self, recipe: Recipe, inputs: int, dropout: nn.Dropout) -> Head:
        """Decoder of the horizon."""
        return HorizonHead(recipe, _horizon(recipe), inputs)

    def loss(self, network: Network, outputs: Outputs, batch: StreamBatch, recipe: Recipe) -> tuple[Tensor, Tensor]:
        """Loss of the horizon, plus that of the next frame."""
        following = forecast_loss(network, outputs, batch)
        ahead = horizon_loss(network, outputs, batch, recipe, _horizon(recipe))
        return ahead + following, ahead

    def recipe_fault(self, recipe: Recipe) -> str | None:
        """A decoder needs fitted normalisation."""
        if recipe.network.normalisation == "running":
            return "network.normalisation running forecasts one step only, and task is seq2seq; say fitted"
        return super().recipe_fault(recipe)

    def check_sufficiency(self, recipe: Recipe, data: StreamDataset, valid: StreamDataset) -> None:
        """Some stream of each part lasts as long as the horizon.

        Raises:
            TrainingError: None does.
        """
        ticks = _horizon(recipe).ticks
        for part, streams in (("train", data), ("valid", valid)):
            longest = int((streams.tick[streams.start[1:] - 1] - streams.tick[streams.start[:-1]]).max())
            if longest < ticks:
                raise TrainingError(
                    f"{recipe.name}: the longest stream of part {part} lasts {longest} ticks, so nothing is known of "
                    f"the end of horizon.ticks {ticks}: give longer streams, or a shorter horizon"
                )

    def step_module(
        self,
        members: Sequence[Network],
        recipe: Recipe,
        tree_ensemble: TreeEnsemble | None,
    ) -> StepModule:
        """Step with the decoded horizon."""
        return HorizonStep(members[0], recipe)

    def operating_point(
        self, graph: StepFunction, step: StepModule, recipe: Recipe, valid: StreamDataset
    ) -> CalibrationResult:
        """Threshold as of a forecast, with figures of the horizon's quantiles."""
        calibration, figures = super().operating_point(graph, step, recipe, valid)
        horizon = _horizon(recipe)
        scores = horizon_metrics.horizon_scores(graph, step.state_size, valid, horizon.ticks, len(horizon.quantiles))
        return calibration, figures | horizon_metrics.figures(scores, valid, horizon.quantiles)


def _horizon(recipe: Recipe) -> HorizonRecipe:
    if recipe.horizon is None:
        raise AssertionError  # see `registry.recipe_fault`
    return recipe.horizon


def horizon_loss(
    network: Network, outputs: Outputs, batch: StreamBatch, recipe: Recipe, horizon: HorizonRecipe
) -> Tensor:
    """Negative log-likelihood of the observed values of the next K frames, plus the pinball loss of their extremes.

    In training the decoder starts from every `anchor_stride`-th tick, from a random first one in each batch.
    """
    if outputs.context is None:
        raise AssertionError  # a decoder's outputs have a context
    length = batch.x.shape[1]
    first = int(torch.randint(horizon.anchor_stride, ())) if network.training else 0
    anchors = torch.arange(min(first, length - 1), length, horizon.anchor_stride, device=batch.x.device)
    context, last = (part[:, anchors].flatten(0, 1) for part in outputs.context)  # (N, …)
    ahead = cast("HorizonHead", network.head).decode(context, last, network.measured)

    mask = batch.mask * network.measured * batch.frame_mask[..., None]
    x = network.channel_features.normalise(batch.x, batch.mask)
    targets = horizon_targets(x, mask, batch.tick, anchors, horizon.ticks)
    anchored = batch.frame_mask[:, anchors].reshape(-1, 1)  # (N, 1) 1 where the anchor is a frame
    nll = network.distribution.nll((targets.x - ahead.mean) / ahead.scale, ahead.scale)
    counts = targets.mask * anchored[..., None]
    loss = (nll * counts).sum() / counts.sum().clamp(min=1)
    whole = targets.whole * anchored
    levels = torch.tensor(horizon.quantiles, device=batch.x.device)
    known = whole > 0
    extremes = torch.zeros_like(loss)
    for quantiles, value in ((ahead.low, targets.lowest), (ahead.high, targets.highest)):
        missed = pinball(quantiles, torch.where(known, value, 0.0)[..., None], levels)  # (N, C, Q)
        extremes = extremes + (missed.mean(dim=-1) * whole).sum() / whole.sum().clamp(min=1)
    return loss + recipe.loss.extremes * extremes


def pinball(quantiles: Tensor, value: Tensor, levels: Tensor) -> Tensor:
    """Pinball loss, minimal in expectation at the quantile: level · e for an error e > 0, else (level - 1) · e.

    >>> pinball(torch.tensor([1.0, 3.0]), torch.tensor([2.0]), torch.tensor([0.1, 0.9])).round(decimals=3).tolist()
    [0.10000000149011612, 0.10000000149011612]

    Args:
        quantiles: (…, Q).
        value: (…, 1).
        levels: (Q,).
    """
    error = value - quantiles
    return torch.maximum(levels * error, (levels - 1.0) * error)
