"""The network that is trained: memory, recurrence, heads, over whole sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from tocsin.engine.model import ChannelKind, Task
from tocsin_training.cells import Recurrence, vectors
from tocsin_training.decay import InputDecay, StateDecay
from tocsin_training.memory import Memory
from tocsin_training.running_scale import RunningScale

if TYPE_CHECKING:
    from tocsin_training.recipe import Recipe

SMALLEST_SCALE = 1e-2  # standard deviations; a channel that stood still in training must not ring at its first stir


class Outputs(NamedTuple):
    """What the heads say, at N rows or at B streams × T ticks.

    Attributes:
        mean: (…, C) of the next frame, in standard deviations of the channel.
        scale: (…, C) of the next frame, likewise.
        logit: (…,) of the labelled event; zeros for `forecast`.
    """

    mean: Tensor
    scale: Tensor
    logit: Tensor


class Network(nn.Module):
    """One recurrent network with a head that forecasts and, for `alarm`, one that announces the event.

    Attributes:
        memory: What is remembered of each channel, not learned.
        recurrence: The cells.
        measured: (C,) 1 for channels of kind `reading`: those are forecast.
        clock: (C,) 1 for channels of kind `clock`.
    """

    measured: Tensor
    clock: Tensor

    def __init__(self, recipe: Recipe) -> None:
        """Draw the weights; `memory.fit` is still to be called."""
        super().__init__()
        network, channels = recipe.network, recipe.channels
        self.channels = len(channels)
        self.task = recipe.task
        self.register_buffer(
            "measured", torch.tensor([channel.kind is ChannelKind.READING for channel in channels]).float()
        )
        self.register_buffer("clock", torch.tensor([channel.kind is ChannelKind.CLOCK for channel in channels]).float())
        self.memory: Memory = (
            RunningScale(self.channels)
            if network.scale == "running"
            else Memory(
                [channel.name in network.logarithmic for channel in channels],
                recipe.serving.period_s,
                network.memory,
                network.stir,
            )
        )
        self.from_last = network.expects == "change"
        self.dropout = nn.Dropout(network.dropout)
        self.input_dropout = nn.Dropout(network.input_dropout)
        self.entry = nn.Linear(self.memory.told, network.inputs) if network.inputs else None
        inputs = network.inputs or self.memory.told
        period_s, units = recipe.serving.period_s, network.layers * network.width
        self.fading = InputDecay(self.channels, period_s) if network.decay in {"inputs", "both"} else None
        self.recurrence = Recurrence(
            network.cell,
            inputs,
            network.width,
            network.layers,
            network.dropout,
            network.forget_bias,
            StateDecay(self.channels, units, vectors(network.cell), period_s)
            if network.decay in {"state", "both"}
            else None,
        )
        joined = network.width + (network.inputs if self.entry else 0)
        self.forecast = nn.Linear(joined, 2 * self.channels)
        nn.init.zeros_(self.forecast.weight)  # it starts as persistence: x(t + 1) = the last value
        nn.init.zeros_(self.forecast.bias)
        if self.task is Task.ALARM:
            self.hidden = nn.Linear(joined, network.width)
            self.event = nn.Linear(network.width, 1)

    def forward(
        self, x: Tensor, mask: Tensor, delta: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Outputs, tuple[Tensor, Tensor]]:
        """Run B streams over T ticks, (B, T, C) each, from the state of memory and recurrence or from zeros."""
        remembered, recurrent = state or self.start(len(x))
        features, remembered = self.memory(x, mask, delta, remembered)  # (B, T, F)
        entered = self.enter(features, mask, delta)  # (B, T, D)
        h, recurrent = self.recurrence(entered, recurrent, delta)  # (B, T, H)
        return self.heads(features, entered, h), (remembered, recurrent)

    def start(self, streams: int) -> tuple[Tensor, Tensor]:
        """The state of memory and of recurrence of streams that have just begun."""
        zeros = self.measured.new_zeros
        return zeros(streams, self.memory.state_size), zeros(streams, self.recurrence.state_size)

    def enter(self, features: Tensor, mask: Tensor, delta: Tensor) -> Tensor:
        """(…, F) to what the recurrence takes (…, D)."""
        if self.fading is not None:
            features = self.memory.with_last(features, self.fading(self.memory.last(features), mask, delta))
        features = self.input_dropout(self.memory.shown(features))
        if self.entry is None:
            return features
        entered: Tensor = self.dropout(torch.relu(self.entry(features)))
        return entered

    def heads(self, features: Tensor, entered: Tensor, h: Tensor) -> Outputs:
        """What is expected next, and whether the event is coming."""
        joined = self.join(entered, h)
        moved, raw = self.forecast(joined).split(self.channels, dim=-1)  # (…, C) each
        moved = self.memory.stretched(moved, features)
        mean = (self.memory.last(features) + moved if self.from_last else moved) * self.measured
        spread = nn.functional.softplus(raw + 0.54) + SMALLEST_SCALE  # 0.54: starts at 1 standard deviation
        spread = self.memory.stretched(spread, features)
        scale = spread * self.measured + (1.0 - self.measured)
        if self.task is Task.FORECAST:
            return Outputs(mean, scale, mean[..., 0] * 0.0)
        return Outputs(mean, scale, self.announce(joined))

    def join(self, entered: Tensor, h: Tensor) -> Tensor:
        """What the heads look at: h, and past the recurrence what entered it."""
        joined: Tensor = self.dropout(h if self.entry is None else torch.cat([h, entered], dim=-1))
        return joined

    def announce(self, joined: Tensor) -> Tensor:
        """(…,) the logit of the labelled event."""
        hidden = self.dropout(torch.relu(self.hidden(joined)))
        logit: Tensor = self.event(hidden)[..., 0]
        return logit
