"""The register of all alarms, whatever watch they are of: conditions' turns and time in, events out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tocsin.alarm.events import Event, Transition
from tocsin.alarm.status import Status
from tocsin.engine.changes import Turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tocsin.alarm.plan import Plan
    from tocsin.engine.changes import Category, Change, Priority


class Register:
    """Every alarm that has ever been up, and what it is in."""

    def __init__(self, plans: Iterable[Plan]) -> None:
        """Begin with no alarm up.

        Args:
            plans: Of all watches.
        """
        self._plans = {(plan.watch, plan.alarm): plan for plan in plans}
        self._status: dict[tuple[str, str], Status] = {}  # by stream and alarm
        self._category: dict[tuple[str, str], Category] = {}
        self._last_id = 0

    def reconfigure(self, plans: Iterable[Plan]) -> None:
        """Go on with other plans; alarms that are gone have been ended by their engines."""
        self._plans = {(plan.watch, plan.alarm): plan for plan in plans}

    @property
    def statuses(self) -> Mapping[tuple[str, str], Status]:
        """By stream and alarm: those that are not normal, and those that have been."""
        return self._status

    def counts(self) -> dict[tuple[Priority, Category], int]:
        """Count the alarms that are not normal."""
        counts: dict[tuple[Priority, Category], int] = {}
        for key, status in self._status.items():
            if status.occurrence is not None:
                group = status.priority, self._category[key]
                counts[group] = counts.get(group, 0) + 1
        return counts

    def take_in(self, changes: Sequence[Change], now: int) -> list[Event]:
        """Let conditions' turns move their alarms.

        Args:
            changes: As the engines told them, in order.
            now: Nanoseconds since 1970.
        """
        return [event for change in changes if (event := self._turned(change, now)) is not None]

    def _turned(self, change: Change, now: int) -> Event | None:
        key = change.stream, change.alarm
        before = self._status.get(key) or Status(
            active=False, acknowledged=False, latched=False, uncertain=False, priority=change.priority
        )
        ended = Status(active=False, acknowledged=False, latched=False, uncertain=False, priority=change.priority)
        match change.turn:
            case Turn.BEGAN:
                transition = Transition.RAISE
                status = replace(ended, active=True, occurrence=self._last_id + 1, since=change.t, raised_at=now)
            case Turn.CEASED:
                transition, status = Transition.CLEAR, ended
            case Turn.ENDED:
                transition, status = Transition.END, ended
            case Turn.LOST:
                transition, status = Transition.UNCERTAIN, replace(before, uncertain=True)
            case Turn.FOUND:
                transition, status = Transition.CERTAIN, replace(before, uncertain=False)
        self._last_id += 1
        self._status[key] = status
        self._category[key] = change.category
        return Event(
            id=self._last_id,
            stream=change.stream,
            labels=change.labels,
            alarm=change.alarm,
            watch=change.watch,
            category=change.category,
            transition=transition,
            status=status,
            occurrence=status.occurrence or before.occurrence,
            since=change.since,
            t=change.t,
            raised_at=now,
            reason=change.reason,
            score=change.score,
            evidence=change.evidence,
            model=change.model,
        )
