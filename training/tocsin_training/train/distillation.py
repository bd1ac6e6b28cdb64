"""Learning from a teacher: what it says of the training streams, judged by parts of it that have not met them.

A label is 0 or 1 and comes with a few hundred events; a teacher's probability says of every frame how near it is, and
a network learns more from that (Hinton et al. 2015, arXiv:1503.02531). A teacher that has met a stream repeats its
label, though. So member k of a recipe with folds learns fold j from a teacher fitted on all folds but j and k: j,
because the teacher must not know what it is asked, and k, because the member is stopped and calibrated there.
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

    from tocsin_training.data.dataset import Sequences
    from tocsin_training.recipe import Recipe


class Teacher(Protocol):
    """What `data.teacher` names: made once of the training data, then fitted on parts of them."""

    def __init__(self, data: Sequences) -> None:
        """Prepare what every fit needs."""

    def judge(self, fitted: NDArray[np.int64], asked: list[NDArray[np.int64]], seed: int) -> list[NDArray[np.float32]]:
        """Fit on the streams with these numbers; gives the probability in every row of each of the lists asked."""


def taught(
    recipe: Recipe, data: Sequences, fold: NDArray[np.int64], kept: Path, *, resume: bool
) -> NDArray[np.float32]:
    """(K, R) what each member learns from, see `crossed`; kept in that file, and taken from it on `resume`.

    What another teacher said, or of other records, is asked for anew, and so is what cannot be read.
    """
    asked = f"{recipe.data.teacher} {recipe.training.folds} {recipe.training.seed} {data.digest()}"
    remembered = _remembered(kept, asked) if resume else None
    if remembered is not None and remembered.shape == (recipe.training.folds, len(data.x)):
        return remembered
    said = crossed(teacher_of(recipe, data), data, fold, recipe.training.seed)
    kept.parent.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_suffix(".new.npz")
    np.savez(fresh, asked=asked, said=said)
    fresh.replace(kept)
    return said


def _remembered(kept: Path, asked: str) -> NDArray[np.float32] | None:
    try:
        with kept.open("rb") as file, np.load(file) as answers:
            return np.asarray(answers["said"], dtype=np.float32) if str(answers["asked"]) == asked else None
    except (OSError, EOFError, BadZipFile, RuntimeError, KeyError, TypeError, ValueError):
        return None


def teacher_of(recipe: Recipe, data: Sequences) -> Teacher:
    """The recipe's teacher over these training data."""
    module, name = str(recipe.data.teacher).split(":")
    try:
        teacher: Teacher = getattr(importlib.import_module(module), name)(data)
    except (ImportError, AttributeError) as error:
        raise TrainingError(
            f"recipe {recipe.name}: data.teacher {recipe.data.teacher!r} cannot be found ({error}); "
            "give module:class of an installed package"
        ) from error
    return teacher


def crossed(teacher: Teacher, data: Sequences, fold: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    """(K, R) the probabilities that members 0 to K - 1 learn from; `fold` (B,) is each stream's.

    Row k holds on fold j what the teacher without j and k says; on fold k, which member k is stopped on, the mean of
    what all teachers without k say that have not met it either.
    """
    count = int(fold.max()) + 1
    streams = [np.flatnonzero(fold == k) for k in range(count)]
    said = np.zeros((count, len(data.x)), dtype=np.float32)
    for j, k in itertools.combinations(range(count), 2):
        fitted = np.flatnonzero((fold != j) & (fold != k))
        for asked, other, chances in zip(
            (j, k), (k, j), teacher.judge(fitted, [streams[j], streams[k]], seed * 1000 + j * count + k), strict=True
        ):
            rows = data.rows(streams[asked])
            said[other, rows] = chances
            said[asked, rows] += chances / (count - 1)
    return said
