"""Task `forecast`: the score is the surprise of a frame, given the frames before it. No labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from tocsin.engine.model import StepFunction, Task
from tocsin_training.calibration.operating_point import threshold_of_budget
from tocsin_training.export.forecast_step import ForecastStep
from tocsin_training.nets.heads import ForecastHead
from tocsin_training.train.members import HeldOut, train_one
from tocsin_training.train.objective import forecast_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from tocsin_training.data.batches import StreamBatch
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.export.step import StepModule
    from tocsin_training.nets.heads import Head, Outputs
    from tocsin_training.nets.network import Network
    from tocsin_training.nets.tree_ensemble import TreeEnsemble
    from tocsin_training.recipe import Recipe
    from tocsin_training.tasks.protocol import CalibrationResult
    from tocsin_training.train.members import Run


class ForecastTask:
    """Forecast of the next frame; the threshold allows a rate of false alarms on validation streams."""

    name: Task = Task.FORECAST
    own_key: str | None = None
    predicts_events = False
    raises_alarms = True

    def head(self, recipe: Recipe, inputs: int, dropout: nn.Dropout) -> Head:
        """Mean and scale of the next frame."""
        return ForecastHead(recipe.network, inputs, len(recipe.channels), dropout)

    def loss(
        self,
        network: Network,
        outputs: Outputs,
        batch: StreamBatch,
        recipe: Recipe,
    ) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood of the next frame."""
        following = forecast_loss(network, outputs, batch)
        return following, following

    def recipe_fault(self, recipe: Recipe) -> str | None:
        """Folds are for tasks with an event."""
        if recipe.training.folds > 1:
            return f"training.folds {recipe.training.folds} fits task alarm only; say 1"
        return None

    def check_records(self, recipe: Recipe, data: StreamDataset) -> None:
        """Any records do."""

    def check_sufficiency(self, recipe: Recipe, data: StreamDataset, valid: StreamDataset) -> None:
        """Any streams that outlast the warm-up do."""

    def train(
        self, recipe: Recipe, data: StreamDataset, valid: StreamDataset, run: Run
    ) -> tuple[list[Network], HeldOut]:
        """Train one network, stopped on the validation streams."""
        return [train_one(self, recipe, data, valid, run)], HeldOut(valid, np.zeros(0, dtype=np.float32))

    def step_module(
        self,
        members: Sequence[Network],
        recipe: Recipe,
        tree_ensemble: TreeEnsemble | None,
    ) -> StepModule:
        """Step that scores each frame under the last prediction."""
        return ForecastStep(members[0], recipe)

    def fit_step(
        self,
        step: StepModule,
        recipe: Recipe,
        data: StreamDataset,
        held_out: HeldOut,
    ) -> CalibrationResult | None:
        """Fit the score module to the residuals of the training streams."""
        forecast_step = cast("ForecastStep", step)
        forecast_step.score_module.fit(forecast_step.network, data, recipe.serving)
        return None

    def operating_point(
        self, graph: StepFunction, step: StepModule, recipe: Recipe, valid: StreamDataset
    ) -> CalibrationResult:
        """Threshold with `serving.false_alarms_per_day` onsets, on the normal validation streams if they are enough."""
        return threshold_of_budget(graph, step.state_size, recipe.serving, valid)
