"""Alarm status: flags, and the state that is derived from them (OPC UA Part 9, ISA-18.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tocsin.engine.events import Priority  # noqa: TC001  (at run time, too: stored statuses are converted by it)


class State(StrEnum):
    """State of an alarm, with the letters of ISA-18.2."""

    NORMAL = "normal"  # A
    UNACKNOWLEDGED = "unacknowledged"  # B
    ACKNOWLEDGED = "acknowledged"  # C
    RETURNED = "returned"  # D: its condition no longer holds, unacknowledged
    LATCHED_UNACKNOWLEDGED = "latched-unacknowledged"  # E
    LATCHED_ACKNOWLEDGED = "latched-acknowledged"  # F


@dataclass(frozen=True, slots=True)
class Shelving:
    """Suppression of an alarm by a person for a limited time.

    Attributes:
        by: The person or program.
        reason: The reason.
        until: Its end, nanoseconds since 1970.
        once: Whether it also ends with the alarm's next clear.
    """

    by: str
    reason: str
    until: int
    once: bool


@dataclass(frozen=True, slots=True)
class AlarmStatus:
    """Status of one stream's alarm.

    Attributes:
        active: The condition holds, after the delays.
        acknowledged: A person has acknowledged the occurrence.
        latched: The condition no longer holds, and the occurrence lasts until it is reset.
        uncertain: The condition is unknown now; the state stays as it was.
        priority: Present priority, escalations included.
        occurrence: Id of the event that raised the present occurrence; None in state normal.
        since: `t` of that event, nanoseconds since 1970.
        raised_at: Processing time of that event, nanoseconds since 1970.
        shelved: The shelving; None if it is not shelved.
        suppressed_by: Alarms that suppress this occurrence by design, `stream/alarm` each.
        out_of_service: Whether it is removed from service for maintenance.
        acknowledged_by: The person or program that acknowledged the occurrence; None if it is unacknowledged.
        acknowledged_at: Processing time of that, nanoseconds since 1970.
        first_up: No other alarm of the stream was waiting when it was raised: it may be the cause of those after it.
        chattering: It became active and inactive three times within a minute.
        stale: It has been annunciated for a day.
    """

    active: bool
    acknowledged: bool
    latched: bool
    uncertain: bool
    priority: Priority
    occurrence: int | None = None
    since: int | None = None
    raised_at: int | None = None
    shelved: Shelving | None = None
    suppressed_by: tuple[str, ...] = ()
    out_of_service: bool = False
    acknowledged_by: str | None = None
    acknowledged_at: int | None = None
    first_up: bool = False
    chattering: bool = False
    stale: bool = False

    @property
    def state(self) -> State:
        """The state that follows from the flags."""
        if self.active:
            return State.ACKNOWLEDGED if self.acknowledged else State.UNACKNOWLEDGED
        if self.latched:
            return State.LATCHED_ACKNOWLEDGED if self.acknowledged else State.LATCHED_UNACKNOWLEDGED
        return State.NORMAL if self.occurrence is None else State.RETURNED

    @property
    def is_annunciated(self) -> bool:
        """Whether it is shown to people: it is not normal, and nothing suppresses it."""
        return self.state is not State.NORMAL and not self.is_suppressed

    @property
    def is_suppressed(self) -> bool:
        """Whether it is shelved, suppressed by design or out of service."""
        return self.shelved is not None or bool(self.suppressed_by) or self.out_of_service

    @property
    def is_waiting(self) -> bool:
        """Whether it is annunciated and unacknowledged."""
        return self.is_annunciated and not self.acknowledged
