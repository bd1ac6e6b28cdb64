"""What a stream remembers of each channel beside the recurrence: last values, ages, summaries.

None of it is learned, so one plain step serves training, which runs it over a sequence, and the graph, which runs it
once. Laboratory values come once a day; a network that had to hold them in h would spend its width on that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

SECONDS_PER_HOUR = 3600.0
FITTED_TOGETHER = 16_000_000  # values; 128 MB, and some copies of them
STILL = 1e-8  # variance; a channel that never moved in training keeps its own units
FURTHEST = 6.0  # standard deviations; what lies beyond says no more than "far"
SHORT, LONG = 6.0, 24.0  # ticks over which ages fade and paces are taken
QUICK, SLOW = 4.0, 13.0  # ticks of the two moving means a trend is told by
BEYOND = 0.1  # share of the values that lie below a channel's low water, and above its high water
TIDE = 1.2  # standard deviations an hour that low and high water move at most
NEAR = 0.05  # standard deviations; within these they move less, so that they come to rest


@dataclass(frozen=True, slots=True)
class Frame:
    """One tick of N streams, each (N, C): normalised x (0 where missing), mask, age and the memory of it.

    `age` is ticks since the value in `last` was measured, 0 where it was measured now. `first` is 1 where a channel
    is observed for the first time. `hours` is the length of a tick.
    """

    x: Tensor
    mask: Tensor
    age: Tensor
    last: Tensor
    before: Tensor  # `last` of the frame before
    seen: Tensor
    first: Tensor
    hours: float


def _summary(frame: Frame, slots: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The mean, the highest and the lowest so far: what a clinician looks back to at the bedside."""
    total, count, highest, lowest = slots
    total, count = total + frame.x, count + frame.mask
    highest = _update(frame, highest, torch.maximum(highest, frame.x))
    lowest = _update(frame, lowest, torch.minimum(lowest, frame.x))
    mean = total / torch.clamp(count, min=1.0)
    return [mean, highest, lowest], [total, count, highest, lowest]


def _trend(frame: Frame, slots: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The last change, and how far the last value lies from a quick and from a slow moving mean."""
    change, quick, slow = slots
    again = frame.mask * (1.0 - frame.first)
    change = change + again * (frame.x - frame.before - change)
    quick = _update(frame, quick, quick + (frame.x - quick) / QUICK)
    slow = _update(frame, slow, slow + (frame.x - slow) / SLOW)
    return [change, frame.last - quick, frame.last - slow], [change, quick, slow]


def _pace(frame: Frame, slots: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """How often it has been measured, in all and lately: staff measure more when they worry."""
    count, lately, today = slots
    count = count + frame.mask
    lately = lately + (frame.mask - lately) / SHORT
    today = today + (frame.mask - today) / LONG
    return [torch.log1p(count) / 2.0, 2.0 * lately, 4.0 * today], [count, lately, today]


def _tide(frame: Frame, slots: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Low and high water: a tenth of the values of the last hours lies below the one, a tenth above the other.

    Nine values above low water raise it by as much as one below it lowers it: quantiles without a window, and an
    artefact moves them no further than any other value does.
    """
    low, high = slots
    pace = TIDE * frame.hours
    above = torch.clamp((frame.x - low) / NEAR, -1.0, 1.0)
    below = torch.clamp((high - frame.x) / NEAR, -1.0, 1.0)
    low = _update(frame, low, low + pace * (BEYOND * torch.relu(above) - (1.0 - BEYOND) * torch.relu(-above)))
    high = _update(frame, high, high - pace * (BEYOND * torch.relu(below) - (1.0 - BEYOND) * torch.relu(-below)))
    return [low, high], [low, high]


def _ages(frame: Frame, slots: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """How old the last value is: fresh fades over `SHORT` ticks, the logarithm tells days apart."""
    return [torch.exp(-frame.age / SHORT) * frame.seen, torch.log1p(frame.age) / 3.0], list(slots)


def _update(frame: Frame, kept: Tensor, then: Tensor) -> Tensor:
    """`then` where observed, the first value itself where it is the first, what was kept elsewhere."""
    then = then + frame.first * (frame.x - then)
    return kept + frame.mask * (then - kept)


TRACES = {
    "ages": (_ages, 0, 2),
    "summary": (_summary, 4, 3),
    "trend": (_trend, 3, 3),
    "pace": (_pace, 3, 3),
    "tide": (_tide, 2, 2),
}
"""Name → (step, slots of state per channel, features per channel)."""


class Memory(nn.Module):
    """Normalises a frame and carries what is remembered per channel.

    Attributes:
        state_size: Floats a stream carries.
        features: F, the width of what it gives to the recurrence.
    """

    mean: Tensor
    deviation: Tensor
    logarithmic: Tensor

    def __init__(self, logarithmic: Sequence[bool], period_s: float, traces: Sequence[str], stir: float = 0.0) -> None:
        """Make one for C = len(logarithmic) channels; `fit` gives it its normalisation, with `stir` added."""
        super().__init__()
        self.channels = len(logarithmic)
        self.period_s = period_s
        self.stir = stir
        self.traces = [TRACES[name] for name in traces]
        self.slots = [2, *(slots for _, slots, _ in self.traces)]
        self.state_size = sum(self.slots) * self.channels
        self.features = (4 + sum(features for _, _, features in self.traces)) * self.channels
        self.register_buffer("logarithmic", torch.tensor(logarithmic, dtype=torch.float32))
        self.register_buffer("mean", torch.zeros(self.channels))
        self.register_buffer("deviation", torch.ones(self.channels))

    def fit(self, x: NDArray[np.float32], mask: NDArray[np.float32]) -> None:
        """Take mean and standard deviation of the observed values of training rows, both (R, C).

        Twice through the rows, some at a time: they may be mapped from a disk that holds more than the memory does.
        """
        zero = torch.zeros(self.channels, dtype=torch.float64)
        count = sum((seen.sum(0) for _, seen in self._pieces(x, mask)), zero).clamp(min=1)
        mean = sum((values.sum(0) for values, _ in self._pieces(x, mask)), zero) / count
        away = (((values - mean) ** 2) * seen for values, seen in self._pieces(x, mask))
        variance = sum((square.sum(0) for square in away), zero) / count
        self.mean.copy_(mean)
        moves = (variance > STILL) | (self.stir > 0)
        self.deviation.copy_(torch.where(moves, variance.sqrt() + self.stir, torch.ones_like(variance)))

    def _pieces(self, x: NDArray[np.float32], mask: NDArray[np.float32]) -> Iterator[tuple[Tensor, Tensor]]:
        """Values (P, C), logarithms where those are taken and 0 where nothing was observed, and what was observed."""
        rows = max(1, FITTED_TOGETHER // self.channels)
        for at in range(0, len(x), rows):
            piece = slice(at, at + rows)
            values, observed = (torch.from_numpy(part[piece].astype(np.float64)) for part in (x, mask))
            logged = torch.log1p(values * (self.logarithmic > 0))
            yield torch.where(self.logarithmic > 0, logged, values) * observed, observed

    def normalise(self, x: Tensor, mask: Tensor, reach: float = FURTHEST) -> Tensor:
        """(…, C) in the channels' units to standard deviations, cut at ±reach; 0, the mean, where missing."""
        logged = torch.log1p(x * self.logarithmic)
        plain = self.logarithmic * logged + (1.0 - self.logarithmic) * x
        return torch.clamp((plain - self.mean) / self.deviation, -reach, reach) * mask

    def in_units(self, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """(…, C) an expectation in standard deviations, back in the channels' units."""
        mean, scale = mean * self.deviation + self.mean, scale * self.deviation
        stretched = torch.exp(mean * self.logarithmic)  # 1 where the channel is not logarithmic
        return self.logarithmic * (stretched - 1.0) + (1.0 - self.logarithmic) * mean, scale * stretched

    def last(self, features: Tensor) -> Tensor:
        """(…, C) the last values, normalised, among the features (…, F)."""
        return features[..., 2 * self.channels : 3 * self.channels]

    @property
    def told(self) -> int:
        """How many of the features the network sees."""
        return self.features

    def shown(self, features: Tensor) -> Tensor:
        """(…, told) what the network sees of the features."""
        return features

    def stretched(self, sizes: Tensor, features: Tensor) -> Tensor:  # noqa: ARG002  (a running scale is among them)
        """(…, C) sizes that a head tells, in the units of `last`."""
        return sizes

    def residual(self, x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """(…, C) how far x lies from what was expected of it, in scales."""
        return (x - mean) / scale

    def with_last(self, features: Tensor, last: Tensor) -> Tensor:
        """(…, F) the features with other last values (…, C) in their place."""
        return torch.cat([features[..., : 2 * self.channels], last, features[..., 3 * self.channels :]], dim=-1)

    def step(self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One tick: x, mask, delta (N, C) and state (N, M) give the features (N, F) and the next state."""
        x = self.normalise(x, mask)
        parts = torch.split(state, self.channels, dim=1)  # (N, C) each
        before, seen = parts[0], parts[1]
        frame = Frame(
            x=x,
            mask=mask,
            age=delta / self.period_s * (1.0 - mask),
            last=before + mask * (x - before),
            before=before,
            seen=torch.maximum(seen, mask),
            first=mask * (1.0 - seen),
            hours=self.period_s / SECONDS_PER_HOUR,
        )
        features = [frame.x, frame.mask, frame.last, frame.seen]
        kept = [frame.last, frame.seen]
        at = 2
        for trace, slots, _ in self.traces:
            told, remembered = trace(frame, parts[at : at + slots])
            features += told
            kept += remembered
            at += slots
        return torch.cat(features, dim=1), torch.cat(kept, dim=1)

    @torch.no_grad()
    def forward(self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """A sequence, tick by tick: (B, T, C) each; gives the features (B, T, F) and the state after the last."""
        told = []
        for t in range(x.shape[1]):
            features, state = self.step(x[:, t], mask[:, t], delta[:, t], state)
            told.append(features)
        return torch.stack(told, dim=1), state
