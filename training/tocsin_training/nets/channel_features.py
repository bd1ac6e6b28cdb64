"""Channel features: last values, ages and running summaries of each channel, carried in the stream's state.

None of them is learned, so one plain step serves training, which runs it over a sequence, and the graph, which runs it
once. Laboratory values come once a day: without these features the recurrence would spend its width on holding them.
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
FIT_CHUNK_VALUES = 16_000_000  # 128 MB, and some copies of them
MIN_VARIANCE = 1e-8  # a channel with less variance in training keeps its own units
INPUT_CLIP = 6.0  # standard deviations at which the network's inputs are clipped
SHORT_TICKS, LONG_TICKS = 6.0, 24.0  # time constants of ages and observation rates
QUICK_TICKS, SLOW_TICKS = 4.0, 13.0  # time constants of the trend's two moving means
ENVELOPE_SHARE = 0.1  # share of the values below the lower envelope, and above the upper one
ENVELOPE_RATE = 1.2  # standard deviations an hour that an envelope moves at most
ENVELOPE_SOFTNESS = 0.05  # standard deviations within which an envelope moves less, so that it comes to rest


@dataclass(frozen=True, slots=True)
class FeatureFrame:
    """One tick of N streams, each tensor (N, C): normalised x (0 where missing), mask, age and the state around it.

    `age` is ticks since the value in `last` was measured, 0 where it was measured now. `before` is `last` of the frame
    before. `first` is 1 where a channel is observed for the first time. `hours` is the length of a tick.
    """

    x: Tensor
    mask: Tensor
    age: Tensor
    last: Tensor
    before: Tensor
    seen: Tensor
    first: Tensor
    hours: float


def _summary(frame: FeatureFrame, slots: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Mean, maximum and minimum since the stream began."""
    total, count, highest, lowest = slots
    total, count = total + frame.x, count + frame.mask
    highest = _update(frame, highest, torch.maximum(highest, frame.x))
    lowest = _update(frame, lowest, torch.minimum(lowest, frame.x))
    mean = total / torch.clamp(count, min=1.0)
    return [mean, highest, lowest], [total, count, highest, lowest]


def _trend(frame: FeatureFrame, slots: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The last change, and the distance of the last value from a quick and from a slow moving mean."""
    change, quick, slow = slots
    again = frame.mask * (1.0 - frame.first)
    change = change + again * (frame.x - frame.before - change)
    quick = _update(frame, quick, quick + (frame.x - quick) / QUICK_TICKS)
    slow = _update(frame, slow, slow + (frame.x - slow) / SLOW_TICKS)
    return [change, frame.last - quick, frame.last - slow], [change, quick, slow]


def _rate(frame: FeatureFrame, slots: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Observation count, and observation rates over `SHORT_TICKS` and `LONG_TICKS`. Staff measure more when worried."""
    count, lately, today = slots
    count = count + frame.mask
    lately = lately + (frame.mask - lately) / SHORT_TICKS
    today = today + (frame.mask - today) / LONG_TICKS
    return [torch.log1p(count) / 2.0, 2.0 * lately, 4.0 * today], [count, lately, today]


def _envelope(frame: FeatureFrame, slots: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Lower and upper envelope: running quantiles at `ENVELOPE_SHARE` and 1 - `ENVELOPE_SHARE`, without a window.

    Nine values above the lower envelope raise it by as much as one below it lowers it. An artefact moves an envelope no
    further than any other value does.
    """
    low, high = slots
    gain = ENVELOPE_RATE * frame.hours
    above = torch.clamp((frame.x - low) / ENVELOPE_SOFTNESS, -1.0, 1.0)
    below = torch.clamp((high - frame.x) / ENVELOPE_SOFTNESS, -1.0, 1.0)
    rise = ENVELOPE_SHARE * torch.relu(above) - (1.0 - ENVELOPE_SHARE) * torch.relu(-above)
    low = _update(frame, low, low + gain * rise)
    fall = ENVELOPE_SHARE * torch.relu(below) - (1.0 - ENVELOPE_SHARE) * torch.relu(-below)
    high = _update(frame, high, high - gain * fall)
    return [low, high], [low, high]


def _age(frame: FeatureFrame, slots: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Age of the last value: a freshness that decays over `SHORT_TICKS`, and a logarithm that resolves days."""
    return [torch.exp(-frame.age / SHORT_TICKS) * frame.seen, torch.log1p(frame.age) / 3.0], list(slots)


def _update(frame: FeatureFrame, current: Tensor, updated: Tensor) -> Tensor:
    """`updated` where observed, x itself where it is the first value, `current` elsewhere."""
    updated = updated + frame.first * (frame.x - updated)
    return current + frame.mask * (updated - current)


FEATURE_GROUPS = {
    "age": (_age, 0, 2),
    "summary": (_summary, 4, 3),
    "trend": (_trend, 3, 3),
    "rate": (_rate, 3, 3),
    "envelope": (_envelope, 2, 2),
}
"""Name → (step, slots of state per channel, features per channel)."""


class ChannelFeatures(nn.Module):
    """Normalises frames and makes the recurrence's inputs from them.

    Attributes:
        state_size: M, floats of state a stream.
        width: F, features a frame.
    """

    mean: Tensor
    deviation: Tensor
    logarithmic: Tensor

    def __init__(
        self, logarithmic: Sequence[bool], period_s: float, groups: Sequence[str], deviation_epsilon: float = 0.0
    ) -> None:
        """Build features of C = len(logarithmic) channels.

        Args:
            logarithmic: (C,) whether a channel is taken as log(1 + x).
            period_s: Length of a tick, seconds.
            groups: Names of `FEATURE_GROUPS`.
            deviation_epsilon: Added to each standard deviation by `fit`.
        """
        super().__init__()
        self.channels = len(logarithmic)
        self.period_s = period_s
        self.deviation_epsilon = deviation_epsilon
        self.groups = [FEATURE_GROUPS[name] for name in groups]
        self.slots = [2, *(slots for _, slots, _ in self.groups)]
        self.state_size = sum(self.slots) * self.channels
        self.width = (4 + sum(features for _, _, features in self.groups)) * self.channels
        self.register_buffer("logarithmic", torch.tensor(logarithmic, dtype=torch.float32))
        self.register_buffer("mean", torch.zeros(self.channels))
        self.register_buffer("deviation", torch.ones(self.channels))

    def fit(self, x: NDArray[np.float32], mask: NDArray[np.float32]) -> None:
        """Fit mean and standard deviation to the observed values of training rows x and mask, (R, C).

        Two passes in chunks: the rows may be mapped from a disk that holds more than memory does.
        """
        zero = torch.zeros(self.channels, dtype=torch.float64)
        count = sum((seen.sum(0) for _, seen in self._chunks(x, mask)), zero).clamp(min=1)
        mean = sum((values.sum(0) for values, _ in self._chunks(x, mask)), zero) / count
        away = (((values - mean) ** 2) * seen for values, seen in self._chunks(x, mask))
        variance = sum((square.sum(0) for square in away), zero) / count
        self.mean.copy_(mean)
        moves = (variance > MIN_VARIANCE) | (self.deviation_epsilon > 0)
        deviation = torch.where(moves, variance.sqrt() + self.deviation_epsilon, torch.ones_like(variance))
        self.deviation.copy_(deviation)

    def _chunks(self, x: NDArray[np.float32], mask: NDArray[np.float32]) -> Iterator[tuple[Tensor, Tensor]]:
        """Values (P, C), log(1 + x) where asked for and 0 where not observed, and their mask (P, C)."""
        rows = max(1, FIT_CHUNK_VALUES // self.channels)
        for at in range(0, len(x), rows):
            chunk = slice(at, at + rows)
            values, observed = (torch.from_numpy(part[chunk].astype(np.float64)) for part in (x, mask))
            logged = torch.log1p(values * (self.logarithmic > 0))
            yield torch.where(self.logarithmic > 0, logged, values) * observed, observed

    def normalise(self, x: Tensor, mask: Tensor, clip: float = INPUT_CLIP) -> Tensor:
        """Standardise x (…, C) from the channels' units, clipped at ±clip; 0, the mean, where missing."""
        logged = torch.log1p(x * self.logarithmic)
        plain = self.logarithmic * logged + (1.0 - self.logarithmic) * x
        return torch.clamp((plain - self.mean) / self.deviation, -clip, clip) * mask

    def denormalise(self, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and scale (…, C) of a forecast, from standard deviations back to the channels' units."""
        mean, scale = mean * self.deviation + self.mean, scale * self.deviation
        stretched = torch.exp(mean * self.logarithmic)  # 1 where the channel is not logarithmic
        return self.logarithmic * (stretched - 1.0) + (1.0 - self.logarithmic) * mean, scale * stretched

    def last(self, features: Tensor) -> Tensor:
        """Last values (…, C), normalised, from features (…, F)."""
        return features[..., 2 * self.channels : 3 * self.channels]

    @property
    def input_width(self) -> int:
        """Width of `inputs`."""
        return self.width

    def inputs(self, features: Tensor) -> Tensor:
        """(…, input_width) the part of the features (…, F) that the network reads."""
        return features

    def rescaled(self, sizes: Tensor, features: Tensor) -> Tensor:  # noqa: ARG002  (a running scale is among them)
        """Sizes (…, C) from a head, in the units of `last`."""
        return sizes

    def residual(self, x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """Standardised residual (…, C): (x - mean) / scale."""
        return (x - mean) / scale

    def with_last(self, features: Tensor, last: Tensor) -> Tensor:
        """Features (…, F) with `last` (…, C) in place of the last values."""
        return torch.cat([features[..., : 2 * self.channels], last, features[..., 3 * self.channels :]], dim=-1)

    def step(self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run one tick.

        Args:
            x: (N, C) in the channels' units, 0 where missing.
            mask: (N, C) 1 where observed.
            delta: (N, C) seconds since the channel was last observed.
            state: (N, M).

        Returns:
            Features (N, F) and the next state (N, M).
        """
        x = self.normalise(x, mask)
        parts = torch.split(state, self.channels, dim=1)  # (N, C) each
        before, seen = parts[0], parts[1]
        frame = FeatureFrame(
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
        next_state = [frame.last, frame.seen]
        at = 2
        for step, slots, _ in self.groups:
            own_features, own_state = step(frame, parts[at : at + slots])
            features += own_features
            next_state += own_state
            at += slots
        return torch.cat(features, dim=1), torch.cat(next_state, dim=1)

    @torch.no_grad()
    def forward(self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run a sequence (B, T, C) tick by tick; returns features (B, T, F) and the state (B, M) after the last."""
        steps = []
        for t in range(x.shape[1]):
            features, state = self.step(x[:, t], mask[:, t], delta[:, t], state)
            steps.append(features)
        return torch.stack(steps, dim=1), state
