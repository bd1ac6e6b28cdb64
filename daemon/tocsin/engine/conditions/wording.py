"""Why a condition turned, in one line for a person and as evidence for a program."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions import drift, trend
from tocsin.engine.conditions.base import (
    Above,
    Absent,
    AllOf,
    AnyOf,
    Below,
    Drift,
    EarlyWarning,
    Flatline,
    Forecast,
    Implausible,
    ScoreAbove,
    Silent,
    Trend,
    Truth,
    cells,
)
from tocsin.engine.conditions.judgement import chance, early_warning
from tocsin.engine.conditions.news2_chart import PARAMETERS, SINGLE
from tocsin.engine.events import ConditionEventKind, Evidence
from tocsin.engine.model import ChannelKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.conditions.adaptation import StreamBaseline
    from tocsin.engine.conditions.base import Condition
    from tocsin.engine.frames.stepper import Steps
    from tocsin.engine.model import Model

_NS_PER_S = 1_000_000_000
_NAMED_CHANNELS = 3
_READ_ALOUD = 1e6

# UCUM's codes are for machines; these are what a chart says.
_PRINTED_UNITS = {"1": "", "/min": "/min", "mm[Hg]": "mmHg", "Cel": "°C"}


@dataclass(frozen=True, slots=True)
class ReasonContext:
    """What one stream's condition turned in.

    Attributes:
        model: The model.
        row: The stream's.
        tick: Of the frame; where none came, of the stream's last one.
        notes: (cells,) of the condition.
        limit: The stream's own limit for this alarm; NaN where it is as for all.
        own: What the stream is like, where thresholds of scores are adapted.
        score: None is unknown.
        channels: As evidence; none where no frame came.
        low: seq2seq: (C, Q) quantiles of each channel's minimum over the horizon; None where no frame came.
        high: Likewise of its maximum.
    """

    model: Model
    row: int
    tick: int
    notes: NDArray[np.float64]
    limit: float
    own: StreamBaseline | None
    score: float | None
    channels: tuple[Evidence, ...]
    low: NDArray[np.float32] | None
    high: NDArray[np.float32] | None

    def name(self, channel: int) -> str:
        """A channel's name."""
        return self.model.channels[channel].name

    def unit(self, channel: int) -> str:
        """A channel's unit as a chart prints it, after a number."""
        return printed_unit(self.model.channels[channel].unit)

    def value(self, channel: int) -> float | None:
        """What was observed of a channel."""
        name = self.name(channel)
        return next((entry.value for entry in self.channels if entry.channel == name), None)

    def limit_of(self, condition: Above | Below | Forecast | ScoreAbove) -> float:
        """The limit that holds for the stream; of a score, its threshold."""
        if np.isnan(self.limit):
            return condition.threshold if isinstance(condition, ScoreAbove) else condition.limit
        return self.limit

    def part(self, cells: slice) -> ReasonContext:
        """The same for a member of a combination, whose notes are these."""
        return replace(self, notes=self.notes[cells], limit=np.nan)


def evidence(model: Model, steps: Steps, i: int, *, scored: bool) -> tuple[Evidence, ...]:
    """List the measured channels of frame i, those that contribute most first.

    Args:
        model: Whose channels.
        steps: The frames.
        i: Position of the frame.
        scored: Whether the alarm rests on the score; without, channels stand in their own order.
    """
    score = steps.score[i]
    entries = []
    for c, channel in enumerate(model.channels):
        if channel.kind is not ChannelKind.READING:
            continue
        observed = steps.mask[i, c] != 0
        entries.append(
            Evidence(
                channel=channel.name,
                unit=channel.unit,
                value=_known(steps.x[i, c]) if observed else None,
                mean=_known(steps.mean[i, c]),
                scale=_known(steps.scale[i, c]),
                contribution=_known(steps.contribution[i, c]) if scored and not np.isnan(score) else None,
            )
        )
    if scored:
        entries.sort(key=lambda entry: -(entry.contribution or 0.0))
    return tuple(entries)


def _known(value: np.float32) -> float | None:
    # By way of its text: 97.2 in float32 is 97.19999694824219 in float64, and a person will read it.
    return None if np.isnan(value) else float(str(value))


def reason(condition: Condition, kind: ConditionEventKind, context: ReasonContext) -> str:
    """Say in one line why a condition turned."""
    match condition:
        case Above() | Below():
            return _of_limit(condition, kind, context)
        case Trend():
            return _of_trend(condition, kind, context)
        case ScoreAbove():
            return _of_score(context.limit_of(condition), kind, context)
        case Drift():
            return _of_drift(condition, kind, context)
        case Forecast():
            return _of_forecast(condition, kind, context)
        case EarlyWarning():
            return _of_early_warning(condition, kind, context)
        case AllOf(members) | AnyOf(members):
            return _of_members(members, kind, context)
        case Silent(for_ns):
            return (
                "readings are back"
                if kind is ConditionEventKind.INACTIVE
                else f"no readings for {for_ns / _NS_PER_S:g} s"
            )
        case _:
            return _of_fault(condition, kind, context)


def _of_fault(condition: Absent | Flatline | Implausible, kind: ConditionEventKind, context: ReasonContext) -> str:
    name, unit, for_s = context.name(condition.channel), context.unit(condition.channel), condition.for_ns / _NS_PER_S
    value = context.value(condition.channel)
    match condition:
        case Absent():
            return f"{name} is back" if kind is ConditionEventKind.INACTIVE else f"no {name} for {for_s:g} s or longer"
        case Flatline(_, band, _):
            if kind is ConditionEventKind.UNCERTAIN or value is None:
                return f"{name} stood still and is not measured now"
            if kind is ConditionEventKind.INACTIVE:
                return f"{name} {figure(value, 4)}{unit} moves again"
            still = (
                f"stands at {figure(value, 4)}{unit}"
                if band == 0
                else f"stays within {band:g}{unit} of {figure(value, 4)}"
            )
            return f"{name} {still} for {for_s:g} s or longer"
        case Implausible(channel):
            about = context.model.channels[channel]
            if kind is ConditionEventKind.UNCERTAIN:
                return f"{name} was implausible and is not measured now"
            outside = f"{name} outside {about.low:g} to {about.high:g}{unit}"
            if not condition.is_of_every_value:
                often = "less than" if kind is ConditionEventKind.INACTIVE else "at least"
                return f"{outside} in {often} {100 * condition.share:g} % of the last {for_s:g} s"
            return (
                f"{name} is plausible again"
                if kind is ConditionEventKind.INACTIVE
                else f"{outside} for {for_s:g} s or longer"
            )


def _of_limit(condition: Above | Below, kind: ConditionEventKind, context: ReasonContext) -> str:
    name, unit = context.name(condition.channel), context.unit(condition.channel)
    side, limit = "above" if isinstance(condition, Above) else "below", context.limit_of(condition)
    value = context.value(condition.channel)
    if kind is ConditionEventKind.UNCERTAIN or value is None:
        return f"{name} was {side} {limit:g}{unit} and is not measured now"
    if kind is ConditionEventKind.INACTIVE:
        return f"{name} {figure(value, 4)}{unit}, no longer {side} {limit:g}"
    return f"{name} {figure(value, 4)}{unit} is {side} {limit:g}"


def _of_trend(condition: Trend, kind: ConditionEventKind, context: ReasonContext) -> str:
    name, unit = context.name(condition.channel), context.unit(condition.channel)
    side, within_s = "rises" if condition.rising else "falls", condition.within_ns / _NS_PER_S
    span = condition.within_ns // context.model.period_ns
    change = float(trend.change(context.notes[None, :], np.array([context.tick]), span)[0])
    value = context.value(condition.channel)
    if kind is ConditionEventKind.UNCERTAIN or value is None or np.isnan(change):
        return f"how fast {name} {side} is unknown now"
    if kind is ConditionEventKind.INACTIVE:
        return f"{name} {figure(value, 4)}{unit} no longer {side} by {condition.by:g} in {within_s:g} s"
    return f"{name} {side} by {abs(change):.3g}{unit} in {within_s:g} s, to {figure(value, 4)}"


def _of_forecast(condition: Forecast, kind: ConditionEventKind, context: ReasonContext) -> str:
    name, unit, limit = context.name(condition.channel), context.unit(condition.channel), context.limit_of(condition)
    within_s = context.model.horizon_ticks * context.model.period_ns / _NS_PER_S
    what = f"{name} {'above' if condition.rising else 'below'} {limit:g}{unit} within {within_s:g} s"
    extremes = context.high if condition.rising else context.low
    if kind is ConditionEventKind.UNCERTAIN or extremes is None:
        return f"the chance of {what} is unknown now"
    of_channel = extremes[None, condition.channel]
    p = float(chance(condition, of_channel, np.array([limit]), context.model)[0])
    if kind is ConditionEventKind.INACTIVE:
        return f"{what}: p = {p:.2g}, back below {condition.probability:g}"
    value = context.value(condition.channel)
    now = "" if value is None else f", now {figure(value, 4)}"
    return f"{what}: p = {p:.2g}{now}"


def _of_early_warning(condition: EarlyWarning, kind: ConditionEventKind, context: ReasonContext) -> str:
    notes, tick = context.notes[None, :], np.array([context.tick])
    score, given, missing = early_warning(condition, notes, tick, context.model.period_ns)
    if kind is ConditionEventKind.UNCERTAIN:
        old = ", ".join(name for name, gone in zip(PARAMETERS, missing[:, 0].tolist(), strict=True) if gone)
        return f"NEWS2 is unknown now: no recent {old}" if old else "NEWS2 is unknown now"
    total, points = int(score.total[0]), score.points[:, 0].tolist()
    unknown = [name for name, value in zip(PARAMETERS, given[:, 0].tolist(), strict=True) if np.isnan(value)]
    bound = f"at least {total}" if unknown else f"{total}"
    without = f"; without {', '.join(unknown)}" if unknown else ""
    if kind is ConditionEventKind.INACTIVE:
        return f"NEWS2 {bound}, no longer calls for a response{without}"
    by_points = sorted(zip(points, PARAMETERS, strict=True), key=lambda entry: -entry[0])
    parts = ", ".join(f"{name} {n}" for n, name in by_points if n)
    single = f" ({SINGLE} in one)" if total < condition.at_least else ""
    return f"NEWS2 {bound}{single}: {parts}{without}"


def _of_members(members: tuple[Condition, ...], kind: ConditionEventKind, context: ReasonContext) -> str:
    """Name those that hold; when it has ceased or been lost, those that do not or are unknown."""
    wanted = {ConditionEventKind.INACTIVE: Truth.FALSE, ConditionEventKind.UNCERTAIN: Truth.UNKNOWN}.get(
        kind, Truth.TRUE
    )
    found, at = [], 0
    for member in members:
        end = at + 1 + cells(member)
        if context.notes[at] == wanted:
            found.append(reason(member, kind, context.part(slice(at + 1, end))))
        at = end
    return " and ".join(found) or "nothing is known now"


def _of_score(threshold: float, kind: ConditionEventKind, context: ReasonContext) -> str:
    what = "probability" if context.model.task.judges_by_probability else "score"
    if context.score is None:
        return f"{what} is unknown now"
    if kind is ConditionEventKind.UNCERTAIN:
        return f"{what} {context.score:.3g} is above {threshold:.3g}, and what is usual of the stream isn't known yet"
    threshold, own = _own(threshold, context)
    if kind is ConditionEventKind.INACTIVE:
        return f"{what} {context.score:.3g}, back below {threshold:.3g}{own}"
    named = [_of_channel(entry) for entry in context.channels[:_NAMED_CHANNELS] if (entry.contribution or 0.0) > 0.0]
    return f"{what} {context.score:.3g}, threshold {threshold:.3g}{own}" + (": " + "; ".join(named) if named else "")


def _own(threshold: float, context: ReasonContext) -> tuple[float, str]:
    """The threshold that the stream is judged by, and what is to be said of it."""
    if context.own is None:
        return threshold, ""
    least, most = (float(bound[0]) for bound in context.own.bounds(threshold))
    if least < most:
        return most, f" (what is usual of the stream isn't known yet: {most / threshold:.3g} times {threshold:.3g})"
    return most, "" if most == threshold else f" (the stream's own, {most / threshold:.3g} times {threshold:.3g})"


def _of_drift(condition: Drift, kind: ConditionEventKind, context: ReasonContext) -> str:
    if kind is ConditionEventKind.UNCERTAIN or context.score is None:
        return "score is unknown now"
    total, reference = float(drift.total(context.notes[None, :])[0]), float(np.exp(context.notes[0]))
    if kind is ConditionEventKind.INACTIVE:
        return f"score {context.score:.3g} no longer drifts from {reference:.3g}: sum {total:.3g}"
    return (
        f"score {context.score:.3g} has drifted up from {reference:.3g}, where the stream began: sum {total:.3g}, "
        f"limit {condition.limit:.3g}"
    )


def _of_channel(entry: Evidence) -> str:
    unit = printed_unit(entry.unit)
    if entry.value is None:
        return f"{entry.channel} not measured"
    if entry.mean is None or entry.scale is None:
        return f"{entry.channel} {figure(entry.value, 4)}{unit}"
    return f"{entry.channel} {figure(entry.value, 4)}{unit} (expected {expected(entry.mean, entry.scale)})"


def expected(mean: float, scale: float) -> str:
    """What was expected, in figures that can be read aloud.

    >>> expected(36.8217, 0.0749), expected(24_561.2, 448.0)
    ('36.82 ± 0.075', '24560 ± 450')
    """
    return f"{figure(mean, 4)} ± {figure(scale, 2)}"


def figure(value: float, digits: int) -> str:
    """A value in so many digits, and without powers of ten below a million.

    >>> figure(97.04, 3), figure(150_312.0, 4), figure(2.5e7, 4)
    ('97', '150300', '2.5e+07')
    """
    text = f"{value:.{digits}g}"
    return f"{float(text):.0f}" if "e+0" in text and abs(value) < _READ_ALOUD else text


def printed_unit(unit: str) -> str:
    """A unit as a chart prints it after a number, with the space before it.

    >>> printed_unit("mm[Hg]"), printed_unit("1")
    (' mmHg', '')
    """
    printed = _PRINTED_UNITS.get(unit, unit)
    return f" {printed}" if printed else ""
