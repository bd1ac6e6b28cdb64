"""Lead of a bundle over fixed bedside limits, by the engine that the daemon runs.

    python -m tocsin_studies.ward_lead models/ward-vitals/1 docs/ward-lead.md

Each of 200 patients deteriorates once, two hours after the stream began, with every artefact at its natural rate. A
twin of each patient, the same to the bit but for the deterioration, is simulated too: an alarm that the twin has within
a minute is not due to the deterioration and is ignored. False alarms are counted on other patients, who don't
deteriorate at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine import Alarm, Engine, FrameClock, Readings, Watch
from tocsin.engine.conditions.limit import Above, Below
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.events import Category, ConditionEventKind, Priority
from tocsin_studies.ward_lead.page import AT_ONCE, DELAYED, DETECTORS, TOCSIN, DetectionTimes, LeadResults
from tocsin_training.simulation.ward.bedside_limits import BEDSIDE
from tocsin_training.simulation.ward.episodes import DETERIORATIONS, Episode, EpisodeKind, draw
from tocsin_training.simulation.ward.simulator import CHANNELS, Ward

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.engine.model import Model

NS_PER_S = 1_000_000_000
PATIENTS = 200
ONSET_S = 7200
WATCHED_S = {EpisodeKind.SEPSIS: ONSET_S + 5 * 3600}
WATCHED_OTHERWISE_S = ONSET_S + 3600
NORMAL_BEDS, NORMAL_S = 200, 6 * 3600
BED = "ward/bed-1"
LEAD_SEED, NORMAL_SEED = 5_000_000, 8_000_000  # nothing was trained, chosen or compared on these
TWIN_WITHIN_S = 60
ON_DELAY_S, OFF_DELAY_S = 3.0, 30.0
"""Of Tocsin's alarm; the limits' alarms have the same off-delay."""

_ON_DELAY_S = {AT_ONCE: 0.0, DELAYED: 15.0}


def measure(
    model: Model, patients: int = PATIENTS, normal_beds: int = NORMAL_BEDS, normal_s: int = NORMAL_S
) -> LeadResults:
    """Measure leads and false alarms of one bundle."""
    by_length: dict[int, list[int]] = {}
    for number in range(patients):
        kind = DETERIORATIONS[number % len(DETERIORATIONS)]
        by_length.setdefault(WATCHED_S.get(kind, WATCHED_OTHERWISE_S), []).append(number)
    courses = [course for length_s, numbers in by_length.items() for course in _courses(model, numbers, length_s)]
    beds = [Ward(NORMAL_SEED + bed, 1, hour=24.0 * bed / normal_beds).read(normal_s)[0] for bed in range(normal_beds)]
    alarm_rows = _onsets(model, beds)
    bed_days = normal_beds * normal_s / 86_400
    return LeadResults(
        courses=courses,
        false_a_day={name: sum(len(times) for times in alarm_rows[name]) / bed_days for name in DETECTORS},
        bed_days=bed_days,
        model=f"{model.name}/{model.version} {model.sha256[:12]}",
        threshold=model.threshold,
    )


def _courses(model: Model, numbers: Sequence[int], length_s: int) -> list[DetectionTimes]:
    """Simulate deteriorations of these patients; twins come after the patients, in the same order."""
    episodes = [
        draw(DETERIORATIONS[number % len(DETERIORATIONS)], BED, ONSET_S, np.random.default_rng(LEAD_SEED + number))
        for number in numbers
    ]
    scripts: list[tuple[Episode, ...]] = [*((episode,) for episode in episodes), *(() for _ in episodes)]
    values = [
        Ward(LEAD_SEED + number, 1, hour=float(number % 24), script=script).read(length_s)[0]
        for number, script in zip([*numbers, *numbers], scripts, strict=True)
    ]
    alarm_rows = _onsets(model, values)
    courses = []
    for i, episode in enumerate(episodes):
        detected_s = {}
        for name in DETECTORS:
            own, twin = np.array(alarm_rows[name][i]), np.array(alarm_rows[name][i + len(episodes)])
            alike = (np.abs(own[:, None] - twin[None, :]) <= TWIN_WITHIN_S).any(axis=1)
            due = own[(own >= ONSET_S) & (own <= min(episode.relief_s, length_s)) & ~alike]
            if len(due):
                detected_s[name] = float(due[0]) - ONSET_S
        courses.append(DetectionTimes(episode, detected_s))
    return courses


def _onsets(model: Model, values: list[NDArray[np.float64]]) -> dict[str, list[list[float]]]:
    """Onsets of alarms: detector → for each stream (T, C) of `values` its times in seconds."""
    alarms = _alarms(model)
    detector = {alarm.name: name for name, group in alarms.items() for alarm in group}
    engine = Engine(
        Watch(model, [alarm for group in alarms.values() for alarm in group], FrameClock(0, NS_PER_S), 10_000)
    )
    names = [str(number) for number in range(len(values))]
    series = np.stack(values)  # (N, T, C)
    alarm_rows: dict[str, list[list[float]]] = {name: [[] for _ in names] for name in alarms}
    for tick in range(series.shape[1]):
        t = (tick + 1) * NS_PER_S
        came = np.flatnonzero(~np.isnan(series[:, tick]).all(axis=1)).astype(np.int32)
        readings = Readings(names, CHANNELS, came, np.full(len(came), t), series[came, tick])
        for change in engine.apply(readings, t).events:
            if change.kind is ConditionEventKind.ACTIVE:
                alarm_rows[detector[change.alarm]][int(change.stream)].append(change.t / NS_PER_S - 1)
    return alarm_rows


def _alarms(model: Model) -> dict[str, list[Alarm]]:
    """Alarms by detector."""
    index = {channel.name: c for c, channel in enumerate(model.channels)}
    score = ScoreAbove(model.threshold)
    made = {TOCSIN: [_alarm("anomaly", score, ON_DELAY_S)]}
    for name, delay_s in _ON_DELAY_S.items():
        made[name] = []
        for channel, (low, high) in BEDSIDE.items():
            made[name].append(_alarm(f"{channel} low {delay_s:g}", Below(index[channel], low, 0.0), delay_s))
            made[name].append(_alarm(f"{channel} high {delay_s:g}", Above(index[channel], high, 0.0), delay_s))
    return made


def _alarm(name: str, condition: Above | Below | ScoreAbove, on_delay_s: float) -> Alarm:
    on, off = round(on_delay_s * NS_PER_S), round(OFF_DELAY_S * NS_PER_S)
    return Alarm(name, condition, Priority.HIGH, Category.PHYSIOLOGICAL, on, off)


NOTES = """
Its report: `docs/ward-lead.md`; against other detectors, `docs/evaluation.md`.

## Limitations

The bundle was trained on Tocsin's own ward simulator and on nothing else, and its figures were measured on the same
simulator with other seeds. The simulator's figures come from the literature where there are any and are assumptions
elsewhere (`tocsin_training/simulation/ward/parameters.py` marks them). No patient data were used. Its performance on a
real ward is unknown; it must not be used on one.

The band in `mean` and `scale` is the stream's own level of the last hour and the usual deviation of normal patients
from it, not the forecast of the next second. The score is described in `tocsin_training/scores/departure.py`: each of
its three spans alone would raise an alarm at about 1.
"""
