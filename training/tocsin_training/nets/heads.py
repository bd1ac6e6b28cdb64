"""Heads: from the recurrence to forecasts, event logits or a decoded horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from tocsin_training.nets.decoder import HorizonDecoder, HorizonForecast
from tocsin_training.nets.distribution import positive_scale

if TYPE_CHECKING:
    from tocsin_training.nets.channel_features import ChannelFeatures
    from tocsin_training.recipe import HorizonRecipe, NetworkRecipe, Recipe


class Outputs(NamedTuple):
    """Outputs of a head at N rows, or at B streams × T ticks.

    Attributes:
        mean: (…, C) of the next frame, in standard deviations of the channel.
        scale: (…, C) of the next frame, likewise.
        logit: (…,) of the labelled event; `classify`: (…, K) of the classes; zeros for other heads.
        context: `seq2seq`: (…, J) the decoder's context, and (…, C) the last values.
    """

    mean: Tensor
    scale: Tensor
    logit: Tensor
    context: tuple[Tensor, Tensor] | None = None


class Head(nn.Module):
    """Base of heads."""

    def outputs(self, inputs: Tensor, features: Tensor, channels: ChannelFeatures, measured: Tensor) -> Outputs:
        """Outputs of a frame.

        Args:
            inputs: (…, J) from the recurrence, see `Network.head_inputs`.
            features: (…, F) channel features.
            channels: Normalises the features.
            measured: (C,) 1 for readings.
        """
        raise NotImplementedError


class ForecastHead(Head):
    """Mean and scale of the next frame. Before training the mean is the last value (persistence)."""

    def __init__(self, recipe: NetworkRecipe, inputs: int, channels: int, dropout: nn.Dropout) -> None:
        """Build the head over J = `inputs` inputs for C channels."""
        super().__init__()
        self.channels = channels
        self.forecasts_change = recipe.forecast_target == "change"
        self.constant_scale = recipe.forecast_scale == "constant"
        self.dropout = dropout
        self.forecast = nn.Linear(inputs, 2 * channels)
        nn.init.zeros_(self.forecast.weight)
        nn.init.zeros_(self.forecast.bias)

    def outputs(self, inputs: Tensor, features: Tensor, channels: ChannelFeatures, measured: Tensor) -> Outputs:
        """Forecast the next frame; the logit is 0."""
        mean, scale = self.moments(inputs, features, channels, measured)
        return Outputs(mean, scale, mean[..., 0] * 0.0)

    def moments(
        self, inputs: Tensor, features: Tensor, channels: ChannelFeatures, measured: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean and scale (…, C) of the next frame; mean 0 and scale 1 for channels that are not measured."""
        change, raw = self.forecast(inputs).split(self.channels, dim=-1)  # (…, C) each
        if self.constant_scale:
            raw = self.forecast.bias[self.channels :].expand_as(raw)
        change = channels.rescaled(change, features)
        mean = (channels.last(features) + change if self.forecasts_change else change) * measured
        scale = channels.rescaled(positive_scale(raw), features) * measured + (1.0 - measured)
        return mean, scale


class EventHead(ForecastHead):
    """A forecast, and logits of an event or of K classes from one hidden layer."""

    def __init__(self, recipe: Recipe, inputs: int, logits: int, dropout: nn.Dropout) -> None:
        """Build the head; `logits` is 1 for an event, else K."""
        super().__init__(recipe.network, inputs, len(recipe.channels), dropout)
        self.logits = logits
        self.hidden = nn.Linear(inputs, recipe.network.width)
        self.event = nn.Linear(recipe.network.width, logits)

    def outputs(self, inputs: Tensor, features: Tensor, channels: ChannelFeatures, measured: Tensor) -> Outputs:
        """Forecast and logits."""
        return Outputs(*self.moments(inputs, features, channels, measured), self.event_logits(inputs))

    def event_logits(self, inputs: Tensor) -> Tensor:
        """Logit of the event (…,), or of the classes (…, K)."""
        hidden = self.dropout(torch.relu(self.hidden(inputs)))
        logit: Tensor = self.event(hidden)
        return logit[..., 0] if self.logits == 1 else logit


class HorizonHead(Head):
    """A decoder of K frames; the forecast of the next frame is its first step."""

    def __init__(self, recipe: Recipe, horizon: HorizonRecipe, inputs: int) -> None:
        """Build the decoder over contexts of width J = `inputs`."""
        super().__init__()
        self.channels = len(recipe.channels)
        self.decoder = HorizonDecoder(recipe.network.cell, inputs, self.channels, horizon)

    def outputs(self, inputs: Tensor, features: Tensor, channels: ChannelFeatures, measured: Tensor) -> Outputs:
        """Decode one tick; the context serves to decode them all."""
        last = channels.last(features)
        flat = inputs.reshape(-1, inputs.shape[-1]), last.reshape(-1, self.channels)
        ahead = self.decode(*flat, measured, ticks=1)
        mean, scale = ahead.mean.reshape(last.shape), ahead.scale.reshape(last.shape)
        return Outputs(mean, scale, mean[..., 0] * 0.0, (inputs, last))

    def decode(self, context: Tensor, last: Tensor, measured: Tensor, ticks: int | None = None) -> HorizonForecast:
        """Forecast the horizon from contexts (N, J) and last values (N, C); K ticks, or `ticks`."""
        ahead: HorizonForecast = self.decoder(context, last, measured, ticks)
        return ahead
