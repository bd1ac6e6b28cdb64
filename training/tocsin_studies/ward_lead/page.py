"""`docs/ward-lead.md`: the results of a bundle's lead as a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.simulation.ward.episodes import DETERIORATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin_training.simulation.ward.episodes import Episode

TOCSIN, AT_ONCE, DELAYED = "Tocsin", "limits", "limits with 15 s delay"
DETECTORS = (TOCSIN, AT_ONCE, DELAYED)


@dataclass(frozen=True, slots=True)
class DetectionTimes:
    """One deterioration and the delay of each detector.

    Attributes:
        episode: The deterioration.
        detected_s: Detector → seconds from the onset to its first alarm; absent if there was none until relief.
    """

    episode: Episode
    detected_s: dict[str, float]


@dataclass(frozen=True, slots=True)
class LeadResults:
    """Results of the study.

    Attributes:
        courses: One a patient.
        false_a_day: Detector → false alarms a bed and day.
        bed_days: Over which those were counted.
        model: name/version and hash of the bundle.
        threshold: Its operating point.
    """

    courses: list[DetectionTimes]
    false_a_day: dict[str, float]
    bed_days: float
    model: str
    threshold: float


def figures(measured: LeadResults) -> dict[str, float]:
    """The few numbers that the manifest, the card and the demonstration show."""
    found = {
        "deteriorations detected, share": round(float(np.mean([TOCSIN in c.detected_s for c in measured.courses])), 3)
    }
    for name in (AT_ONCE, DELAYED):
        leads = [lead for course in measured.courses if (lead := lead_s(course, name)) is not None]
        found[f"median lead over {name}, s"] = round(float(np.median(leads)), 1)
        found[f"detected before {name}, share"] = round(float(np.mean([first(c, name) for c in measured.courses])), 3)
    for kind in DETERIORATIONS:
        own = [course for course in measured.courses if course.episode.kind is kind]
        if leads := [lead for course in own if (lead := lead_s(course, DELAYED)) is not None]:
            found[f"median lead over {DELAYED}, {kind}, s"] = round(float(np.median(leads)), 1)
    for name in DETECTORS:
        found[f"false alarms of {name} per bed-day"] = round(measured.false_a_day[name], 2)
    return found


def lead_s(course: DetectionTimes, over: str) -> float | None:
    """Seconds of Tocsin's lead over another detector; None unless both detected."""
    if TOCSIN not in course.detected_s or over not in course.detected_s:
        return None
    return course.detected_s[over] - course.detected_s[TOCSIN]


def first(course: DetectionTimes, over: str) -> bool:
    """Whether Tocsin detected, and the other detector later or never."""
    return TOCSIN in course.detected_s and course.detected_s[TOCSIN] < course.detected_s.get(over, np.inf)


def page(measured: LeadResults) -> str:
    """Page as Markdown."""
    kinds = [*DETERIORATIONS, None]
    rows = []
    for kind in kinds:
        courses = [course for course in measured.courses if kind in {None, course.episode.kind}]
        cells = [f"**all {len(courses)}**" if kind is None else f"{kind} ({len(courses)})"]
        cells += [_share([name in course.detected_s for course in courses]) for name in DETECTORS]
        for name in (AT_ONCE, DELAYED):
            leads = [lead for course in courses if (lead := lead_s(course, name)) is not None]
            cells += [_spread(leads), _share([first(course, name) for course in courses])]
        rows.append("| " + " | ".join(cells) + " |")
    false = [f"| {name} | {measured.false_a_day[name]:.2f} |" for name in DETECTORS]
    return PAGE.format(
        model=measured.model,
        threshold=measured.threshold,
        rows="\n".join(rows),
        false="\n".join(false),
        bed_days=measured.bed_days,
        patients=len(measured.courses),
    )


def _share(truths: Sequence[bool]) -> str:
    return f"{100 * float(np.mean(truths)):.0f} %"


def _spread(leads: Sequence[float]) -> str:
    """Median and quartiles."""
    if not leads:
        return "-"
    low, median, high = np.quantile(leads, [0.25, 0.5, 0.75])
    return f"{median:+.0f} s ({low:+.0f} to {high:+.0f})"


PAGE = """\
# Lead over fixed limits

**On simulated patients only.** The bundle was trained on the project's ward simulator and is measured on it here, with
other seeds. Half of the simulator's numbers are assumptions (`training/tocsin_training/simulation/ward/parameters.py`
marks them), so these figures compare two detectors on the same streams; they promise nothing about a ward.

Bundle `{model}` at its own threshold {threshold:g} with an on-delay of 3 s, against fixed bedside limits (heart rate
50-120, SpO2 90, respiration 8-30, systolic 90-160, diastolic 50-90, temperature 36-39), without delay and with a delay
of 15 s. All three are alarms of the same engine, with an off-delay of 30 s.

## {patients} deteriorations

| deterioration | Tocsin detects | limits | limits, 15 s | lead over limits | first | lead over limits, 15 s | first |
|---|---|---|---|---|---|---|---|
{rows}

*Lead* is the time from Tocsin's alarm to that of the limits, where both raised one: the median, and in brackets the
quartiles; below 0 the limits were first. *First* is the share of all patients in whom Tocsin's alarm was the first,
those without an alarm of the limits included.

A tachyarrhythmia passes the limit within seconds, so no lead is possible. An apnoea is detected as soon as the
averaged respiration has fallen. A score that knows the patient gains most in slow changes.

## False alarms, {bed_days:g} bed-days without any deterioration

| detector | false alarms a bed and day |
|---|---|
{false}

The ward's patients move, lose probes, and lie on their cuffs at the simulator's rates. Limits without delay raise so
many alarms that some of them are first by chance; wards use limits with a delay.

## Method

    python -m tocsin_studies.ward_lead models/ward-vitals/1 docs/ward-lead.md

Each patient deteriorates once, two hours after the start of the stream, a quarter of them in each of four ways. A
twin, the same to the bit without the deterioration, is watched too; an alarm that the twin also has, within a minute,
does not count. An alarm counts until treatment begins to work. False alarms are counted on other patients.
"""
