"""What an alarm is in: flags, and the state that is derived from them (OPC UA Part 9, ISA-18.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tocsin.engine.events import Priority  # noqa: TC001  (a status that was written down is read by its annotations)


class State(StrEnum):
    """Of one stream's alarm (ISA-18.2, its letters)."""

    NORMAL = "normal"  # A
    UNACKNOWLEDGED = "unacknowledged"  # B
    ACKNOWLEDGED = "acknowledged"  # C
    RETURNED = "returned"  # D: its condition has ceased, and nobody has acknowledged it
    LATCHED_UNACKNOWLEDGED = "latched-unacknowledged"  # E
    LATCHED_ACKNOWLEDGED = "latched-acknowledged"  # F


@dataclass(frozen=True, slots=True)
class Shelving:
    """Somebody put an alarm aside for a time.

    Attributes:
        by: Who.
        reason: Why.
        until: When it ends, in `now`'s time, nanoseconds since 1970.
        once: Whether it ends with the alarm's next clear, too.
    """

    by: str
    reason: str
    until: int
    once: bool


@dataclass(frozen=True, slots=True)
class AlarmStatus:
    """Everything about one stream's alarm that outlives a moment.

    Attributes:
        active: Its condition holds, after the delays.
        acknowledged: Somebody has seen this occurrence.
        latched: It stays until it is reset.
        uncertain: Its condition is unknown now; it stays as it was.
        priority: The present one; it may have been escalated.
        occurrence: The id of the event that raised the present occurrence; None in `normal`.
        since: `t` of that, nanoseconds since 1970.
        raised_at: `now` of that.
        shelved: None if it isn't.
        suppressed_by: The alarms that keep this occurrence quiet by design, `stream/alarm` each; empty if none does.
        out_of_service: Whether maintenance has taken it out.
        acknowledged_by: Who acknowledged this occurrence; None if nobody has.
        acknowledged_at: `now` of that.
        first_up: When it rose, no other alarm of its stream waited for somebody: it may be the cause of those after it.
        chattering: It comes and goes.
        stale: People have been told of it for a day.
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
        """The state, derived."""
        if self.active:
            return State.ACKNOWLEDGED if self.acknowledged else State.UNACKNOWLEDGED
        if self.latched:
            return State.LATCHED_ACKNOWLEDGED if self.acknowledged else State.LATCHED_UNACKNOWLEDGED
        return State.NORMAL if self.occurrence is None else State.RETURNED

    @property
    def is_annunciated(self) -> bool:
        """Whether people are to be told: it isn't normal, and nothing keeps it quiet."""
        return self.state is not State.NORMAL and not self.is_quiet

    @property
    def is_quiet(self) -> bool:
        """Whether one of the three suppressions is on."""
        return self.shelved is not None or bool(self.suppressed_by) or self.out_of_service

    @property
    def is_waiting(self) -> bool:
        """Whether people are told of it and none has acknowledged it."""
        return self.is_annunciated and not self.acknowledged
