"""Data sources: found by the name that a recipe gives, and read part by part."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin_training.data.dataset import DataRequest, StreamDataset
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin_training.recipe import Recipe


def find(name: str) -> Callable[[DataRequest], StreamDataset]:
    """Function of a data source, from `module:function`.

    Raises:
        TrainingError: It cannot be found.
    """
    module, _, function = name.partition(":")
    if not module or not function:
        raise TrainingError(f"data.source {name!r} is no module:function")
    try:
        found: Callable[[DataRequest], StreamDataset] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise TrainingError(
            f"data.source {name!r} cannot be found ({error}); give module:function of an installed package"
        ) from error
    if not callable(found):
        raise TrainingError(f"data.source {name!r} is no function; give module:function")
    return found


def read(recipe: Recipe, part: str, folder: Path, runs: Path = Path("runs")) -> StreamDataset:
    """Read a part of the recipe's data; its source may cache converted data under `runs`.

    Raises:
        TrainingError: The source cannot be found, or does not return a `StreamDataset`.
    """
    try:
        source = find(recipe.data.source)
    except TrainingError as error:
        raise TrainingError(f"recipe {recipe.name}: {error}") from error
    data = source(
        DataRequest(
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
    if not isinstance(data, StreamDataset):
        raise TrainingError(
            f"data.source {recipe.data.source!r} gave {type(data).__name__}; it has to give StreamDataset"
        )
    return data
