"""Distillation: targets from a teacher that is cross-fitted over the training streams.

Labels are 0 or 1 and events are few; the probabilities of a teacher carry more information for every frame (Hinton et
al. 2015, arXiv:1503.02531). A teacher fitted on a stream repeats its label. Therefore member k of a recipe with folds
learns fold j from a teacher fitted on all folds but j and k: not on j, whose targets it gives, and not on k, on which
the member is stopped and calibrated.
"""

from __future__ import annotations

import importlib
import itertools
from typing import TYPE_CHECKING, Protocol
from zipfile import BadZipFile

import numpy as np

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.recipe import Recipe


class Teacher(Protocol):
    """Class that `data.teacher` names: built once of the training data, then fitted on parts of them."""

    def __init__(self, data: StreamDataset) -> None:
        """Prepare what every fit shares."""

    def predict(
        self, fitted: NDArray[np.int64], held_out: list[NDArray[np.int64]], seed: int
    ) -> list[NDArray[np.float32]]:
        """Fit on the streams numbered `fitted`; returns the probability of every row of each list in `held_out`."""


def teacher_targets(
    recipe: Recipe, data: StreamDataset, fold: NDArray[np.int64], cache: Path, *, resume: bool
) -> NDArray[np.float32]:
    """Targets (K, R) of each member, see `cross_fitted`; written to `cache`, and read from it on `resume`.

    A cache of another teacher or other data, or one that cannot be read, is replaced.
    """
    key = f"{recipe.data.teacher} {recipe.training.folds} {recipe.training.seed} {data.digest()}"
    cached = _cached(cache, key) if resume else None
    if cached is not None and cached.shape == (recipe.training.folds, len(data.x)):
        return cached
    targets = cross_fitted(teacher_of(recipe, data), data, fold, recipe.training.seed)
    cache.parent.mkdir(parents=True, exist_ok=True)
    fresh = cache.with_suffix(".new.npz")
    np.savez(fresh, key=key, targets=targets)
    fresh.replace(cache)
    return targets


def _cached(cache: Path, key: str) -> NDArray[np.float32] | None:
    try:
        with cache.open("rb") as file, np.load(file) as content:
            return np.asarray(content["targets"], dtype=np.float32) if str(content["key"]) == key else None
    except (OSError, EOFError, BadZipFile, RuntimeError, KeyError, TypeError, ValueError):
        return None


def teacher_of(recipe: Recipe, data: StreamDataset) -> Teacher:
    """Teacher of a recipe over training data.

    Raises:
        TrainingError: `data.teacher` names no class.
    """
    module, name = str(recipe.data.teacher).split(":")
    try:
        teacher: Teacher = getattr(importlib.import_module(module), name)(data)
    except (ImportError, AttributeError) as error:
        raise TrainingError(
            f"recipe {recipe.name}: data.teacher {recipe.data.teacher!r} cannot be found ({error}); "
            "give module:class of an installed package"
        ) from error
    return teacher


def cross_fitted(teacher: Teacher, data: StreamDataset, fold: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    """Targets (K, R) of members 0 to K - 1; `fold` (B,) is each stream's fold.

    Row k holds on fold j the probabilities of the teacher without j and k; on fold k, which member k is stopped on, the
    mean of all teachers without k.
    """
    count = int(fold.max()) + 1
    streams = [np.flatnonzero(fold == k) for k in range(count)]
    targets = np.zeros((count, len(data.x)), dtype=np.float32)
    for j, k in itertools.combinations(range(count), 2):
        fitted = np.flatnonzero((fold != j) & (fold != k))
        for held_out, other, probability in zip(
            (j, k), (k, j), teacher.predict(fitted, [streams[j], streams[k]], seed * 1000 + j * count + k), strict=True
        ):
            rows = data.rows(streams[held_out])
            targets[other, rows] = probability
            targets[held_out, rows] += probability / (count - 1)
    return targets
