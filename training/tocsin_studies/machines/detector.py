"""Detector of one machine: a network of the project's family that forecasts levels, with whitened residuals."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from tocsin_training.nets.distribution import positive_scale
from tocsin_training.scores.whitened import Whitened, moving_average, residuals
from tocsin_training.tasks.registry import task_of
from tocsin_training.train import loop

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.export.forecast_step import ForecastStep
    from tocsin_training.nets.heads import ForecastHead
    from tocsin_training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class MachineDetector:
    """A fitted network with its score, as the graph would hold it."""

    step: ForecastStep
    recipe: Recipe

    @property
    def units(self) -> NDArray[np.float64]:
        """Scale (C,) of residuals in the channels' units; the network's forecast scale is constant."""
        network = self.step.network
        scale = (
            positive_scale(cast("ForecastHead", network.head).forecast.bias[network.channels :])
            * network.channel_features.deviation
        )
        found: NDArray[np.float64] = scale.detach().double().numpy()
        return found

    def averaged(self, data: StreamDataset) -> NDArray[np.float64]:
        """Averaged residuals (R - 1, C) of one stream, in the channels' units."""
        score_module = cast("Whitened", self.step.score_module)
        z, observed = residuals(self.step.network, data, score_module.input_clip)
        found: NDArray[np.float64] = score_module.average(z, observed, data.lengths - 1).double().numpy()
        return found * self.units

    def refit_score(self, drift: NDArray[np.float64], normal: StreamDataset) -> None:
        """Fit the score's constants to `normal` again, with slack for a drift (C, C), in the channels' units."""
        score_module, units = cast("Whitened", self.step.score_module), self.units
        score_module.slack = torch.from_numpy(drift / np.outer(units, units))
        score_module.fit(self.step.network, normal, self.recipe.serving)

    def contributions(self, data: StreamDataset) -> NDArray[np.float64]:
        """Contributions (R, C) of one stream; rows sum to the score. The first row, which has no forecast, is 0.

        The same sums as in the exported graph, for all ticks at once.
        """
        network, score_module = self.step.network, cast("Whitened", self.step.score_module)
        z, observed = residuals(network, data, score_module.input_clip)
        with torch.no_grad():
            averaged = score_module.average(z, observed, data.lengths - 1)
            gathered = moving_average(score_module.evidence(averaged, observed), score_module.rate)
            gathered = gathered / observed.sum(1, keepdim=True).clamp(min=1.0)
        return np.concatenate([np.zeros((1, data.x.shape[1])), gathered.double().numpy()])


def fit(recipe: Recipe, fitted: StreamDataset, held_out: StreamDataset, normal: StreamDataset) -> MachineDetector:
    """Train on `fitted`, stop on `held_out`, fit the score's constants to `normal`."""
    with tempfile.TemporaryDirectory() as folder:
        network = loop.train(
            task_of(recipe),
            recipe,
            fitted,
            held_out,
            Path(folder) / "network.pt",
            seed=recipe.training.seed * 1000,  # as `tocsin train` would
            device=torch.device("cpu"),
        )
    step = cast("ForecastStep", task_of(recipe).step_module([network], recipe, None))
    step.score_module.fit(network, normal, recipe.serving)
    return MachineDetector(step, recipe)
