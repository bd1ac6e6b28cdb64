"""What the register remembers of one stream's alarm."""

from __future__ import annotations

# At run time, too: a record that was written down is read again by its annotations.
from collections.abc import Mapping  # noqa: TC003
from dataclasses import dataclass, replace
from enum import StrEnum

from tocsin.alarm.status import AlarmStatus, State
from tocsin.engine.events import Category, Priority, Report

FLEETING_NS = 10_000_000_000
CHATTER_NS = 60_000_000_000

URGENCY = {priority: rank for rank, priority in enumerate(reversed(Priority))}
"""Higher is more urgent."""

_FLAGS = {  # active, acknowledged, latched
    State.NORMAL: (False, False, False),
    State.UNACKNOWLEDGED: (True, False, False),
    State.ACKNOWLEDGED: (True, True, False),
    State.RETURNED: (False, False, False),
    State.LATCHED_UNACKNOWLEDGED: (False, False, True),
    State.LATCHED_ACKNOWLEDGED: (False, True, True),
}


class AlarmKind(StrEnum):
    """Where an alarm comes from."""

    WATCHED = "watched"  # a condition of a watch
    FLOOD = "flood"  # many alarms of one group
    TEST = "test"  # somebody who wants to see it arrive


@dataclass(frozen=True, slots=True)
class DeferredClear:
    """A clear that is held back, as the alarm chatters.

    Attributes:
        t: When the condition ceased.
        off_delay_ns: For how long it is held.
        until: When it is a clear, in `now`'s time.
        report: The reason for it.
    """

    t: int
    off_delay_ns: int
    until: int
    report: Report


@dataclass(slots=True)
class AlarmRecord:
    """One stream's alarm.

    Attributes:
        stream: Whose.
        alarm: Its name.
        watch: The watch it is configured in.
        labels: What is known of the stream.
        priority: To begin with.
        category: As configured.
        kind: Where it comes from.
        status: What it is in.
        report: The last condition event's.
        last_occurrence: The present occurrence, or else the last one.
        last_since: `t` of its beginning.
        annunciated_since: `now` since when people are told of it without a break; None while they aren't.
        waiting_since: `now` since when it has waited for somebody without a break; None while it doesn't.
        reminded: How many reminders have fallen due since.
        deferred_clear: A clear that is deferred.
        began_t: `t` at which its condition last began, whatever was held back.
        cycles: `t` of the beginnings of the last three times that its condition began and ceased.
        ceased_t: `t` at which its condition last ceased.
        turned_at: `now` when its condition last began or ceased.
        ends_at: `now` at which a test ends.
    """

    stream: str
    alarm: str
    watch: str
    labels: Mapping[str, str]
    priority: Priority
    category: Category
    kind: AlarmKind
    status: AlarmStatus
    report: Report
    last_occurrence: int | None = None
    last_since: int | None = None
    annunciated_since: int | None = None
    waiting_since: int | None = None
    reminded: int = 0
    deferred_clear: DeferredClear | None = None
    began_t: int | None = None
    cycles: tuple[int, ...] = ()
    ceased_t: int | None = None
    turned_at: int | None = None
    ends_at: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Stream and alarm."""
        return self.stream, self.alarm

    @property
    def name(self) -> str:
        """`stream/alarm`, as people are told it."""
        return f"{self.stream}/{self.alarm}"

    def become(self, status: AlarmStatus, now: int) -> None:
        """Take another status, and begin or end the times that hang on it."""
        before = self.status
        self.status = status
        is_new = status.occurrence is not None and status.occurrence != before.occurrence
        if is_new:
            self.last_occurrence, self.last_since = status.occurrence, status.since
        if is_new or not status.is_annunciated:
            self.annunciated_since = None
        if is_new or not status.is_waiting:
            self.waiting_since, self.reminded = None, 0
        if status.is_annunciated and self.annunciated_since is None:
            self.annunciated_since = now
        if status.is_waiting and self.waiting_since is None:
            self.waiting_since = now

    def is_fleeting(self, t: int) -> bool:
        """Whether an occurrence that clears at `t` was there for seconds only, and the alarm wasn't just before."""
        since = self.status.since
        if since is None or self.status.chattering or t - since >= FLEETING_NS:
            return False
        return self.ceased_t is None or since - self.ceased_t > CHATTER_NS


def normal(priority: Priority) -> AlarmStatus:
    """The status of an alarm that has never been up."""
    return AlarmStatus(active=False, acknowledged=False, latched=False, uncertain=False, priority=priority)


def in_state(status: AlarmStatus, state: State) -> AlarmStatus:
    """The same occurrence in another state; what belongs to an occurrence goes with it."""
    active, acknowledged, latched = _FLAGS[state]
    after = replace(
        status,
        active=active,
        acknowledged=acknowledged,
        latched=latched,
        uncertain=status.uncertain and active,
    )
    if not acknowledged:
        after = replace(after, acknowledged_by=None, acknowledged_at=None)
    return after if state is not State.NORMAL else over(after, status.priority)


def over(status: AlarmStatus, priority: Priority) -> AlarmStatus:
    """No occurrence any more; what belongs to the alarm stays."""
    return replace(
        normal(priority),
        shelved=status.shelved,
        out_of_service=status.out_of_service,
        chattering=status.chattering,
    )
