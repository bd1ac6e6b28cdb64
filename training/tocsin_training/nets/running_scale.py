"""Memory without units: location, scale and records of each channel, learned from the stream itself as it runs.

Nothing here was fitted on anything. A stream's first values set its level and its spread; both follow it, quickly and
slowly, and what the network sees are ratios of the two. So a·x + b looks like x (a > 0), for counts of 1e9 and for
currents of 1e-6 A alike, and a tick is a tick, whatever its length.

Levels are kept as distances from the last value: in float32 a mean near 1e9 could not move by less than 64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tocsin_training.nets.channel_features import Memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

LEVELS = (6.0, 32.0, 200.0, 1200.0)  # ticks over which the four levels follow
AVERAGES = (32.0, 200.0, 1200.0, 32.0, 1200.0, 32.0, 1200.0, 1200.0, 1200.0)  # ticks; see `BLOCKS`
FADE = 1.0 - 1.0 / 4000.0  # of records, per tick
OUTLIER = (6.0, 6.0, 6.0, 12.0, 12.0)  # times the average; a size that is larger counts for no more than that
STRAYS = 3.0  # spreads from which on a value is called outside
OLDEST = 4000.0  # ticks; a stream older than that is as old
GRAIN = 1e-7  # of a value; what float32 cannot tell from rounding is no movement
FLOOR = 1e-30  # smaller spreads are none
SLIGHT = 1e-2  # of the scale; ratios of less are not told apart
FURTHEST = 5.0  # logarithms are cut at ± this
FARTHEST = 300.0  # spreads; beyond, a distance says no more than "far"
STRUCK = 8.0  # scales; nothing is learned from residuals beyond
ANY = 3e38  # no limit

BLOCKS = (1, 1, 1, len(LEVELS), len(AVERAGES), 8, 2)
"""State per channel: the last value, ticks so far, ticks since it moved, levels, averages, highest and lowest of them.

Levels are kept as distances from the last value. The averages are the distance from each level but the quickest,
the size of a step over two horizons, the share of values outside over two, and the size of two views: the level of 6
ticks less that of 32, and that of 32 less that of 1,200. Highest on record are the distance above and below the
slowest level, the step, both views, the quickest average distance and step, and the time without a movement; lowest
on record are the quickest average distance and step.
"""
SLOTS = sum(BLOCKS)  # floats of state per channel
TOLD = 26  # features per channel that the network sees


def squashed(ratio: Tensor) -> Tensor:
    """Sign and logarithm of a distance.

    >>> [round(told, 2) for told in squashed(torch.tensor([-1.0, 0.0, 100.0, 1e9])).tolist()]
    [-0.69, 0.0, 4.62, 5.71]
    """
    return torch.sign(ratio) * torch.log1p(torch.clamp(torch.abs(ratio), max=FARTHEST))


class RunningScale(Memory):
    """See the module. Its features are `TOLD` ratios a channel, then the channels' last values and scales in units."""

    level_rate: Tensor
    average_rate: Tensor
    outlier: Tensor

    def __init__(self, channels: int) -> None:
        """Make one for C channels."""
        super().__init__([False] * channels, 1.0, ())
        self.state_size = SLOTS * channels
        self.features = (TOLD + 2) * channels
        self.register_buffer("level_rate", 1.0 / torch.tensor(LEVELS)[:, None])
        self.register_buffer("average_rate", 1.0 / torch.tensor(AVERAGES)[:, None])
        self.register_buffer("outlier", torch.tensor(OUTLIER)[:, None])

    @property
    def told(self) -> int:
        """How many of the features the network sees."""
        return TOLD * self.channels

    def shown(self, features: Tensor) -> Tensor:
        """(…, told) the ratios."""
        return features[..., : self.told]

    def stretched(self, sizes: Tensor, features: Tensor) -> Tensor:
        """(…, C) sizes in scales, in units."""
        return sizes * features[..., self.told + self.channels :]

    def residual(self, x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """(…, C) how far x lies from what was expected; cut, as the first stir of what stood still is endlessly far."""
        away = x - mean
        near = torch.abs(away) < STRUCK * scale
        # Divided where near alone: elsewhere the gradient of a quotient by next to nothing would be no number.
        return torch.where(near, torch.where(near, away, 0.0) / torch.where(near, scale, 1.0), STRUCK)

    def fit(self, x: NDArray[np.float32], mask: NDArray[np.float32]) -> None:
        """Take nothing: every stream has its own level and scale."""

    def normalise(self, x: Tensor, mask: Tensor, reach: float = ANY) -> Tensor:  # noqa: ARG002  (in units, none is far)
        """(…, C) as it is: forecasts are in the channels' units already."""
        return x * mask

    def in_units(self, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """(…, C) as they are."""
        return mean, scale

    def last(self, features: Tensor) -> Tensor:
        """(…, C) the last values, in units."""
        return features[..., self.told : self.told + self.channels]

    def step(self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002  (a tick is a tick)
        """One tick: x and mask (N, C) and state (N, M) give the features (N, F) and the next state."""
        before = state.view(-1, SLOTS, self.channels)  # (N, M / C, C)
        seen = mask[:, None]  # (N, 1, C)
        told, last, scale, after = self._told(x[:, None], seen, torch.split(before, list(BLOCKS), dim=1))
        after = before + seen * (after - before)
        features = torch.cat([told * seen, last, scale], dim=1)
        return features.flatten(1), torch.cat([last, after[:, 1:]], dim=1).flatten(1)

    def _told(self, x: Tensor, mask: Tensor, before: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What is told (N, TOLD, C), last value and scale (N, 1, C), and the state (N, SLOTS, C) if x is observed."""
        last, count, same, offsets, averages, highest, lowest = before
        begun = torch.clamp(count, max=1.0) * mask  # 0 before the first value
        moved = (x - last) * begun
        last = last + mask * (x - last)
        count = torch.clamp(count + 1.0, max=OLDEST)
        young = 1.0 / count  # the rate of a plain mean, until a horizon is full
        step = torch.abs(moved)
        still = torch.clamp(GRAIN * torch.abs(last), min=FLOOR)  # the exporter takes so little, added, for 0
        same = (same + 1.0) * (step <= still).to(x) * begun

        # Distances of x from its levels, each judged before the level follows. An outlier pulls a slow one no further.
        away = moved - offsets  # (N, 4, C)
        most = torch.where(averages[:, :5] > FLOOR, averages[:, :5] * self.outlier, ANY)
        reach = torch.cat([torch.full_like(x, ANY), most[:, :3]], dim=1)
        offsets = torch.maximum(young, self.level_rate) * torch.clamp(away, -reach, reach) - away
        usual = torch.maximum(averages[:, 2:3], still)  # the scale before this value
        slight = SLIGHT * usual + still
        views = torch.cat([offsets[:, :1] - offsets[:, 1:2], offsets[:, 1:2] - offsets[:, 3:]], dim=1)  # (N, 2, C)
        outside = (torch.abs(away[:, 2:3]) > STRAYS * usual).to(x)

        sizes = torch.minimum(torch.cat([torch.abs(away[:, 1:]), step, step], dim=1), most)
        taken = torch.cat([sizes, outside, outside, torch.abs(views)], dim=1)
        typical = averages[:, 7:]
        averages = averages + torch.maximum(young, self.average_rate) * (taken - averages)
        spread, wide, scale, stir, hop, crowd, far, _, _ = torch.split(averages, 1, dim=1)
        hop = torch.maximum(hop, slight)

        slowest = away[:, 3:]
        shown = torch.cat(
            [torch.clamp(slowest, min=0.0), torch.clamp(-slowest, min=0.0), step, torch.abs(views), spread, stir, same],
            dim=1,
        )  # (N, 8, C)
        paces = shown[:, 5:7]
        over = torch.cat([spread, wide, stir, hop, shown[:, :7], torch.abs(views), paces], dim=1)
        under = torch.cat([usual, usual, hop, usual, highest[:, :7], typical, lowest], dim=1)
        ratios = torch.log((over + slight) / (under + slight))  # (N, 15, C)
        others = torch.cat(
            [
                torch.log1p(same) - torch.log1p(highest[:, 7:]),
                torch.log((crowd + SLIGHT) / (far + SLIGHT)),
                torch.log(far + SLIGHT) / 3.0 + 1.0,
                torch.log1p(count) / 4.0 - 1.0,
            ],
            dim=1,
        )
        told = torch.cat(
            [
                squashed(torch.cat([away, views], dim=1) / usual),
                squashed(moved / hop),
                torch.clamp(torch.cat([ratios, others], dim=1), -FURTHEST, FURTHEST),
            ],
            dim=1,
        )

        highest = torch.maximum(highest * FADE, shown)
        # The least so far, once the shortest horizon is full; it rises again as records fade.
        lowest = torch.where(count > AVERAGES[0], torch.minimum(lowest / FADE, paces), paces)
        after = torch.cat([last, count, same, offsets, averages, highest, lowest], dim=1)
        return told, last, torch.maximum(scale, still), after
