"""Decoder of `seq2seq`: from the encoder's context at one tick to the K frames that follow.

context ─▶ s(0)      each decoded mean is the next input
             │       ┌──────────┐
last x ──▶ cell ─▶ mean(1) ─▶ cell ─▶ mean(2) ─▶ … ─▶ mean(K)
             └─ h(1) ─────────┴─ h(2) ──── … ───────── h(K) ──▶ quantiles of the minimum and maximum over 1 … K
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from tocsin_training.nets.cells import Recurrence
from tocsin_training.nets.distribution import positive_scale

if TYPE_CHECKING:
    from tocsin_training.nets.cells import Cell
    from tocsin_training.recipe import HorizonRecipe

INITIAL_SPREAD = 0.5  # standard deviations from the median to the outermost quantile before training


class HorizonForecast(NamedTuple):
    """Forecast of a horizon, in standard deviations of the channels.

    Attributes:
        mean: (N, K, C).
        scale: (N, K, C).
        low: (N, C, Q) quantiles of the minimum over the horizon.
        high: (N, C, Q) quantiles of the maximum.
    """

    mean: Tensor
    scale: Tensor
    low: Tensor
    high: Tensor


class HorizonDecoder(nn.Module):
    """A recurrence of its own, unrolled K times; heads read its h."""

    def __init__(self, cell: Cell, context: int, channels: int, recipe: HorizonRecipe) -> None:
        """Initialise the weights; the first forecast is persistence.

        Args:
            cell: As the encoder's.
            context: J, the width of the context.
            channels: C.
            recipe: Gives K, the quantile levels and the width.
        """
        super().__init__()
        self.channels = channels
        self.levels = len(recipe.quantiles)
        self.ticks = recipe.ticks
        self.recurrence = Recurrence(cell, channels, recipe.width, 1)
        self.enter = nn.Linear(context, self.recurrence.state_size)
        self.forecast = nn.Linear(recipe.width, 2 * channels)
        nn.init.zeros_(self.forecast.weight)  # persistence before training
        nn.init.zeros_(self.forecast.bias)
        self.extremes = nn.Linear(2 * recipe.width, 2 * channels * self.levels)
        nn.init.zeros_(self.extremes.weight)
        apart = torch.tensor(2.0 * INITIAL_SPREAD / (self.levels - 1))
        first = torch.full((2 * channels, self.levels), float(torch.log(torch.expm1(apart))))
        first[:, 0] = -INITIAL_SPREAD
        self.extremes.bias.data.copy_(first.reshape(-1))

    def forward(self, context: Tensor, last: Tensor, measured: Tensor, ticks: int | None = None) -> HorizonForecast:
        """Decode contexts (N, J) and last values (N, C), `ticks` ahead or K; `measured` (C,) is 1 for readings."""
        state = torch.tanh(self.enter(context))
        mean = last * measured
        means: list[Tensor] = []
        scales: list[Tensor] = []
        lowest = highest = total = h = None
        for _ in range(ticks or self.ticks):
            h, state = self.recurrence.step(mean, state)
            moved, raw = torch.split(self.forecast(h), self.channels, dim=1)
            mean = (mean + moved) * measured
            means.append(mean)
            scales.append(positive_scale(raw) * measured + (1.0 - measured))
            lowest = mean if lowest is None else torch.minimum(lowest, mean)
            highest = mean if highest is None else torch.maximum(highest, mean)
            total = h if total is None else total + h  # a mean over a dimension would not be deterministic to the bit
        if lowest is None or highest is None or total is None or h is None:
            raise AssertionError  # a horizon has ticks
        raw = self.extremes(torch.cat([total / len(means), h], dim=1)).reshape(-1, 2, self.channels, self.levels)
        low, high = self._ascending(lowest, raw[:, 0]), self._ascending(highest, raw[:, 1])
        return HorizonForecast(torch.stack(means, dim=1), torch.stack(scales, dim=1), low, high)

    def _ascending(self, anchor: Tensor, raw: Tensor) -> Tensor:
        """Quantiles (N, C, Q) about `anchor` (N, C), ascending: differences are softplus."""
        quantiles = [anchor + raw[..., 0]]
        for level in range(1, self.levels):
            quantiles.append(quantiles[-1] + nn.functional.softplus(raw[..., level]))
        return torch.stack(quantiles, dim=-1)
