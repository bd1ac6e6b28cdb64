"""Task `forecast`: the score is the surprise of a frame, given the frames before it. No labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from tocsin.bundle.manifest import Calibration
from tocsin.engine.model import StepFunction, Task
from tocsin_training.backtest import rollout
from tocsin_training.calibration import false_alarm_curve
from tocsin_training.export.forecast_step import ForecastStep
from tocsin_training.nets.heads import ForecastHead
from tocsin_training.scores import thresholds
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
        serving = recipe.serving
        normal = false_alarm_curve.normal_streams(valid)
        which = "validation streams"
        if (
            normal is not None
            and len(normal) < len(valid)
            and normal.lengths.max() > serving.warm_up_ticks + serving.on_delay_ticks
        ):
            valid, which = normal, "normal validation streams"
        score = rollout.scores(graph, step.state_size, valid)
        for start in valid.start[:-1]:
            score[start : start + serving.warm_up_ticks] = np.nan
        budget = serving.false_alarms_per_day
        held = thresholds.sustained(score, valid.start, serving.on_delay_ticks)
        threshold = thresholds.threshold_for_rate(held, valid, serving.period_s, budget)
        figures = {
            "validation score, median": round(float(np.nanmedian(score)), 4),
            "validation score, 99.9 %": round(float(np.nanquantile(score, 0.999)), 4),
        }
        days = len(score) * serving.period_s / thresholds.SECONDS_PER_DAY
        chosen_by = (
            f"at most {budget:g} onsets per stream-day that outlast {serving.on_delay_ticks} ticks, "
            f"over {days:.4g} days of {len(valid)} {which}"
        )
        return Calibration(scale="surprise", threshold=threshold, chosen_by=chosen_by), figures
