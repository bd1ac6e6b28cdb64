"""Departure of a stream from its own past: averaged residuals, and levels against slower levels.

A forecast of the next second follows a slow deterioration, so single residuals do not show it. Three views of the same
forecast do, each with its own time constant:

    glance   residuals averaged over `GLANCE` ticks              an apnoea, an arrhythmia
    minutes  level of seconds against a level of minutes         a fall within minutes
    hours    level of half a minute against a level of an hour   a drift

Each view is a vector of C departures. Its size is a quadratic form, the inverse covariance of the largest departures of
normal streams: directions in which normal streams depart (pulse and pressure rise when a patient sits up) count little,
others (pulse up, pressure down) much. Each size is divided by the value that normal streams exceed at its share of the
allowed false alarms. The score is the largest of the three, so 1 is the threshold of a view by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tocsin_training.data.batches import padded
from tocsin_training.scores import surprise
from tocsin_training.scores.surprise import Surprise
from tocsin_training.scores.thresholds import sustained, threshold_for_rate
from tocsin_training.scores.whitened import Whitened

if TYPE_CHECKING:
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.nets.network import Network
    from tocsin_training.recipe import ScoreRecipe, ServingRecipe

GLANCE = 6.0  # ticks
LEVELS = ((10.0, 120.0), (30.0, 3600.0))  # ticks of the quick and of the slow level, of minutes and of hours
SHARES = (0.2, 0.2, 0.6)  # of the false alarms allowed
SETTLED = 600  # ticks after which a stream's departures are taken as examples of normal
WORST = 0.02  # share of normal rows the quadratic forms are made from
EVERY = 7  # rows so near each other say the same
YOUNG = 20.0  # ticks of which a level is the plain mean
AGEING = 7.0  # how much faster than time it ages afterwards, until it is as slow as it should be
INPUT_CLIP = 3.0  # standard deviations: nonsense that lies further off pulls a level no harder
FEWEST = 3.0  # channels; with fewer observed, a size isn't blown up further


class DepartureViews(NamedTuple):
    """Departures of the three views, (N, C) each."""

    glance: Tensor
    minutes: Tensor
    hours: Tensor


class Departure(Surprise):
    """Score module of the three views; its constants are fitted, not learned."""

    spread: Tensor
    form: Tensor
    band_width: Tensor
    ones: Tensor

    def __init__(self, channels: int, clip: float) -> None:
        """Build the module for C channels; residuals are clipped at ±clip."""
        super().__init__(channels, clip)
        self.rate = 1.0 - float(np.exp(-1.0 / GLANCE))
        self.state_size = (3 + 2 * len(LEVELS)) * channels  # residuals, their weight, count, quick and slow levels
        self.register_buffer("spread", torch.ones(len(SHARES), channels))
        self.register_buffer("form", torch.eye(channels).repeat(len(SHARES), 1, 1))
        self.register_buffer("band_width", torch.ones(channels))
        self.register_buffer("ones", torch.ones(channels, 1))

    def forward(self, z: Tensor, observed: Tensor, expected: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Evidence of a frame, see `Surprise.forward`."""
        views, state = self.depart(z, observed, expected, state)
        count = observed @ self.ones  # (N, 1)
        fairly = count / torch.clamp(count, min=FEWEST)  # the step divides by the count
        largest, evidence = None, torch.zeros_like(z)
        for view, departure in enumerate(views):
            part = self.size(view, departure * observed) * fairly
            whole = part @ self.ones
            if largest is None:
                largest, evidence = whole, part
                continue
            wins = (whole > largest).to(z)
            largest, evidence = torch.maximum(largest, whole), evidence + wins * (part - evidence)
        return evidence, state

    def depart(self, z: Tensor, observed: Tensor, expected: Tensor, state: Tensor) -> tuple[DepartureViews, Tensor]:
        """Departures of the three views (N, C) for one tick, and the next state."""
        gathered, weight, count, *levels = self._parts(state)
        # After a gap the forecast still stands where the channel was lost: its first residuals say little.
        full = self.rate / (2.0 - self.rate)  # the weight of a channel that is never missing
        cut = torch.clamp(z, -self.clip, self.clip) * observed * torch.clamp(weight / full, max=1.0)
        keep = 1.0 - self.rate
        gathered = keep * gathered + self.rate * cut
        weight = keep * keep * weight + self.rate * self.rate * observed
        found = [gathered / torch.sqrt(torch.clamp(weight, min=2.0 * self.rate * self.rate))]
        count = torch.clamp(count + observed, max=LEVELS[-1][1])  # older than the slowest level is old
        # A running mean of the first ticks; after them a young level ages faster than it is, lest it follow a fall.
        young = torch.clamp(count, max=YOUNG)
        age = young + (count - young) * AGEING
        states = [gathered, weight, count]
        for (quick_ticks, slow_ticks), quick, slow in zip(LEVELS, levels[::2], levels[1::2], strict=True):
            after = [
                level
                + observed
                * torch.clamp(expected - level, -INPUT_CLIP, INPUT_CLIP)
                * torch.clamp(1.0 / torch.clamp(age, min=1.0), min=1.0 / ticks)
                for level, ticks in ((quick, quick_ticks), (slow, slow_ticks))
            ]
            # What isn't measured is forgotten: a probe that fell off showed nonsense last, and will be put on again.
            after[0] = after[0] + (1.0 - observed) * (slow - quick) / quick_ticks
            found.append(after[0] - after[1])
            states += after
        return DepartureViews(*found), torch.cat(states, dim=1)

    def _parts(self, state: Tensor) -> tuple[Tensor, ...]:
        parts: tuple[Tensor, ...] = torch.split(state, self.channels, dim=1)  # (N, C) each
        return parts

    def size(self, view: int, departure: Tensor) -> Tensor:
        """Parts (N, C) of a view's size by channel; they sum to it, and a part may be negative."""
        scaled = departure / self.spread[view]
        return scaled * (scaled @ self.form[view]) * self.channels

    def band(self, mean: Tensor, scale: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and scale (N, C) to display: the stream's level of the last hour, and the spread about it.

        The forecast of the next second would follow every fall, and hide it.
        """
        _, _, count, *_, slow = self._parts(state)
        known = torch.clamp(count, max=1.0)
        return mean + known * (slow - mean), scale + known * (self.band_width - scale)

    @torch.no_grad()
    def fit(self, network: Network, data: StreamDataset, serving: ServingRecipe) -> None:
        """Fit the constants to the training streams, as the trained network forecasts them."""
        views, observed, away = self._seen(network, data)
        settled = torch.cat([torch.arange(int(length)) >= SETTLED for length in data.lengths])
        self.band_width.copy_(_rms(away[settled], observed[settled]))
        for view, share in enumerate(SHARES):
            self.spread[view] = _rms(views[settled, view], observed[settled])
            scaled = views[:, view] / self.spread[view] * observed
            example = scaled[settled][::EVERY]
            norm = (example * example).sum(1)
            worst = example[norm > torch.quantile(norm[:: max(1, len(norm) // 1_000_000)], 1.0 - WORST)]
            self.form[view] = torch.linalg.inv(worst.T @ worst / len(worst))
            fairly = self.channels / torch.clamp(observed.sum(1), min=FEWEST)
            sizes = ((scaled @ self.form[view]) * scaled).sum(1) * fairly
            held = sustained(sizes.numpy(), data.start, serving.on_delay_ticks)
            self.form[view] /= threshold_for_rate(held, data, serving.period_s, serving.false_alarms_per_day * share)

    def _seen(self, network: Network, data: StreamDataset) -> tuple[Tensor, Tensor, Tensor]:
        """Departures (R, V, C), observations (R, C) and distances from the slowest level (R, C)."""
        batch = padded(data, np.arange(len(data)), torch.device("cpu"))
        x = network.channel_features.normalise(batch.x, batch.mask)
        parts, before, carried = [], None, None
        state = x.new_zeros(len(x), self.state_size)
        length = 900  # ticks of one window
        for window in range(0, x.shape[1], length):
            rows = slice(window, window + length)
            output, carried = network(batch.x[:, rows], batch.mask[:, rows], batch.delta[:, rows], carried)
            for t in range(output.mean.shape[1]):
                at = window + t
                ready = 0.0 if before is None else 1.0
                mean, scale = before or (torch.zeros_like(x[:, 0]), torch.ones_like(x[:, 0]))
                observed = batch.mask[:, at] * network.measured * ready
                z = network.distribution.as_normal((x[:, at] - mean) / scale)
                views, state = self.depart(z, observed, mean, state)
                slow = self._parts(state)[-1]
                parts.append(torch.stack([*views, observed, x[:, at] - slow], dim=1))  # (B, V + 2, C)
                before = output.mean[:, t], output.scale[:, t]
        every = torch.stack(parts, dim=1)[batch.frame_mask > 0]  # (R, V + 2, C)
        return every[:, :-2], every[:, -2], every[:, -1]


def _rms(values: Tensor, observed: Tensor) -> Tensor:
    """Root mean square (C,) of the observed values."""
    return torch.sqrt((values * values * observed).sum(0) / torch.clamp(observed.sum(0), min=1.0)).clamp(min=1e-3)


def make(recipe: ScoreRecipe, channels: int) -> Surprise:
    """The score module that a recipe asks for."""
    if recipe.kind == "whitened":
        return Whitened(channels, recipe.clip, recipe.ticks, recipe.first_ticks, recipe.slack)
    return Departure(channels, recipe.clip) if recipe.kind == "departure" else surprise.make(recipe, channels)
