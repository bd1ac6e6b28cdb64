"""Running scale: channel features without units, from the level and the spread of the stream itself.

Nothing is fitted on training data. The first values of a stream set its level and its spread; moving averages with
several time constants follow both, and the network reads ratios of the two. So a·x + b (a > 0) gives the same features
as x, for counts of 1e9 and for currents of 1e-6 A alike, and a tick counts as one, whatever its length.

Levels are kept as distances from the last value: in float32 a mean near 1e9 could not move by less than 64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tocsin_training.nets.channel_features import ChannelFeatures

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

LEVELS = (6.0, 32.0, 200.0, 1200.0)  # time constants of the four levels, ticks
AVERAGES = (32.0, 200.0, 1200.0, 32.0, 1200.0, 32.0, 1200.0, 1200.0, 1200.0)  # time constants, ticks; see `BLOCKS`
RECORD_DECAY = 1.0 - 1.0 / 4000.0  # of maxima and minima, per tick
OUTLIER = (6.0, 6.0, 6.0, 12.0, 12.0)  # multiples of the average at which sizes are clipped
OUTSIDE = 3.0  # spreads from the level beyond which a value counts as outside
MAX_AGE = 4000.0  # ticks at which the age of a stream is clipped
GRAIN = 1e-7  # of a value; a smaller change is float32 rounding
FLOOR = 1e-30  # smaller spreads count as 0
RATIO_EPSILON = 1e-2  # of the scale, added to both sides of a ratio
LOG_CLIP = 5.0  # logarithms are clipped at ±
DISTANCE_CLIP = 300.0  # spreads at which distances are clipped
RESIDUAL_CLIP = 8.0  # scales at which residuals are clipped; beyond, the gradient is 0
ANY = 3e38  # no limit

BLOCKS = (1, 1, 1, len(LEVELS), len(AVERAGES), 8, 2)
"""State per channel: the last value, ticks so far, ticks since it moved, levels, averages, highest and lowest of them.

Levels are kept as distances from the last value. The averages are the distance from each level but the quickest,
the size of a step over two horizons, the share of values outside over two, and the size of two views: the level of 6
ticks less that of 32, and that of 32 less that of 1,200. Maxima are kept of the distance above and below the
slowest level, the step, both views, the quickest average distance and step, and the time without a movement; minima of
the quickest average distance and step.
"""
SLOTS = sum(BLOCKS)  # floats of state per channel
VISIBLE = 26  # features per channel that the network reads


def squashed(ratio: Tensor) -> Tensor:
    """Signed logarithm of a distance: sign(r) log(1 + |r|).

    >>> [round(value, 2) for value in squashed(torch.tensor([-1.0, 0.0, 100.0, 1e9])).tolist()]
    [-0.69, 0.0, 4.62, 5.71]
    """
    return torch.sign(ratio) * torch.log1p(torch.clamp(torch.abs(ratio), max=DISTANCE_CLIP))


class RunningScale(ChannelFeatures):
    """Running scale of C channels: `VISIBLE` ratios a channel, then last values and scales in the channels' units."""

    level_rate: Tensor
    average_rate: Tensor
    outlier: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__([False] * channels, 1.0, ())
        self.state_size = SLOTS * channels
        self.width = (VISIBLE + 2) * channels
        self.register_buffer("level_rate", 1.0 / torch.tensor(LEVELS)[:, None])
        self.register_buffer("average_rate", 1.0 / torch.tensor(AVERAGES)[:, None])
        self.register_buffer("outlier", torch.tensor(OUTLIER)[:, None])

    @property
    def input_width(self) -> int:
        """Width of `inputs`."""
        return VISIBLE * self.channels

    def inputs(self, features: Tensor) -> Tensor:
        """(…, input_width) the ratios."""
        return features[..., : self.input_width]

    def rescaled(self, sizes: Tensor, features: Tensor) -> Tensor:
        """Sizes (…, C) in scales, converted to the channels' units."""
        return sizes * features[..., self.input_width + self.channels :]

    def residual(self, x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """Standardised residual (…, C), clipped: the first change of a constant channel would be infinite."""
        away = x - mean
        near = torch.abs(away) < RESIDUAL_CLIP * scale
        # Divided only where near: elsewhere the gradient of a quotient by nearly 0 would be NaN.
        return torch.where(near, torch.where(near, away, 0.0) / torch.where(near, scale, 1.0), RESIDUAL_CLIP)

    def fit(self, x: NDArray[np.float32], mask: NDArray[np.float32]) -> None:
        """Fit nothing: every stream has its own level and scale."""

    def normalise(self, x: Tensor, mask: Tensor, clip: float = ANY) -> Tensor:  # noqa: ARG002  (in units, none is far)
        """(…, C) x itself: forecasts are in the channels' units."""
        return x * mask

    def denormalise(self, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """(…, C) mean and scale themselves."""
        return mean, scale

    def last(self, features: Tensor) -> Tensor:
        """Last values (…, C), in the channels' units."""
        return features[..., self.input_width : self.input_width + self.channels]

    def step(self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002  (a tick is a tick)
        """Run one tick: x and mask (N, C) and state (N, M) give features (N, F) and the next state."""
        before = state.view(-1, SLOTS, self.channels)  # (N, M / C, C)
        seen = mask[:, None]  # (N, 1, C)
        visible, last, scale, after = self._update(x[:, None], seen, torch.split(before, list(BLOCKS), dim=1))
        after = before + seen * (after - before)
        features = torch.cat([visible * seen, last, scale], dim=1)
        return features.flatten(1), torch.cat([last, after[:, 1:]], dim=1).flatten(1)

    def _update(self, x: Tensor, mask: Tensor, before: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Ratios (N, VISIBLE, C), last value and scale (N, 1, C), and the state (N, SLOTS, C) if x is observed."""
        last, count, same, offsets, averages, highest, lowest = before
        begun = torch.clamp(count, max=1.0) * mask  # 0 before the first value
        moved = (x - last) * begun
        last = last + mask * (x - last)
        count = torch.clamp(count + 1.0, max=MAX_AGE)
        young = 1.0 / count  # the rate of a plain mean, until a time constant is over
        step = torch.abs(moved)
        resolution = torch.clamp(GRAIN * torch.abs(last), min=FLOOR)  # the exporter takes so little, added, for 0
        same = (same + 1.0) * (step <= resolution).to(x) * begun

        # Distances of x from its levels before these follow. A slow level follows an outlier only up to `OUTLIER`.
        away = moved - offsets  # (N, 4, C)
        most = torch.where(averages[:, :5] > FLOOR, averages[:, :5] * self.outlier, ANY)
        reach = torch.cat([torch.full_like(x, ANY), most[:, :3]], dim=1)
        offsets = torch.maximum(young, self.level_rate) * torch.clamp(away, -reach, reach) - away
        scale_before = torch.maximum(averages[:, 2:3], resolution)  # the scale before this value
        slight = RATIO_EPSILON * scale_before + resolution
        views = torch.cat([offsets[:, :1] - offsets[:, 1:2], offsets[:, 1:2] - offsets[:, 3:]], dim=1)  # (N, 2, C)
        outside = (torch.abs(away[:, 2:3]) > OUTSIDE * scale_before).to(x)

        sizes = torch.minimum(torch.cat([torch.abs(away[:, 1:]), step, step], dim=1), most)
        taken = torch.cat([sizes, outside, outside, torch.abs(views)], dim=1)
        typical = averages[:, 7:]
        averages = averages + torch.maximum(young, self.average_rate) * (taken - averages)
        spread, wide, scale, mean_step, hop, crowd, far, _, _ = torch.split(averages, 1, dim=1)
        hop = torch.maximum(hop, slight)

        slowest = away[:, 3:]
        extremes = torch.cat(
            [
                torch.clamp(slowest, min=0.0),
                torch.clamp(-slowest, min=0.0),
                step,
                torch.abs(views),
                spread,
                mean_step,
                same,
            ],
            dim=1,
        )  # (N, 8, C)
        rates = extremes[:, 5:7]
        over = torch.cat([spread, wide, mean_step, hop, extremes[:, :7], torch.abs(views), rates], dim=1)
        under = torch.cat([scale_before, scale_before, hop, scale_before, highest[:, :7], typical, lowest], dim=1)
        ratios = torch.log((over + slight) / (under + slight))  # (N, 15, C)
        others = torch.cat(
            [
                torch.log1p(same) - torch.log1p(highest[:, 7:]),
                torch.log((crowd + RATIO_EPSILON) / (far + RATIO_EPSILON)),
                torch.log(far + RATIO_EPSILON) / 3.0 + 1.0,
                torch.log1p(count) / 4.0 - 1.0,
            ],
            dim=1,
        )
        visible = torch.cat(
            [
                squashed(torch.cat([away, views], dim=1) / scale_before),
                squashed(moved / hop),
                torch.clamp(torch.cat([ratios, others], dim=1), -LOG_CLIP, LOG_CLIP),
            ],
            dim=1,
        )

        highest = torch.maximum(highest * RECORD_DECAY, extremes)
        # The minimum so far, once the shortest time constant is over; it decays upwards.
        lowest = torch.where(count > AVERAGES[0], torch.minimum(lowest / RECORD_DECAY, rates), rates)
        after = torch.cat([last, count, same, offsets, averages, highest, lowest], dim=1)
        return visible, last, torch.maximum(scale, resolution), after
