"""Training data of the simulated ward: normal streams with artefacts, and labelled deteriorations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.errors import TrainingError
from tocsin_training.simulation.ward.episodes import DETERIORATIONS, draw
from tocsin_training.simulation.ward.simulator import CHANNELS, Ward

if TYPE_CHECKING:
    from tocsin_training.data.dataset import DataRequest

# Wards of different seeds share no patient and no random number; figures of the lead come from yet others.
_WARD_SEED = {
    "train": 1_000_000,
    "valid": 2_000_000,
    "test": 3_000_000,
    "calibrate": 6_000_000,  # for the curve of false alarms
    "check": 9_000_000,  # for whether budgets are kept
}
_EPISODES_SEED = {"valid": 21_000_000, "test": 31_000_000}


def normal(request: DataRequest) -> StreamDataset:
    """A part of the simulated ward without deteriorations.

    Options of the recipe: `<part>_beds` and `<part>_hours`. Each bed's record begins at its own time of day.
    """
    if request.part not in _WARD_SEED:
        raise TrainingError(f"the simulated ward has no part {request.part!r}; ask for {' or '.join(_WARD_SEED)}")
    beds, hours = request.number("beds"), request.number("hours")
    ticks = hours * 3600
    columns = [CHANNELS.index(channel.name) for channel in request.channels]
    records = []
    for bed in range(beds):
        seed = _WARD_SEED[request.part] + 1000 * request.seed + bed
        ward = Ward(seed, beds=1, name=f"{request.part}-{bed + 1}", hour=24.0 * bed / beds)
        values = ward.read(ticks)[0][:, columns]  # (T, C)
        observed = ~np.isnan(values).all(axis=1)  # a tick in which nothing came has no frame
        records.append(StreamRecord(ward.streams[0], np.flatnonzero(observed), values[observed]))
    return StreamDataset.of(request.channels, request.period_s, request.delta_cap_s, records)


def episodes(request: DataRequest) -> StreamDataset:
    """Beds with one labelled deterioration each, and as many without: for evaluation.

    The label is 1 from the onset of a deterioration until treatment takes effect, and unknown (NaN) from then until it
    has
    decayed: an alarm while a patient recovers is neither right nor wrong. Artefacts come at their natural rate. The
    four kinds of deterioration alternate.

    Options: `beds` (of each sort, 40), `hours` (6) and `onset_hours` (1), before which no deterioration begins.
    """
    if request.part not in _EPISODES_SEED:
        raise TrainingError(f"part {request.part!r} of the ward has no deteriorations; ask for valid or test")
    beds, hours = (int(float(str(request.options.get(name, usual)))) for name, usual in (("beds", 40), ("hours", 6)))
    earliest_s = 3600 * int(float(str(request.options.get("onset_hours", 1))))
    columns = [CHANNELS.index(channel.name) for channel in request.channels]
    records = []
    for bed in range(2 * beds):
        seed = _EPISODES_SEED[request.part] + 10_000 * request.seed + bed
        random = np.random.default_rng(seed)
        kind = DETERIORATIONS[bed % len(DETERIORATIONS)]
        name = f"{request.part}-{kind if bed < beds else 'normal'}-{bed + 1}"
        script = []
        if bed < beds:
            onset_s = int(random.integers(earliest_s, max(hours * 1800, earliest_s + 1)))
            script.append(draw(kind, f"{name}/bed-1", onset_s, random))
        ward = Ward(seed, beds=1, name=name, hour=float(random.integers(24)), script=script)
        values = ward.read(hours * 3600)[0][:, columns]  # (T, C)
        observed = np.flatnonzero(~np.isnan(values).all(axis=1))
        label = np.zeros(len(values), dtype=np.float32)
        for episode in script:
            label[episode.onset_s : int(episode.end_s) + 1] = np.nan
            label[episode.onset_s : int(episode.relief_s)] = 1.0
        records.append(StreamRecord(name, observed, values[observed], label[observed]))
    return StreamDataset.of(request.channels, request.period_s, request.delta_cap_s, records)
