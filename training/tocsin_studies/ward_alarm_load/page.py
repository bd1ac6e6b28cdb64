"""`docs/alarm-load.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.events import Category
from tocsin_training.simulation.ward.episodes import DETERIORATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tocsin_studies.ward_alarm_load.measure import LoadResults, WardDay

_T_975 = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}  # Student, n − 1


def page(measured: LoadResults) -> str:
    """Page: figures of each practice, with intervals over seeds."""
    bed_days = measured.beds * measured.hours / 24
    rows: list[tuple[str, Callable[[WardDay], float], str]] = [
        ("alarms a bed and day", lambda d: d.alarms.total() / bed_days, ".2f"),
        ("… physiological", lambda d: d.alarms[Category.PHYSIOLOGICAL] / bed_days, ".2f"),
        ("… of them false", lambda d: d.false / bed_days, ".2f"),
        ("… technical", lambda d: d.alarms[Category.TECHNICAL] / bed_days, ".2f"),
        ("share technical, %", lambda d: 100 * d.alarms[Category.TECHNICAL] / max(d.alarms.total(), 1), ".0f"),
        ("alarms that began to chatter, a bed and day", lambda d: d.chattering / bed_days, ".2f"),
        (
            "minutes of flood a nurse and day",
            lambda d: d.flooded_min / (measured.beds / 5) / measured.hours * 24,
            ".1f",
        ),
        ("deteriorations detected, %", _found_percent, ".0f"),
    ]
    table = ["| | " + " | ".join(measured.days) + " |", "|---|" + "---|" * len(measured.days)]
    for what, of, form in rows:
        cells = [_spread([of(day) for day in days], form) for days in measured.days.values()]
        table.append("| " + " | ".join([what, *cells]) + " |")
    kinds = [e.kind for episodes in measured.episodes for e in episodes]
    found = ["| | " + " | ".join(measured.days) + " |", "|---|" + "---|" * len(measured.days)]
    for kind in DETERIORATIONS:
        cells = []
        for days in measured.days.values():
            leads = [lead for day in days for lead in day.lead_s]
            own = [lead for lead, k in zip(leads, kinds, strict=True) if k is kind]
            cells.append(_found(own))
        found.append("| " + " | ".join([f"{kind} ({kinds.count(kind)})", *cells]) + " |")
    return PAGE.format(
        beds=measured.beds,
        hours=measured.hours,
        seeds=len(measured.episodes),
        deteriorations=len(kinds),
        table="\n".join(table),
        found="\n".join(found),
        ratios=_ratios(measured),
        verdict=_verdict(measured),
    )


def _found_percent(day: WardDay) -> float:
    return 100 * sum(lead is not None for lead in day.lead_s) / max(len(day.lead_s), 1)


def _waiting(measured: LoadResults) -> float:
    """Alarms a bed and day of limits after 15 s, with Tocsin's number of technical alarms."""
    _, delayed, tocsin = measured.days.values()
    alarm_rows = sum(day.alarms[Category.PHYSIOLOGICAL] for day in delayed)
    alarm_rows += sum(day.alarms[Category.TECHNICAL] for day in tocsin)
    return alarm_rows / (len(delayed) * measured.beds * measured.hours / 24)


def _verdict(measured: LoadResults) -> str:
    """Whether the aim is reached: at equal detection a tenth of the fixed limits' alarms."""
    limits, delayed, tocsin = measured.days.values()
    lines = []
    for name, others in (("Limits at once", limits), ("Limits after 15 s", delayed)):
        found = [float(np.mean([_found_percent(day) for day in days])) for days in (tocsin, others)]
        total = [sum(day.alarms.total() for day in days) for days in (tocsin, others)]
        called = [sum(day.alarms[Category.PHYSIOLOGICAL] for day in days) for days in (tocsin, others)]
        lines.append(
            f"- {name} detect {found[1]:.0f} % of the deteriorations, Tocsin {found[0]:.0f} %. Tocsin raises "
            f"{100 * total[0] / total[1]:.1f} % of the number of their alarms, "
            f"{100 * called[0] / called[1]:.1f} % of the physiological ones."
        )
    technical = sum(day.alarms[Category.TECHNICAL] for day in tocsin)
    share = 100 * technical / max(sum(day.alarms.total() for day in tocsin), 1)
    lines.append(
        f"- The remaining alarms are technical: {share:.0f} % of Tocsin's alarms report that a channel has been absent "
        "for five minutes. No model removes those: the patient is not being watched. The five minutes are a setting "
        "and no merit of the network: limits after 15 s with the same five minutes would raise "
        f"{_waiting(measured):.1f} alarms a bed and day."
    )
    return "\n".join(lines)


def _ratios(measured: LoadResults) -> str:
    lines = []
    limits, delayed, tocsin = measured.days.values()
    for name, others in (("limits at once", limits), ("limits after 15 s", delayed)):
        for what, categories in (("all alarms", [*Category]), ("physiological alarms", [Category.PHYSIOLOGICAL])):
            counts = [[sum(day.alarms[c] for c in categories) for day in days] for days in (tocsin, others)]
            shares = [own / other for own, other in zip(*counts, strict=True)]
            lines.append(f"| {what}, of those of {name} | {_spread(shares, '.3f')} |")
    return "\n".join(["| Tocsin's share | |", "|---|---|", *lines])


def _spread(values: Sequence[float], form: str) -> str:
    """Mean over seeds, and its 95 % interval (Student-t)."""
    mean = float(np.mean(values))
    if len(values) not in _T_975:
        return f"{mean:{form}}"
    half = _T_975[len(values)] * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return f"{mean:{form}} (±{half:{form}})"


def _found(leads: Sequence[float | None]) -> str:
    there = [lead for lead in leads if lead is not None]
    if not there:
        return f"0 of {len(leads)}"
    low, median, high = np.quantile(there, [0.25, 0.5, 0.75])
    return f"{len(there)} of {len(leads)}; {median:.0f} s ({low:.0f} to {high:.0f})"


PAGE = """\
# Alarm load of a ward

{beds} simulated beds for {hours} hours, {seeds} times, each with deteriorations, movements and faults of measurement.
**The patients are simulated**, and the network was trained on the same simulator: the figures compare three alarm
practices on the same streams, and promise nothing about a ward. Brackets: 95 % over the {seeds} seeds (Student).

- *limits at once*: the defaults of adult bedside monitors (heart rate 50–120, SpO2 90, respiration 8–30, systolic
  90–160, diastolic 50–90, temperature 36–39), each with an alarm at the first value outside; a technical alarm for
  each channel that is absent for 10 s.
- *limits after 15 s*: the same, once a value has been outside for 15 s without a break.
- *Tocsin*: [`config/quiet-ward.yaml`](../config/quiet-ward.yaml), through the daemon's own engine and alarm registry:
  the network with a budget of half a false alarm a bed and day, five limits at extreme values, and technical alarms
  for channels that are absent for five minutes.

{table}

{ratios}

*False* are physiological alarms without a deterioration as their cause: a twin of each patient who deteriorates, the
same to the bit but for that, is watched too, and an alarm that the twin also has within a minute counts as false.
*Chattering*: three alarm–clear cycles within a minute. *Flood*: from more than 10 alarms in 10 minutes on, until fewer
than 5, for a nurse with five beds.

## Detection

{deteriorations} deteriorations. Detected: those with an alarm before treatment began to work, and the median time from
the onset to the alarm with its quartiles. Limits at once raise so many alarms that some detections are chance, though
the twin removes most of them.

{found}

## Assumptions

The rates of deteriorations and of faults of measurement are in
[`parameters.py`](../training/tocsin_training/simulation/ward/parameters.py), with their sources, and were fixed before
this comparison: 0.146 deteriorations a patient and day (Hravnak 2008, step-down unit), 60 movements (rate assumed,
durations from 350 adults in intensive care), 6 lost probes, 18 drop-outs of some five minutes (Breteler 2020: 6 % of
time and more is lost), 6 misheld cuffs, 1 frozen value. Half of the figures are assumptions, and marked as such. For
scale: 187 audible alarms a bed and day were counted in intensive care (Drew 2014).

Alarms are not acknowledged and do not latch, and a limit ends as soon as the value is back: monitors that hold an
alarm for a while chatter less. `quiet-ward.yaml` was written before any measurement; three hours of another seed were
looked at first, and it was not changed after that.

## Share of the alarms of fixed limits

{verdict}

## Method

    python -m tocsin_studies.ward_alarm_load config/quiet-ward.yaml docs/alarm-load.md

takes some 25 minutes of one core. The limits' alarms are computed over whole columns; a test holds them equal to the
alarms of the daemon's engine for the same limits.
"""
