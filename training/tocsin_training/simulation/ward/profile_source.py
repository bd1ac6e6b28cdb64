"""Patients at rest with their profiles: training data of `ward-generator`, and its reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.model import ChannelKind
from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.errors import TrainingError
from tocsin_training.simulation.ward.simulator import CHANNELS, Patient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin_training.data.dataset import DataRequest
    from tocsin_training.simulation.ward.physiology import Profile

RESTING = "rest_"  # the profile's channels are named after the measured ones
HOUR = 9.0
_WARD_SEED = {"train": 41_000_000, "valid": 42_000_000, "test": 43_000_000}


def profiles(request: DataRequest) -> StreamDataset:
    """Patients at rest from 9 o'clock on: no artefact, activity or deterioration, every channel in every tick.

    Static channels named `rest_hr` and so on hold a patient's resting values. Options: `<part>_beds`, `<part>_hours`.
    """
    if request.part not in _WARD_SEED:
        raise TrainingError(f"the simulated ward has no part {request.part!r}; ask for {' or '.join(_WARD_SEED)}")
    beds, hours = request.number("beds"), request.number("hours")
    names = [channel.name for channel in request.channels if channel.kind is ChannelKind.READING]
    resting = [channel.name for channel in request.channels if channel.kind is ChannelKind.STATIC]
    unknown = sorted({*names, *(name.removeprefix(RESTING) for name in resting)} - set(CHANNELS))
    if unknown:
        raise TrainingError(f"the ward measures no {', '.join(unknown)} (it measures: {', '.join(CHANNELS)})")
    every = round(request.period_s)
    records = []
    for bed in range(beds):
        patient = lying(_WARD_SEED[request.part] + 10_000 * request.seed + bed)
        values = hours_of(patient, hours, every)
        known = at_rest(patient.profile)
        columns = [
            values[:, CHANNELS.index(channel.name)]
            if channel.kind is ChannelKind.READING
            else np.full(len(values), known[channel.name.removeprefix(RESTING)])
            for channel in request.channels
        ]
        records.append(StreamRecord(f"{request.part}-{bed + 1}", np.arange(len(values)), np.stack(columns, axis=1)))
    return StreamDataset.of(request.channels, request.period_s, request.delta_cap_s, records)


def lying(seed: int) -> Patient:
    """A patient without episodes."""
    return Patient(seed, 0, "ward/bed-1", HOUR * 3600.0, (), ())


def hours_of(patient: Patient, hours: int, every: int) -> NDArray[np.float64]:
    """Monitor's values (T, 6) in one of `every` seconds, over this many hours."""
    return np.concatenate([patient.block() for _ in range(hours)])[::every]


def at_rest(profile: Profile) -> dict[str, float]:
    """A patient's resting values, by channel.

    >>> import numpy as np
    >>> from tocsin_training.simulation.ward.physiology import Profile
    >>> rest = at_rest(Profile.draw(np.random.default_rng(1)))
    >>> list(rest) == list(CHANNELS), rest["sbp"] > rest["dbp"]
    (True, True)
    """
    diastolic = profile.mean_pressure - profile.pulse_pressure / 3.0
    values: Sequence[float] = (
        profile.hr,
        profile.spo2,
        profile.rr,
        diastolic + profile.pulse_pressure,
        diastolic,
        profile.temp,
    )
    return dict(zip(CHANNELS, values, strict=True))
