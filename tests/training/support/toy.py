"""Data source of toy streams: three oscillating channels; in half of the streams they drift, which is the event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from tocsin_training.data.dataset import DataRequest

STREAMS = {"train": 24, "valid": 12, "test": 12}


def read(request: DataRequest) -> StreamDataset:
    if request.part not in STREAMS:
        raise TrainingError(f"toys have no part {request.part!r}")
    random = np.random.default_rng(request.seed * 10 + len(request.part))
    records = []
    for number in range(STREAMS[request.part]):
        ticks = int(random.integers(20, 40))
        drifts = number % 2 == 0
        swing = np.sin(np.arange(ticks)[:, None] / 3 + random.random(3)) * 10 + 60
        ramp = np.clip(np.arange(ticks) - 12, 0, None) * 1.5 * drifts
        values = np.full((ticks, len(request.channels)), np.nan)
        values[:, :3] = swing + ramp[:, None] + random.standard_normal((ticks, 3))
        values[:, :3][random.random((ticks, 3)) < 0.2] = np.nan
        values[:, 3] = 40 + 2 * number
        label = (ramp > 0).astype(np.float32)
        tick = np.cumsum(random.integers(1, 3, ticks))
        records.append(StreamRecord(f"{request.part}-{number}", tick, values, label, label - 0.1 * (1 - label)))
    return StreamDataset.of(request.channels, request.period_s, request.delta_cap_s, records)
