"""Protocol of a training task: head, loss, step module, calibration and checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tocsin_training.train.objective import Objective

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.bundle.manifest import Calibration
    from tocsin.engine.model import StepFunction, Task
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.export.step import StepModule
    from tocsin_training.nets.network import Network
    from tocsin_training.nets.tree_ensemble import TreeEnsemble
    from tocsin_training.recipe import Recipe
    from tocsin_training.train.members import HeldOut, Run

CalibrationResult = tuple["Calibration", dict[str, float]]
"""Calibration of the manifest, and figures measured on the way."""


class TrainingTask(Objective, Protocol):
    """One task.

    Attributes:
        name: As a recipe and a manifest call it.
        own_key: Key of a recipe that belongs to this task alone, and that it needs; None for none.
        predicts_events: Whether its event may lie up to `horizon_s` ahead.
        raises_alarms: Whether its score raises alarms, so that a false-alarm curve exists.
    """

    name: Task
    own_key: str | None
    predicts_events: bool
    raises_alarms: bool

    def recipe_fault(self, recipe: Recipe) -> str | None:
        """Contradiction between the task and the keys of a recipe, with its remedy; None for none."""

    def check_records(self, recipe: Recipe, data: StreamDataset) -> None:
        """Check that one part of the data has what the task learns.

        Raises:
            TrainingError: It lacks labels, classes or profiles.
        """

    def check_sufficiency(self, recipe: Recipe, data: StreamDataset, valid: StreamDataset) -> None:
        """Check that the data give an operating point.

        Raises:
            TrainingError: They do not; names the part and what it lacks.
        """

    def train(
        self, recipe: Recipe, data: StreamDataset, valid: StreamDataset, run: Run
    ) -> tuple[list[Network], HeldOut]:
        """Train the networks; returns them, and held-out streams for calibration."""

    def step_module(self, members: Sequence[Network], recipe: Recipe, tree_ensemble: TreeEnsemble | None) -> StepModule:
        """Build the step module that is exported, uncalibrated."""

    def fit_step(
        self, step: StepModule, recipe: Recipe, data: StreamDataset, held_out: HeldOut
    ) -> CalibrationResult | None:
        """Fit the constants of the step before its export; returns the operating point if that is known by now."""

    def operating_point(
        self, graph: StepFunction, step: StepModule, recipe: Recipe, valid: StreamDataset
    ) -> CalibrationResult:
        """Choose the operating point by the exported graph, where `fit_step` has not."""
