"""Static limits: distance of the worst channel beyond its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.evaluation.baselines.baseline import Baseline, measured, needed, normal
from tocsin_training.simulation.ward.bedside_limits import BEDSIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.bundle.manifest import ChannelEntry
    from tocsin_training.data.dataset import StreamDataset

NAME = "static limits"
AT_THE_BEDSIDE = BEDSIDE | {"map": (60.0, 110.0)}
FEWEST_VITALS = 3  # channels with a bedside limit; fewer are no monitor
RARE = 0.001  # share of training values beyond a limit, on either side
BEYOND = float(np.nextafter(np.float32(1.0), np.float32(2.0)))  # a value at a limit is still within


def fit(channels: Sequence[ChannelEntry], period_s: float, train: StreamDataset | None, seed: int) -> Baseline:  # noqa: ARG001  (limits need neither)
    """Use a monitor's defaults for adults for vital signs, otherwise quantiles of normal training values."""
    names = [channel.name for channel in channels]
    low, high = np.full(len(names), np.nan), np.full(len(names), np.nan)  # (C,)
    vitals = [name for name in names if name in AT_THE_BEDSIDE]
    if len(vitals) >= FEWEST_VITALS:
        about = f"bedside defaults for adults: {', '.join(vitals)}"
        for name in vitals:
            low[names.index(name)], high[names.index(name)] = AT_THE_BEDSIDE[name]
    else:
        fitted = needed(train)
        about = f"the training part's {RARE:.1%} and {1 - RARE:.1%} quantiles of each channel"
        rows = normal(fitted)
        for c in measured(channels):
            values = fitted.x[rows & (fitted.mask[:, c] > 0), c]
            if len(values):
                low[c], high[c] = np.quantile(values, [RARE, 1.0 - RARE])
    middle = (low + high) / 2.0
    half = np.maximum((high - low) / 2.0, 1e-9)
    # A limit at the end of what is plausible, such as an SpO2 of 100, can't be passed.
    no_low = low <= [channel.low for channel in channels]
    no_high = high >= [channel.high for channel in channels]

    def score(data: StreamDataset) -> NDArray[np.float32]:
        away = (data.x - middle) / half  # (R, C) 1 at the high limit, -1 at the low one
        away = np.maximum(np.where(no_high, -np.inf, away), np.where(no_low, -np.inf, -away))
        away = np.where((data.mask > 0) & ~np.isnan(middle), away, -np.inf)
        worst = away.max(axis=1)
        return np.where(np.isinf(worst), np.nan, worst).astype(np.float32)

    return Baseline(NAME, f"{about}; the score is how far beyond them the worst channel lies", score, BEYOND)
