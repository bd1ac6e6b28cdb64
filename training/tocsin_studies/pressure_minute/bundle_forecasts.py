"""Forecasts of a `seq2seq` model for the next hour, at the origins that forecasts are compared at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from tocsin_studies.pressure_minute import skill
from tocsin_training.backtest import rollout
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from tocsin.bundle.manifest import Manifest
    from tocsin.engine.model import StepFunction
    from tocsin_training.data.dataset import StreamDataset


def forecasts(step: StepFunction, manifest: Manifest, data: StreamDataset) -> skill.Forecasts:
    """Step a model of one channel over whole records and collect its forecasts at their origins.

    The minutes' quantiles are those of the Student-t or normal about each mean; the minimum's are the model's own.
    """
    if manifest.quantiles != tuple(skill.LEVELS):
        raise TrainingError(
            f"{manifest.name}: its quantiles are {manifest.quantiles}, not {skill.LEVELS.tolist()}; "
            "give the recipe's horizon the latter"
        )
    unit = stats.norm.ppf(skill.LEVELS) if manifest.df is None else stats.t.ppf(skill.LEVELS, manifest.df[0])  # (Q,)
    wanted = np.zeros(len(data.x), dtype=np.bool_)
    for begin, length in zip(data.start[:-1], data.lengths, strict=True):
        wanted[begin + skill.origins(int(length))] = True
    place = np.cumsum(wanted) - 1
    ahead = np.empty((int(wanted.sum()), manifest.horizon_ticks or 0, len(unit)))
    lowest = np.empty((len(ahead), len(unit)))
    for rows, result in rollout.results(step, manifest.state_size, data):
        here = wanted[rows]
        if here.any() and result.low is not None:
            at = place[rows[here]]
            ahead[at] = result.mean[here, :, 0, None] + result.scale[here, :, 0, None] * unit
            lowest[at] = result.low[here, 0]
    return skill.Forecasts(ahead, lowest)
