"""The network that is trained: memory, recurrence, heads, over whole sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from tocsin.engine.model import ChannelKind, Task
from tocsin_training.nets import distribution
from tocsin_training.nets.cells import Recurrence, vectors
from tocsin_training.nets.channel_features import Memory
from tocsin_training.nets.decay import InputDecay, StateDecay
from tocsin_training.nets.decoder import Ahead, Decoder
from tocsin_training.nets.distribution import spread
from tocsin_training.nets.running_scale import RunningScale

if TYPE_CHECKING:
    from tocsin_training.recipe import Recipe


class Outputs(NamedTuple):
    """What the heads say, at N rows or at B streams × T ticks.

    Attributes:
        mean: (…, C) of the next frame, in standard deviations of the channel.
        scale: (…, C) of the next frame, likewise.
        logit: (…,) of the labelled event; `classify`: (…, K) of the classes; zeros for other tasks.
        context: seq2seq: (…, J) what the decoder starts from, and (…, C) the last values.
    """

    mean: Tensor
    scale: Tensor
    logit: Tensor
    context: tuple[Tensor, Tensor] | None = None


class Network(nn.Module):
    """One recurrent network with a head that forecasts, and whatever else its task needs.

    `alarm`: a head that announces the event. `classify`: one that tells the classes apart. `seq2seq`: a decoder, of
    which the first step is the forecast. `generate`: a first state that is made from a profile.

    Attributes:
        memory: What is remembered of each channel, not learned.
        recurrence: The cells.
        measured: (C,) 1 for channels of kind `reading`: those are forecast.
        clock: (C,) 1 for channels of kind `clock`.
        profile: generate: (P, C) 1 where a value of the profile belongs to a channel.
        distribution: What mean and scale stand for.
    """

    measured: Tensor
    clock: Tensor
    profile: Tensor

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
        self.steady = network.spread == "constant"
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
        if recipe.horizon is not None:
            self.decoder = Decoder(network.cell, joined, self.channels, recipe.horizon)
        else:
            self.forecast = nn.Linear(joined, 2 * self.channels)
            nn.init.zeros_(self.forecast.weight)  # it starts as persistence: x(t + 1) = the last value
            nn.init.zeros_(self.forecast.bias)
        if self.task.judges_by_probability:
            self.hidden = nn.Linear(joined, network.width)
            self.event = nn.Linear(network.width, len(recipe.classes or ("event",)))
        self.distribution = distribution.make(network, self.channels)
        if recipe.profile is not None:
            names = [channel.name for channel in channels]
            owner = torch.tensor([[float(name == asked) for name in names] for asked in recipe.profile])
            self.register_buffer("profile", owner)
            self.opening = nn.Sequential(
                nn.Linear(len(recipe.profile), network.width),
                nn.Tanh(),
                nn.Linear(network.width, self.recurrence.state_size),
            )

    def forward(
        self, x: Tensor, mask: Tensor, delta: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Outputs, tuple[Tensor, Tensor]]:
        """Run B streams over T ticks, (B, T, C) each, from the state of memory and recurrence or from zeros.

        A generated stream starts from its profile, with a frame in which nothing is measured yet: what is expected
        after it is the first frame, and the outputs are those of T + 1 ticks.
        """
        if state is None and self.task is Task.GENERATE:
            state = self.begin(x[:, 0] @ self.profile.T)
            x, mask, delta = self.opened(x, mask, delta)
        remembered, recurrent = state or self.start(len(x))
        features, remembered = self.memory(x, mask, delta, remembered)  # (B, T, F)
        entered = self.enter(features, mask, delta)  # (B, T, D)
        h, recurrent = self.recurrence(entered, recurrent, delta)  # (B, T, H)
        return self.heads(features, entered, h), (remembered, recurrent)

    def start(self, streams: int) -> tuple[Tensor, Tensor]:
        """The state of memory and of recurrence of streams that have just begun."""
        zeros = self.measured.new_zeros
        return zeros(streams, self.memory.state_size), zeros(streams, self.recurrence.state_size)

    def opened(self, x: Tensor, mask: Tensor, delta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """generate: (B, T + 1, C) each, with a frame ahead of the first in which no channel has been measured yet."""
        known = 1.0 - self.measured
        before = (x[:, :1] * known, mask[:, :1] * known, delta[:, :1] * 0.0)
        x, mask, delta = (torch.cat(parts, dim=1) for parts in zip(before, (x, mask, delta), strict=True))
        return x, mask, delta

    def begin(self, profile: Tensor) -> tuple[Tensor, Tensor]:
        """The state of memory and of recurrence of streams with these profiles (N, P), in the channels' units."""
        known = self.profile.sum(0).expand(profile.shape[0], -1)  # (N, C)
        last = self.memory.normalise(profile @ self.profile, known)
        nothing = known.new_zeros(1, self.memory.state_size - 2 * self.channels).expand(profile.shape[0], -1)
        recurrent: Tensor = torch.tanh(self.opening(last @ self.profile.T))
        return torch.cat([last, known, nothing], dim=1), recurrent

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
        if self.task is Task.SEQ2SEQ:
            last = self.memory.last(features)
            ahead = self.decode(joined.reshape(-1, joined.shape[-1]), last.reshape(-1, self.channels), ticks=1)
            mean, scale = ahead.mean.reshape(last.shape), ahead.scale.reshape(last.shape)
            return Outputs(mean, scale, mean[..., 0] * 0.0, (joined, last))
        moved, raw = self.forecast(joined).split(self.channels, dim=-1)  # (…, C) each
        if self.steady:
            raw = self.forecast.bias[self.channels :].expand_as(raw)
        moved = self.memory.stretched(moved, features)
        mean = (self.memory.last(features) + moved if self.from_last else moved) * self.measured
        scale = self.memory.stretched(spread(raw), features) * self.measured + (1.0 - self.measured)
        if not self.task.judges_by_probability:
            return Outputs(mean, scale, mean[..., 0] * 0.0)
        return Outputs(mean, scale, self.announce(joined))

    def decode(self, joined: Tensor, last: Tensor, ticks: int | None = None) -> Ahead:
        """seq2seq: what is expected of the frames to come, from N contexts (N, J) and last values (N, C)."""
        ahead: Ahead = self.decoder(joined, last, self.measured, ticks)
        return ahead

    def join(self, entered: Tensor, h: Tensor) -> Tensor:
        """What the heads look at: h, and past the recurrence what entered it."""
        joined: Tensor = self.dropout(h if self.entry is None else torch.cat([h, entered], dim=-1))
        return joined

    def announce(self, joined: Tensor) -> Tensor:
        """(…,) the logit of the labelled event; `classify`: (…, K) of the classes."""
        hidden = self.dropout(torch.relu(self.hidden(joined)))
        logit: Tensor = self.event(hidden)
        return logit[..., 0] if self.task is Task.ALARM else logit
