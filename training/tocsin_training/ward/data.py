"""The ward as training data: what normal looks like, failing measurements included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.sequences import Record, Sequences
from tocsin_training.ward.simulator import CHANNELS, Ward

if TYPE_CHECKING:
    from tocsin_training.sequences import Request

# Wards of different seeds share no patient and no random number; figures of the lead come from yet others.
_WARD_SEED = {"train": 1_000_000, "valid": 2_000_000, "test": 3_000_000}


def normal(request: Request) -> Sequences:
    """Give a part of the simulated ward, without any deterioration.

    Options of the recipe: `<part>_beds` and `<part>_hours`. Each bed's record begins at its own time of day.
    """
    beds, hours = (int(float(str(request.options[f"{request.part}_{what}"]))) for what in ("beds", "hours"))
    ticks = hours * 3600
    columns = [CHANNELS.index(channel.name) for channel in request.channels]
    records = []
    for bed in range(beds):
        seed = _WARD_SEED[request.part] + 1000 * request.seed + bed
        ward = Ward(seed, beds=1, name=f"{request.part}-{bed + 1}", hour=24.0 * bed / beds)
        values = ward.read(ticks)[0][:, columns]  # (T, C)
        came = ~np.isnan(values).all(axis=1)  # a tick in which nothing came has no frame
        records.append(Record(ward.streams[0], np.flatnonzero(came), values[came]))
    return Sequences.of(request.channels, request.period_s, request.delta_cap_s, records)
