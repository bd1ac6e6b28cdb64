"""One detector a machine, all by one recipe: a network of the project's family that forecasts levels, whitened."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from tocsin_training.export import step as steps
from tocsin_training.nets.distribution import spread
from tocsin_training.scores.whitened import Whitened, moving_average, residuals
from tocsin_training.train import loop

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.data.dataset import Sequences
    from tocsin_training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Detector:
    """A fitted network with its score, as the graph would hold it."""

    step: steps.ForecastStep
    recipe: Recipe

    @property
    def units(self) -> NDArray[np.float64]:
        """(C,) what a residual of 1 is in the channels' units; the network's spread is constant."""
        network = self.step.network
        scale = spread(network.forecast.bias[network.channels :]) * network.memory.deviation
        found: NDArray[np.float64] = scale.detach().double().numpy()
        return found

    def averaged(self, data: Sequences) -> NDArray[np.float64]:
        """(R - 1, C) averaged residuals of one stream, in the channels' units."""
        weigh = cast("Whitened", self.step.weigh)
        z, observed = residuals(self.step.network, data, weigh.reach)
        found: NDArray[np.float64] = weigh.average(z, observed, data.lengths - 1).double().numpy()
        return found * self.units

    def allow(self, drift: NDArray[np.float64], normal: Sequences) -> None:
        """Take the score's constants from `normal` anew, with slack for a drift (C, C), in the channels' units."""
        weigh, units = cast("Whitened", self.step.weigh), self.units
        weigh.slack = torch.from_numpy(drift / np.outer(units, units))
        weigh.fit(self.step.network, normal, self.recipe.serving)

    def contributions(self, data: Sequences) -> NDArray[np.float64]:
        """(R, C) of one stream; rows sum to the score. The first, which nothing foretold, is 0.

        The same sums that the exported graph makes tick by tick, made for all ticks at once.
        """
        network, weigh = self.step.network, cast("Whitened", self.step.weigh)
        z, observed = residuals(network, data, weigh.reach)
        with torch.no_grad():
            averaged = weigh.average(z, observed, data.lengths - 1)
            gathered = moving_average(weigh.evidence(averaged, observed), weigh.rate)
            gathered = gathered / observed.sum(1, keepdim=True).clamp(min=1.0)
        return np.concatenate([np.zeros((1, data.x.shape[1])), gathered.double().numpy()])


def fit(recipe: Recipe, fitted: Sequences, held_out: Sequences, normal: Sequences) -> Detector:
    """Train on `fitted`, stop on `held_out`, take the score's constants from `normal`."""
    with tempfile.TemporaryDirectory() as folder:
        network = loop.train(
            recipe,
            fitted,
            held_out,
            Path(folder) / "network.pt",
            seed=recipe.training.seed * 1000,  # as `tocsin train` would
            device=torch.device("cpu"),
        )
    step = cast("steps.ForecastStep", steps.make([network], recipe))
    step.weigh.fit(network, normal, recipe.serving)
    return Detector(step, recipe)
