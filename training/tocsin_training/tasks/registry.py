"""Registry of tasks, and the rules that relate a recipe's keys to its task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.engine.model import Task
from tocsin_training.nets.network import Network
from tocsin_training.tasks.alarm import AlarmTask
from tocsin_training.tasks.classify import ClassifyTask
from tocsin_training.tasks.forecast import ForecastTask
from tocsin_training.tasks.generate import GenerateTask
from tocsin_training.tasks.seq2seq import Seq2SeqTask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin_training.recipe import Recipe
    from tocsin_training.tasks.protocol import TrainingTask

TASKS: Mapping[Task, TrainingTask] = {
    task.name: task for task in (ForecastTask(), AlarmTask(), ClassifyTask(), Seq2SeqTask(), GenerateTask())
}
FORECAST_SCORES = {"departure", "whitened"}  # score kinds that rest on the forecast of one step


def task_of(recipe: Recipe) -> TrainingTask:
    """Task of a recipe."""
    return TASKS[recipe.task]


def network_of(recipe: Recipe) -> Network:
    """Untrained network of a recipe."""
    return Network(recipe, task_of(recipe))


def recipe_fault(recipe: Recipe) -> str | None:
    """Contradiction between the keys of a recipe and its task, with its remedy; None for none."""
    own = task_of(recipe)
    for task in TASKS.values():
        given = task.own_key is not None and getattr(recipe, task.own_key) is not None
        if given and task is not own:
            return f"{task.own_key} belongs to task {task.name} alone, and task is {own.name}; remove it"
    if own.own_key is not None and getattr(recipe, own.own_key) is None:
        return f"task {own.name} needs {own.own_key}; add it"
    if recipe.score.kind in FORECAST_SCORES and own.name is not Task.FORECAST:
        return f"score.kind {recipe.score.kind} fits task forecast only, and task is {own.name}; say nll or ewma"
    return own.recipe_fault(recipe)
