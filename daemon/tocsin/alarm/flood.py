"""How many new alarms people are told of in each group, and whether that is a flood."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tocsin.alarm.record import AlarmKind, AlarmRecord, normal
from tocsin.engine.events import Category, Priority, Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.alarm.policy import Grouping

GROUPS = "tocsin/groups"
FLOOD = "flood"


class Floods:
    """The windows of all groups, by the name under which people are told of them."""

    def __init__(self, grouping: Grouping) -> None:
        """Begin with a quiet time."""
        self.grouping = grouping
        self._recent: dict[str, deque[int]] = {}

    def labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Of a stream's labels, those that make its group."""
        return {name: labels[name] for name in self.grouping.by if name in labels}

    def group(self, labels: Mapping[str, str]) -> str:
        """Under which name people are told of a stream's group, as if it were a stream itself.

        A label may hold any text, and a stream's name is part of a topic.
        """
        values = (labels.get(name, "-") for name in self.grouping.by)
        return "/".join([GROUPS, *("".join("_" if c in "+#/\0" else c for c in value) or "-" for value in values)])

    def note(self, group: str, now: int) -> int:
        """Count one more new alarm; how many there are within the window."""
        recent = self._recent.setdefault(group, deque())
        recent.append(now)
        while recent[0] <= now - self.grouping.per_ns:
            recent.popleft()
        return len(recent)

    def ends_at(self, group: str) -> int:
        """`now` from which a group has fewer new alarms in the window than the end of a flood."""
        recent = self._recent.get(group, deque[int]())
        spare = len(recent) - self.grouping.end
        return recent[spare] + self.grouping.per_ns if spare >= 0 else 0

    def export(self) -> dict[str, list[int]]:
        """As plain data."""
        return {group: list(recent) for group, recent in self._recent.items()}

    def restore(self, data: Mapping[str, list[int]]) -> None:
        """Go on with what `export` gave."""
        self._recent = {group: deque(recent) for group, recent in data.items()}


def telling(group: str, labels: Mapping[str, str]) -> AlarmRecord:
    """The alarm that tells a group's floods, which is not up yet."""
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
