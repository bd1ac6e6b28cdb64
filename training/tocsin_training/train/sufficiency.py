"""Sufficiency of records: checks that every task needs, before a training that may take hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.recipe import Recipe


def check(recipe: Recipe, data: StreamDataset, valid: StreamDataset) -> None:
    """Check that every channel was measured, and that some stream outlasts the warm-up.

    Args:
        recipe: The recipe.
        data: Training streams.
        valid: Validation streams; with folds the threshold rests on both.

    Raises:
        TrainingError: A channel is never measured, or no stream is long enough.
    """
    _check_channels(recipe, data)
    lengths = valid.lengths if recipe.training.folds == 1 else np.concatenate([data.lengths, valid.lengths])
    _check_warm_up(recipe, lengths)


def _check_channels(recipe: Recipe, data: StreamDataset) -> None:
    """A channel that no training stream measured has weights that learned nothing."""
    there = data.mask.max(axis=0) > 0  # (C,)
    unknown = [channel.name for channel, known in zip(recipe.channels, there, strict=True) if not known]
    if unknown:
        raise TrainingError(
            f"data.source {recipe.data.source!r}: no stream of part train has a plausible {', '.join(unknown)}; "
            "leave it out of channels, widen its low and high, or give records that have it"
        )


def _check_warm_up(recipe: Recipe, lengths: NDArray[np.int64]) -> None:
    longest, serving = int(lengths.max()), recipe.serving
    if longest <= serving.warm_up_ticks + serving.on_delay_ticks:
        raise TrainingError(
            f"{recipe.name}: the longest of {len(lengths)} streams to judge by has {longest} frames, so none is "
            f"judged: give longer streams, or less than serving.warm_up_ticks {serving.warm_up_ticks} and "
            f"serving.on_delay_ticks {serving.on_delay_ticks}"
        )
