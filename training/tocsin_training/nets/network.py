"""Network: channel features, recurrence and a task's head, over whole sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from tocsin.engine.model import ChannelKind
from tocsin_training.nets.cells import Recurrence, vectors
from tocsin_training.nets.channel_features import ChannelFeatures
from tocsin_training.nets.decay import InputDecay, StateDecay
from tocsin_training.nets.distribution import distribution_of
from tocsin_training.nets.running_scale import RunningScale

if TYPE_CHECKING:
    from tocsin_training.nets.heads import Head, Outputs
    from tocsin_training.recipe import Recipe


class MakesHead(Protocol):
    """Part of a task that a network needs."""

    def head(self, recipe: Recipe, inputs: int, dropout: nn.Dropout) -> Head:
        """Build the task's head over `inputs` inputs."""


class Network(nn.Module):
    """One recurrent network with the head of its task.

    With `recipe.profile` a stream starts from a state that is made from its static channels; else from zeros.

    Attributes:
        channel_features: Features that are not learned.
        recurrence: The cells.
        head: The task's.
        measured: (C,) 1 for channels of kind `reading`; those are forecast.
        clock: (C,) 1 for channels of kind `clock`.
        profile: (P, C) 1 where a value of the profile belongs to a channel; only with `recipe.profile`.
        distribution: Of the forecasts.
    """

    measured: Tensor
    clock: Tensor
    profile: Tensor

    def __init__(self, recipe: Recipe, task: MakesHead) -> None:
        """Initialise the weights; `channel_features.fit` is still to be called."""
        super().__init__()
        network, channels = recipe.network, recipe.channels
        self.channels = len(channels)
        self.register_buffer(
            "measured", torch.tensor([channel.kind is ChannelKind.READING for channel in channels]).float()
        )
        self.register_buffer("clock", torch.tensor([channel.kind is ChannelKind.CLOCK for channel in channels]).float())
        self.channel_features: ChannelFeatures = (
            RunningScale(self.channels)
            if network.normalisation == "running"
            else ChannelFeatures(
                [channel.name in network.logarithmic for channel in channels],
                recipe.serving.period_s,
                network.channel_features,
                network.deviation_epsilon,
            )
        )
        self.dropout = nn.Dropout(network.dropout)
        self.input_dropout = nn.Dropout(network.input_dropout)
        input_width = self.channel_features.input_width
        self.entry = nn.Linear(input_width, network.inputs) if network.inputs else None
        period_s, units = recipe.serving.period_s, network.layers * network.width
        self.input_decay = InputDecay(self.channels, period_s) if network.decay in {"inputs", "both"} else None
        self.recurrence = Recurrence(
            network.cell,
            network.inputs or input_width,
            network.width,
            network.layers,
            network.dropout,
            network.forget_bias,
            StateDecay(self.channels, units, vectors(network.cell), period_s)
            if network.decay in {"state", "both"}
            else None,
        )
        self.head = task.head(recipe, network.width + (network.inputs if self.entry else 0), self.dropout)
        self.distribution = distribution_of(network, self.channels)
        self.starts_from_profile = recipe.profile is not None
        if recipe.profile is not None:
            names = [channel.name for channel in channels]
            owner = torch.tensor([[float(name == wanted) for name in names] for wanted in recipe.profile])
            self.register_buffer("profile", owner)
            self.initial_state = nn.Sequential(
                nn.Linear(len(recipe.profile), network.width),
                nn.Tanh(),
                nn.Linear(network.width, self.recurrence.state_size),
            )

    def forward(
        self, x: Tensor, mask: Tensor, delta: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Outputs, tuple[Tensor, Tensor]]:
        """Run B streams over T ticks.

        A stream that starts from its profile gets a frame ahead of the first in which nothing is measured: the
        forecast after it is that of the first frame, and the outputs are those of T + 1 ticks.

        Args:
            x: (B, T, C) in the channels' units.
            mask: (B, T, C).
            delta: (B, T, C) seconds.
            state: Of channel features (B, M) and recurrence (B, S); None at the beginning of streams.

        Returns:
            The head's outputs, and the state after the last tick.
        """
        if state is None and self.starts_from_profile:
            state = self.state_from_profile(x[:, 0] @ self.profile.T)
            x, mask, delta = self.with_profile_frame(x, mask, delta)
        features_state, recurrent = state or self.zero_state(len(x))
        features, features_state = self.channel_features(x, mask, delta, features_state)  # (B, T, F)
        entered = self.encode(features, mask, delta)  # (B, T, D)
        h, recurrent = self.recurrence(entered, recurrent, delta)  # (B, T, H)
        return self.outputs(features, entered, h), (features_state, recurrent)

    def zero_state(self, streams: int) -> tuple[Tensor, Tensor]:
        """State of channel features and of recurrence at the beginning of streams."""
        zeros = self.measured.new_zeros
        return zeros(streams, self.channel_features.state_size), zeros(streams, self.recurrence.state_size)

    def with_profile_frame(self, x: Tensor, mask: Tensor, delta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T + 1, C) each, with a frame ahead of the first in which no reading is measured."""
        known = 1.0 - self.measured
        before = (x[:, :1] * known, mask[:, :1] * known, delta[:, :1] * 0.0)
        x, mask, delta = (torch.cat(parts, dim=1) for parts in zip(before, (x, mask, delta), strict=True))
        return x, mask, delta

    def state_from_profile(self, profile: Tensor) -> tuple[Tensor, Tensor]:
        """State of channel features and of recurrence from profiles (N, P), in the channels' units."""
        known = self.profile.sum(0).expand(profile.shape[0], -1)  # (N, C)
        last = self.channel_features.normalise(profile @ self.profile, known)
        rest = known.new_zeros(1, self.channel_features.state_size - 2 * self.channels).expand(profile.shape[0], -1)
        recurrent: Tensor = torch.tanh(self.initial_state(last @ self.profile.T))
        return torch.cat([last, known, rest], dim=1), recurrent

    def encode(self, features: Tensor, mask: Tensor, delta: Tensor) -> Tensor:
        """Inputs of the recurrence (…, D) from features (…, F)."""
        if self.input_decay is not None:
            last = self.input_decay(self.channel_features.last(features), mask, delta)
            features = self.channel_features.with_last(features, last)
        features = self.input_dropout(self.channel_features.inputs(features))
        if self.entry is None:
            return features
        entered: Tensor = self.dropout(torch.relu(self.entry(features)))
        return entered

    def head_inputs(self, entered: Tensor, h: Tensor) -> Tensor:
        """Inputs of the head (…, J): h, and with an entry layer what that gave, past the recurrence."""
        joined: Tensor = self.dropout(h if self.entry is None else torch.cat([h, entered], dim=-1))
        return joined

    def outputs(self, features: Tensor, entered: Tensor, h: Tensor) -> Outputs:
        """Outputs of the head."""
        return self.head.outputs(self.head_inputs(entered, h), features, self.channel_features, self.measured)
