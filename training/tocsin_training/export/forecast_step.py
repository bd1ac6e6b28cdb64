"""Step of forecasting tasks: the score is the surprise of a frame under the prediction made one frame before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tocsin_training.export.step import StepModule, StepOutputs
from tocsin_training.scores.registry import score_module_of

if TYPE_CHECKING:
    from tocsin_training.nets.decoder import HorizonForecast
    from tocsin_training.nets.network import Network
    from tocsin_training.recipe import Recipe


class ForecastStep(StepModule):
    """Scores x under the last prediction, then predicts the next frame.

    The state holds channel features, recurrence, the prediction (mean, scale, and 1 where there is one) and the score
    module's own state.
    """

    def __init__(self, network: Network, recipe: Recipe) -> None:
        """Wrap a trained network."""
        score_module = score_module_of(recipe.score, network.channels)
        prediction = (network.channels, network.channels, 1)
        super().__init__(
            network.channels,
            (
                network.channel_features.state_size,
                network.recurrence.state_size,
                *prediction,
                score_module.state_size,
            ),
        )
        self.network = network
        self.score_module = score_module

    def forward(self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor) -> StepOutputs:
        """Run one tick: x, mask, delta (N, C) and state (N, S)."""
        features_state, recurrent, mean, scale, ready, evidence = torch.split(state, self.sizes, dim=1)
        channels = self.network.channel_features

        z = (channels.normalise(x, mask, self.score_module.input_clip) - mean) / (
            scale + (1.0 - ready)
        )  # (N, C); scale is 0 before the first prediction
        z = self.network.distribution.as_normal(z)
        observed = mask * self.network.measured * ready
        contribution, evidence = self.score_module(z, observed, mean, evidence)
        count = self.total(observed)  # (N, 1)
        contribution = contribution / torch.clamp(count, min=1.0)
        score = torch.where(count > 0, self.total(contribution), torch.nan)[:, 0]

        features, features_state = channels.step(x, mask, delta, features_state)
        entered = self.network.encode(features, mask, delta)
        h, recurrent = self.network.recurrence.step(entered, recurrent, delta=delta)
        mean, scale, ahead = self.predict(features, entered, h)
        parts = (features_state, recurrent, mean, scale, torch.ones_like(ready), evidence)
        displayed, others = self.displayed(mean, scale, ahead, evidence)
        return (score, contribution, *channels.denormalise(*displayed), torch.cat(parts, dim=1), *others)

    def predict(self, features: Tensor, entered: Tensor, h: Tensor) -> tuple[Tensor, Tensor, HorizonForecast | None]:
        """Mean and scale (N, C) of the next frame, and a decoder's forecast of the horizon."""
        outputs = self.network.outputs(features, entered, h)
        return outputs.mean, outputs.scale, None

    def displayed(
        self,
        mean: Tensor,
        scale: Tensor,
        ahead: HorizonForecast | None,
        evidence: Tensor,
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, ...]]:
        """Mean and scale as users see them, in standard deviations, and further outputs in the channels' units."""
        return self.score_module.band(mean, scale, evidence), ()

    def forecast(self, mean: Tensor, state: Tensor) -> Tensor:
        """Forecast of the network (N, C): the prediction in the state."""
        prediction = torch.split(state, self.sizes, dim=1)[2]
        own: Tensor = self.network.channel_features.denormalise(prediction, prediction)[0]
        return own
