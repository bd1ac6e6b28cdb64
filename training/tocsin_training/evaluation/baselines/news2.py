"""NEWS2 (Royal College of Physicians, 2017) on the last known vital signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.news2_chart import URGENT, news2
from tocsin_training.evaluation.baselines.baseline import Baseline, BaselineUnavailable, carried_forward

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.bundle.manifest import ChannelEntry
    from tocsin_training.data.dataset import StreamDataset

NAME = "NEWS2"
SIGNS = ("rr", "spo2", "sbp", "hr", "temp")
FEWEST = 3  # vital signs; fewer make no early warning score
AIR = 0.22  # of oxygen in what is breathed


def fit(channels: Sequence[ChannelEntry], period_s: float, train: StreamDataset | None, seed: int) -> Baseline:  # noqa: ARG001  (the chart is fixed)
    """Scale 1, consciousness taken as alert; oxygen is known where the inspired fraction (`fio2`) is."""
    names = [channel.name for channel in channels]
    there = [name for name in SIGNS if name in names]
    if len(there) < FEWEST:
        raise BaselineUnavailable(
            f"needs vital signs: of {', '.join(SIGNS)} the bundle has {', '.join(there) or 'none'}"
        )

    def score(data: StreamDataset) -> NDArray[np.float32]:
        values = carried_forward(data)

        def column(name: str) -> NDArray[np.float64]:
            return values[:, names.index(name)] if name in names else np.full(len(values), np.nan)

        fraction = column("fio2")
        made = news2(
            respiration=column("rr"),
            spo2=column("spo2"),
            systolic=column("sbp"),
            pulse=column("hr"),
            temperature=column("temp"),
            oxygen=np.where(np.isnan(fraction), np.nan, fraction > AIR),
            alert=np.ones(len(values)),
        )
        anything = ~np.isnan(np.stack([column(name) for name in there])).all(axis=0)
        return np.where(anything, made.total, np.nan).astype(np.float32)

    about = (
        f"the chart's points, scale 1, from {', '.join(there)} carried forward; a lower bound where some are missing"
    )
    return Baseline(NAME, about, score, float(URGENT))
