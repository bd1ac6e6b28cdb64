"""Whether records suffice for what a recipe makes of them: asked before the training, which may take hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.model import Task
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin_training.data.dataset import Sequences
    from tocsin_training.recipe import Recipe

LEAST_FOLDS = 3  # of a recipe that has some


def check(recipe: Recipe, data: Sequences, valid: Sequences) -> None:
    """Refuse records that lack a channel, or give no operating point.

    That takes both labels, every class, an event for every fold, and streams that outlast the warm-up and the horizon.

    Args:
        recipe: What to make.
        data: Streams to fit on.
        valid: Streams to stop on and to set the threshold on; with folds the others say where it lies, too.

    Raises:
        TrainingError: Which part lacks what.
    """
    _check_channels(recipe, data)
    folds = recipe.training.folds
    _check_warm_up(recipe, valid.lengths if folds == 1 else np.concatenate([data.lengths, valid.lengths]))
    if recipe.task is Task.ALARM:
        for part, streams in (("train", data), ("valid", valid))[: 2 if folds == 1 else 1]:
            _check_labels(recipe, part, streams)
        _check_folds(recipe, data)
    elif recipe.task is Task.CLASSIFY:
        _check_classes(recipe, data, valid)
    else:
        for part, streams in (("train", data), ("valid", valid)):
            _check_horizon(recipe, part, streams)


def _check_channels(recipe: Recipe, data: Sequences) -> None:
    """What no training stream ever measured would meet weights that learned nothing of it."""
    there = data.mask.max(axis=0) > 0  # (C,)
    unknown = [channel.name for channel, known in zip(recipe.channels, there, strict=True) if not known]
    if unknown:
        raise TrainingError(
            f"data.source {recipe.data.source!r}: no stream of part train has a plausible {', '.join(unknown)}; "
            "leave it out of channels, widen its low and high, or give records that have it"
        )


def _check_labels(recipe: Recipe, part: str, streams: Sequences) -> None:
    if streams.label is None:
        raise AssertionError  # `make.read` has refused such data
    share = float(streams.label.mean())
    if not 0.0 < share < 1.0:
        raise TrainingError(
            f"data.source {recipe.data.source!r}: {'every' if share else 'no'} frame of part {part} is labelled 1; "
            "give streams with both labels, or part them otherwise, such as by another training.seed"
        )


def _check_folds(recipe: Recipe, data: Sequences) -> None:
    """Each member is stopped on a fold of its own, and without an event it would be stopped by chance."""
    folds, there = recipe.training.folds, int(data.eventful.sum())
    if there < folds:
        several = recipe.data.teacher is not None or recipe.beside is not None  # 3 at least
        fewer = f"say {there}, or " if there >= LEAST_FOLDS else "" if several else "say 1, or "
        raise TrainingError(
            f"{recipe.name}: {there} of {len(data)} streams of part train have an event, too few for each of "
            f"training.folds {folds} to hold one; {fewer}give more streams with events"
        )


def _check_classes(recipe: Recipe, data: Sequences, valid: Sequences) -> None:
    if data.kind is None or valid.kind is None or recipe.classes is None:
        raise AssertionError  # `make.read` has refused such data, and the recipe itself a lack of names
    for part, kind in (("train", data.kind), ("valid", valid.kind)):
        if absent := _absent(recipe.classes, kind):
            raise TrainingError(
                f"data.source {recipe.data.source!r}: no stream of part {part} is of class {absent}; give streams of "
                "every class, or part them otherwise, such as by another training.seed"
            )
    ticks = valid.tick[valid.start[1:] - 1] - valid.tick[valid.start[:-1]]  # (B,) that each stream lasts
    if absent := _absent(recipe.classes, valid.kind[ticks >= recipe.loss.burn_in]):
        raise TrainingError(
            f"no validation stream of class {absent} outlasts loss.burn_in {recipe.loss.burn_in}; give longer streams, "
            "or a shorter burn-in"
        )


def _absent(classes: Sequence[str], kind: NDArray[np.int64]) -> str:
    return ", ".join(name for k, name in enumerate(classes) if k not in kind)


def _check_warm_up(recipe: Recipe, lengths: NDArray[np.int64]) -> None:
    longest, serving = int(lengths.max()), recipe.serving
    if longest <= serving.warm_up_ticks + serving.on_delay_ticks:
        raise TrainingError(
            f"{recipe.name}: the longest of {len(lengths)} streams to judge by has {longest} frames, so none is "
            f"judged: give longer streams, or less than serving.warm_up_ticks {serving.warm_up_ticks} and "
            f"serving.on_delay_ticks {serving.on_delay_ticks}"
        )


def _check_horizon(recipe: Recipe, part: str, streams: Sequences) -> None:
    lasts = int((streams.tick[streams.start[1:] - 1] - streams.tick[streams.start[:-1]]).max())  # ticks
    if recipe.horizon is not None and lasts < recipe.horizon.ticks:
        raise TrainingError(
            f"{recipe.name}: the longest stream of part {part} lasts {lasts} ticks, so nothing is known of the end of "
            f"horizon.ticks {recipe.horizon.ticks}: give longer streams, or foresee less"
        )
