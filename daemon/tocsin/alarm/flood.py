"""Alarm floods (ISA-18.2, EEMUA 191): windows of new alarms while the daemon runs, and floods found in a log."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.alarm.record import AlarmKind, AlarmRecord, normal
from tocsin.engine.events import Category, Priority, Report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tocsin.alarm.policy import Grouping

GROUPS = "tocsin/groups"
FLOOD = "flood"
PERIOD_NS = 600 * 1_000_000_000
FLOOD_BEGINS_ABOVE, FLOOD_ENDS_BELOW = 10, 5


class FloodWindows:
    """The new alarms of every group within the window of its grouping."""

    def __init__(self, grouping: Grouping) -> None:
        self.grouping = grouping
        self._recent: dict[str, deque[int]] = {}

    def labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The labels of a stream that name its group."""
        return {name: labels[name] for name in self.grouping.by if name in labels}

    def group(self, labels: Mapping[str, str]) -> str:
        """The name of a stream's group, under which its flood alarm is published like a stream's.

        Characters that a topic's level cannot hold become `_`.
        """
        values = (labels.get(name, "-") for name in self.grouping.by)
        return "/".join([GROUPS, *("".join("_" if c in "+#/\0" else c for c in value) or "-" for value in values)])

    def count(self, group: str, now: int) -> int:
        """Count a new alarm; the number of new alarms within the window."""
        recent = self._recent.setdefault(group, deque())
        recent.append(now)
        while recent[0] <= now - self.grouping.per_ns:
            recent.popleft()
        return len(recent)

    def ends_at(self, group: str) -> int:
        """The time at which the group's window holds fewer new alarms than `Grouping.end`, ns; 0 if it does now."""
        recent = self._recent.get(group, deque[int]())
        excess = len(recent) - self.grouping.end
        return recent[excess] + self.grouping.per_ns if excess >= 0 else 0

    def export(self) -> dict[str, list[int]]:
        """The times of the new alarms by group."""
        return {group: list(recent) for group, recent in self._recent.items()}

    def restore(self, data: Mapping[str, list[int]]) -> None:
        """Replace the windows by those that `export` gave."""
        self._recent = {group: deque(recent) for group, recent in data.items()}


def flood_alarm(group: str, labels: Mapping[str, str]) -> AlarmRecord:
    """The record of a group's flood alarm, in state normal."""
    return AlarmRecord(
        stream=group,
        alarm=FLOOD,
        watch="",
        labels=labels,
        priority=Priority.LOW,
        category=Category.TECHNICAL,
        kind=AlarmKind.FLOOD,
        status=normal(Priority.LOW),
        report=Report(""),
    )


@dataclass(frozen=True, slots=True)
class FloodPeriod:
    """A time with more alarms than an operator can handle.

    Attributes:
        group: The group of streams.
        begin: Time of the alarm that exceeded the limit, nanoseconds since 1970.
        end: Time at which fewer than five alarms were left in the last ten minutes.
        alarms: Number of alarms annunciated in it, including those that made it a flood.
    """

    group: str
    begin: int
    end: int
    alarms: int


def alarms_per_period(times_by_group: dict[str, list[int]], begin: int, end: int) -> dict[int, int]:
    """Count alarms in each whole period of ten minutes of each group.

    Args:
        times_by_group: Times of the alarms, nanoseconds since 1970.
        begin: Start of the first period.
        end: End of the time; a period that it cuts counts nowhere.

    Returns:
        The number of periods by the number of alarms in them.
    """
    whole = (end - begin) // PERIOD_NS
    periods: Counter[int] = Counter()
    for times in times_by_group.values():
        busy = Counter((at - begin) // PERIOD_NS for at in times)
        counts = [count for period, count in busy.items() if period < whole]
        periods.update(counts)
        periods[0] += whole - len(counts)
    return dict(sorted(periods.items()))


def floods_of(group: str, times: Sequence[int], end: int, operators: int) -> list[FloodPeriod]:
    """Find floods: more than ten alarms within ten minutes, until fewer than five are within ten minutes (ISA-18.2).

    Args:
        group: The group of streams.
        times: Times of annunciated alarms, ascending, nanoseconds since 1970.
        end: End of the time that is evaluated.
        operators: Number of operators that share the load; each has the limits.
    """
    most, fewest = FLOOD_BEGINS_ABOVE * operators, FLOOD_ENDS_BELOW * operators
    floods: list[FloodPeriod] = []
    window: deque[int] = deque()
    begun: int | None = None
    first = 0
    for i, at in enumerate(times):
        while window and window[0] <= at - PERIOD_NS:
            gone = window.popleft() + PERIOD_NS
            if begun is not None and len(window) < fewest:
                floods.append(FloodPeriod(group, begun, gone, i - first))
                begun = None
        window.append(at)
        if begun is None and len(window) > most:
            begun, first = at, i + 1 - len(window)
    if begun is not None:
        # In a flood `fewest` or more are in the window; once that one has left it, fewer are.
        floods.append(FloodPeriod(group, begun, min(window[-fewest] + PERIOD_NS, end), len(times) - first))
    return floods
