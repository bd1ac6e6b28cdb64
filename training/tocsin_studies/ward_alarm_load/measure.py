"""Alarm load of a ward: fixed limits, fixed limits with a delay, and Tocsin.

    python -m tocsin_studies.ward_alarm_load config/quiet-ward.yaml docs/alarm-load.md

200 beds are watched for 24 hours, with every artefact and deterioration at the rates of `parameters`, which were fixed
for the simulator before this comparison; and that for several seeds. Tocsin is a configuration as a daemon reads it,
and goes through the daemon's own engine and register of alarms. No alarm is acknowledged.

A twin of each patient who deteriorates, the same to the bit but for the deterioration, is watched too: an alarm that
the twin has within a minute is not due to the deterioration.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from tocsin.alarm import AlarmRegistry
from tocsin.config import check
from tocsin.engine import Readings
from tocsin.engine.events import Category
from tocsin.runtime.build import build_deployment
from tocsin_studies.ward_alarm_load.alarm_calls import (
    AlarmSource,
    chattering,
    flooded_min,
    of_events,
    of_limits,
    without_twin,
)
from tocsin_training.errors import TrainingError
from tocsin_training.simulation.ward.episodes import ARTEFACTS, DETERIORATIONS, EpisodeKind
from tocsin_training.simulation.ward.simulator import CHANNELS, Patient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin.alarm import Event
    from tocsin_studies.ward_alarm_load.alarm_calls import AlarmCall
    from tocsin_training.simulation.ward.episodes import Episode

NS_PER_S = 1_000_000_000
SEEDS = (9_100_001, 9_100_002, 9_100_003)  # nothing was trained, chosen or compared on these
BEDS, HOURS = 200, 24
BEDS_A_NURSE = 5
TWIN, TWIN_WITHIN_S = "twin", 60.0
DAY_BEGAN = 1_767_225_600 * NS_PER_S  # any midnight

_WELL = (*ARTEFACTS, EpisodeKind.ACTIVITY)
_ILL = (*_WELL, *DETERIORATIONS)


@dataclass(slots=True)
class WardDay:
    """Alarms of one source in one ward on one day.

    Attributes:
        alarms: Number of alarms, by category.
        false: Number of physiological alarms not due to a deterioration.
        chattering: Number of times that an alarm began to chatter.
        flooded_min: Minutes of alarm flood, summed over nurses.
        lead_s: By deterioration, in order: seconds from its onset to its first alarm before treatment took effect, or
            None.
    """

    alarms: Counter[Category] = field(default_factory=Counter)
    false: int = 0
    chattering: int = 0
    flooded_min: float = 0.0
    lead_s: list[float | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LoadResults:
    """All days, by source and by seed; the deteriorations, by seed."""

    days: Mapping[AlarmSource, Sequence[WardDay]]
    episodes: Sequence[Sequence[Episode]]
    beds: int
    hours: int


def measure(tocsin: Path, seeds: Sequence[int] = SEEDS, beds: int = BEDS, hours: int = HOURS) -> LoadResults:
    """Simulate all wards, and the twins of patients who deteriorate."""
    patients = {
        (seed, bed): Patient(seed, bed, _name(seed, bed), 0.0, _ILL, ()) for seed in seeds for bed in range(beds)
    }
    monitor_values = [_monitor_values(patient, hours) for patient in patients.values()]
    own = {key: _deteriorations(patient, hours) for key, patient in patients.items()}
    twins = [Patient(*key, f"{TWIN}/{_name(*key)}", 0.0, _WELL, ()) for key, episodes in own.items() if episodes]
    monitor_values += [_monitor_values(twin, hours) for twin in twins]
    calls = _called(tocsin, [patient.stream for patient in (*patients.values(), *twins)], np.stack(monitor_values))
    episodes = [[episode for (of, _), found in own.items() if of == seed for episode in found] for seed in seeds]
    days = {
        by: [
            _day([c for c in calls[by] if c.stream.startswith(f"{seed}/")], _twins(calls[by]), found)
            for seed, found in zip(seeds, episodes, strict=True)
        ]
        for by in AlarmSource
    }
    return LoadResults(days, episodes, beds, hours)


def _name(seed: int, bed: int) -> str:
    return f"{seed}/nurse-{bed // BEDS_A_NURSE + 1}/bed-{bed + 1}"


def _twins(calls: Sequence[AlarmCall]) -> list[AlarmCall]:
    """Alarms of twins, under the names of their patients."""
    return [replace(c, stream=c.stream.removeprefix(f"{TWIN}/")) for c in calls if c.stream.startswith(f"{TWIN}/")]


def _monitor_values(patient: Patient, hours: int) -> NDArray[np.float32]:
    """Monitor's values (T, C), NaN where nothing is measured."""
    return np.concatenate([patient.block().astype(np.float32) for _ in range(hours)])


def _deteriorations(patient: Patient, hours: int) -> list[Episode]:
    return [e for e in patient.episodes if e.kind in DETERIORATIONS and e.onset_s < hours * 3600]


def _called(
    tocsin: Path, names: Sequence[str], monitor_values: NDArray[np.float32]
) -> dict[AlarmSource, list[AlarmCall]]:
    """Alarms of N streams, by source."""
    return {
        AlarmSource.LIMITS: [
            call for name, own in zip(names, monitor_values, strict=True) for call in of_limits(name, own, 0)
        ],
        AlarmSource.DELAYED: [
            call for name, own in zip(names, monitor_values, strict=True) for call in of_limits(name, own, 15)
        ],
        AlarmSource.TOCSIN: of_events(replay(tocsin, names, monitor_values), DAY_BEGAN),
    }


def replay(file: Path, names: Sequence[str], monitor_values: NDArray[np.floating]) -> list[Event]:
    """Events of a configuration of one watch for the monitors' values.

    Args:
        file: The configuration.
        names: N streams.
        monitor_values: (N, T, C) at 1 Hz, NaN where nothing was measured.

    Raises:
        TrainingError: The configuration has faults, or more than one watch.
    """
    checked = check(file)
    if checked.config is None or checked.faults:
        raise TrainingError("\n".join(str(fault) for fault in checked.faults))
    made = build_deployment(checked.config, checked.bundles)
    if len(made.runtimes) != 1:
        raise TrainingError(f"{file} has {len(made.runtimes)} watches (legal: one)")
    (runtime,) = made.runtimes.values()
    registry, events = AlarmRegistry(made.policies), []
    for second in range(monitor_values.shape[1]):
        now = DAY_BEGAN + second * NS_PER_S
        changes = runtime.apply(_readings(names, monitor_values[:, second], now), now).events
        if changes:
            events += registry.apply(changes, now)
        events += registry.expire_deadlines(now)
    return events


def _readings(names: Sequence[str], values: NDArray[np.floating], t: int) -> Readings:
    present = np.flatnonzero(~np.isnan(values).all(axis=1))  # a monitor that shows nothing sends nothing
    streams = names if len(present) == len(names) else [names[row] for row in present.tolist()]
    # By way of tenths: 97.2 in float32 is 97.19999694824219 in float64.
    rounded = np.asarray(np.round(values[present].astype(np.float64), 1), dtype=np.float64)
    return Readings(streams, CHANNELS, np.arange(len(present), dtype=np.int32), np.full(len(present), t), rounded)


def _day(calls: Sequence[AlarmCall], twins: Sequence[AlarmCall], episodes: Sequence[Episode]) -> WardDay:
    day = WardDay(Counter(call.category for call in calls), chattering=chattering(calls))
    by_nurse: dict[str, list[AlarmCall]] = {}
    for call in calls:
        by_nurse.setdefault(call.stream.rpartition("/")[0], []).append(call)
    day.flooded_min = sum(flooded_min(own) for own in by_nurse.values())
    due: dict[str, list[AlarmCall]] = {}
    for call in without_twin(calls, twins, TWIN_WITHIN_S):
        due.setdefault(call.stream, []).append(call)
    explained: set[AlarmCall] = set()
    for episode in episodes:
        own = due.get(episode.stream, [])
        explained.update(call for call in own if episode.onset_s <= call.begin_s <= episode.end_s)
        in_time = [call.begin_s for call in own if episode.onset_s <= call.begin_s <= episode.relief_s]
        day.lead_s.append(min(in_time) - episode.onset_s if in_time else None)
    day.false = day.alarms[Category.PHYSIOLOGICAL] - len(explained)
    return day
