"""Task `generate`: streams drawn frame by frame from mean and scale, starting from a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.model import ChannelKind, Task
from tocsin_training.errors import TrainingError
from tocsin_training.tasks.forecast import ForecastTask

if TYPE_CHECKING:
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.recipe import Recipe


class GenerateTask(ForecastTask):
    """Forecast from a profile; a watch refuses its bundle."""

    name = Task.GENERATE
    own_key = "profile"
    raises_alarms = False

    def recipe_fault(self, recipe: Recipe) -> str | None:
        """Generation needs fitted normalisation."""
        if recipe.network.normalisation == "running":
            return "network.normalisation running forecasts one step only, and task is generate; say fitted"
        return super().recipe_fault(recipe)

    def check_records(self, recipe: Recipe, data: StreamDataset) -> None:
        """The first row of every stream holds its whole profile.

        Raises:
            TrainingError: A stream lacks a part of it.
        """
        static = np.array([channel.kind is ChannelKind.STATIC for channel in recipe.channels])
        known = (data.mask[data.start[:-1]][:, static] > 0).all(axis=1)
        if not known.all():
            raise TrainingError(
                f"data.source {recipe.data.source!r}: stream {data.streams[int(np.argmin(known))]!r} lacks a part of "
                f"its profile ({', '.join(recipe.profile or ())}); give all of it in the first row, or leave the "
                "stream out"
            )
