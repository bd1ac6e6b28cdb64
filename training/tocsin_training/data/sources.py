"""Data sources: found by the name that a recipe gives, and read part by part."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin_training.data.dataset import Request, Sequences
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin_training.recipe import Recipe


def find(name: str) -> Callable[[Request], Sequences]:
    """The function that `module:function` names.

    Raises:
        TrainingError: There is none.
    """
    module, _, function = name.partition(":")
    if not module or not function:
        raise TrainingError(f"data.source {name!r} is no module:function")
    try:
        found: Callable[[Request], Sequences] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise TrainingError(
            f"data.source {name!r} cannot be found ({error}); give module:function of an installed package"
        ) from error
    if not callable(found):
        raise TrainingError(f"data.source {name!r} is no function; give module:function")
    return found


def read(recipe: Recipe, part: str, folder: Path, runs: Path = Path("runs")) -> Sequences:
    """Ask the recipe's data source for a part; it may keep what it has converted under `runs`."""
    try:
        source = find(recipe.data.source)
    except TrainingError as error:
        raise TrainingError(f"recipe {recipe.name}: {error}") from error
    data = source(
        Request(
            part=part,
            folder=folder,
            channels=recipe.channels,
            period_s=recipe.serving.period_s,
            delta_cap_s=recipe.serving.delta_cap_s,
            seed=recipe.training.seed,
            options=recipe.data.options,
            runs=runs,
            classes=recipe.classes,
        )
    )
    if not isinstance(data, Sequences):
        raise TrainingError(f"data.source {recipe.data.source!r} gave {type(data).__name__}; it has to give Sequences")
    return data
