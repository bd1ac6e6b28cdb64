"""Alarm calls: occurrences of alarms from beginning to end, whatever their source."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from tocsin.alarm import Transition
from tocsin.alarm.flood import PERIOD_NS, floods_of
from tocsin.engine.events import Category
from tocsin_training.simulation.ward.bedside_limits import BEDSIDE
from tocsin_training.simulation.ward.simulator import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tocsin.alarm import Event

GONE_S = 10
"""Seconds without a measurement before a bedside monitor raises a technical alarm."""

CYCLES, CHATTERING_S = 3, 60.0
"""Chattering: three alarm-clear cycles in a minute (ISA-18.2)."""

_NS_PER_S = 1_000_000_000


class AlarmSource(StrEnum):
    """Source of alarms."""

    LIMITS = "limits at once"
    DELAYED = "limits after 15 s"
    TOCSIN = "Tocsin"


@dataclass(frozen=True, slots=True)
class AlarmCall:
    """One occurrence of one alarm.

    Attributes:
        stream: Name of the stream.
        alarm: Name of the alarm.
        category: Physiological or technical.
        begin_s: Annunciation, in seconds since the day began.
        end_s: End; infinity if it had not ended by the day's end.
    """

    stream: str
    alarm: str
    category: Category
    begin_s: float
    end_s: float


def of_limits(stream: str, monitor_values: NDArray[np.floating], delay_s: int) -> list[AlarmCall]:
    """Alarms of a bedside monitor with fixed limits for one bed.

    Each channel has a high and a low alarm, which begins once its value has been outside for `delay_s` without a break,
    and ends with the first value within; a value at the limit changes nothing. A missing value neither begins nor ends
    an alarm, and restarts a delay. A measurement that is missing for 10 s is a technical alarm, or one for all of them
    if no values come at all.

    Args:
        stream: Its name.
        monitor_values: (T, C) at 1 Hz, NaN where nothing was measured.
        delay_s: Of the limits.
    """
    calls = []
    there = ~np.isnan(monitor_values)  # (T, C)
    for c, name in enumerate(CHANNELS):
        low, high = BEDSIDE[name]
        value = monitor_values[:, c]
        with np.errstate(invalid="ignore"):
            sides = {f"{name}-low": (value < low, value > low), f"{name}-high": (value > high, value < high)}
        for alarm, (outside, within) in sides.items():
            calls += [
                AlarmCall(stream, alarm, Category.PHYSIOLOGICAL, *span)
                for span in _alarm_spans(there[:, c], outside, within, delay_s)
            ]
    silent = ~there.any(axis=1)
    calls += [AlarmCall(stream, "silent", Category.TECHNICAL, *span) for span in _gone(silent)]
    for c, name in enumerate(CHANNELS):
        missing = ~there[~silent, c]  # in the seconds in which anything comes
        seconds = np.flatnonzero(~silent)
        spans = (
            (float(seconds[int(a)]), float(seconds[int(b)]) if b < len(seconds) else np.inf) for a, b in _gone(missing)
        )
        calls += [AlarmCall(stream, f"{name}-absent", Category.TECHNICAL, *span) for span in spans]
    return calls


def _alarm_spans(
    there: NDArray[np.bool_], outside: NDArray[np.bool_], within: NDArray[np.bool_], delay_s: int
) -> Iterator[tuple[float, float]]:
    """Begin and end of each alarm."""
    ends = np.flatnonzero(within)
    until = -1.0
    for first, end in _runs(there & ~within):  # outside, or at the limit
        beyond = np.flatnonzero(outside[first:end])
        begin = first + int(beyond[0]) if len(beyond) else end
        if end - begin <= delay_s or begin + delay_s < until:
            continue  # too short, or up still since before a gap
        at = np.searchsorted(ends, begin)
        until = float(ends[at]) if at < len(ends) else np.inf
        yield float(begin + delay_s), until


def _gone(missing: NDArray[np.bool_]) -> Iterator[tuple[float, float]]:
    for begin, end in _runs(missing):
        if end - begin > GONE_S:
            yield float(begin + GONE_S), float(end)


def _runs(held: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and past-the-last index of each run that is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], held.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def of_events(events: Iterable[Event], day_began: int) -> list[AlarmCall]:
    """Alarms of the daemon's alarm register.

    Args:
        events: In order.
        day_began: Nanoseconds since 1970.
    """
    open_: dict[tuple[str, str], Event] = {}
    calls = []
    for event in events:
        key = event.stream, event.alarm
        if event.transition is Transition.RAISE and event.announced:
            open_[key] = event
        elif event.transition in {Transition.CLEAR, Transition.END} and key in open_:
            calls.append(_call(open_.pop(key), _seconds(event, day_began), day_began))
    calls += [_call(event, np.inf, day_began) for event in open_.values()]
    return calls


def _call(raised: Event, end_s: float, day_began: int) -> AlarmCall:
    return AlarmCall(raised.stream, raised.alarm, raised.category, _seconds(raised, day_began), end_s)


def _seconds(event: Event, day_began: int) -> float:
    return (event.t - day_began) / _NS_PER_S


def chattering(calls: Iterable[AlarmCall]) -> int:
    """Number of times that an alarm began to chatter: at the end of its third cycle within a minute (ISA-18.2).

    >>> c = [AlarmCall("a", "x", Category.TECHNICAL, t, t + 1.0) for t in (0.0, 20.0, 40.0, 55.0, 500.0, 520.0)]
    >>> chattering(c)
    1
    """
    ends: dict[tuple[str, str], list[AlarmCall]] = {}
    for call in sorted(calls, key=lambda call: call.begin_s):
        ends.setdefault((call.stream, call.alarm), []).append(call)
    count = 0
    for own in ends.values():
        calm_from = -np.inf
        for first, last in zip(own, own[CYCLES - 1 :], strict=False):
            if last.end_s - first.begin_s <= CHATTERING_S:
                count += last.begin_s > calm_from
                calm_from = last.end_s + CHATTERING_S
    return count


def flooded_min(calls: Iterable[AlarmCall]) -> float:
    """Minutes of alarm flood of one person (ISA-18.2)."""
    begins = sorted(round(call.begin_s * _NS_PER_S) for call in calls)
    floods = floods_of("", begins, end=begins[-1] + PERIOD_NS, operators=1) if begins else []
    return sum(flood.end - flood.begin for flood in floods) / _NS_PER_S / 60


def without_twin(calls: Sequence[AlarmCall], twins: Sequence[AlarmCall], within_s: float) -> list[AlarmCall]:
    """Physiological alarms of a patient without one of the patient's twin at about the same time."""
    alike: dict[tuple[str, str], list[float]] = {}
    for call in twins:
        alike.setdefault((call.stream, call.alarm), []).append(call.begin_s)
    return [
        call
        for call in calls
        if call.category is Category.PHYSIOLOGICAL
        and not any(abs(t - call.begin_s) <= within_s for t in alike.get((call.stream, call.alarm), ()))
    ]
