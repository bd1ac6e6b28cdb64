"""The record of one stream's alarm: its status, and what its deadlines and its next transitions depend on."""

from __future__ import annotations

# At run time, too: stored records are converted by the annotations.
from collections.abc import Mapping  # noqa: TC003
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from tocsin.alarm.events import Event
from tocsin.alarm.status import AlarmStatus, State
from tocsin.engine.events import Category, Priority, Report

if TYPE_CHECKING:
    from tocsin.alarm.commands import Command, CommandEnvelope
    from tocsin.alarm.events import Transition

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
    """Origin of an alarm."""

    WATCHED = "watched"  # a condition of a watch
    FLOOD = "flood"  # a flood in a group of streams
    TEST = "test"  # a test command


@dataclass(frozen=True, slots=True)
class DeferredClear:
    """A clear that is deferred because the alarm chatters.

    Attributes:
        t: Event time at which the condition ceased to hold, nanoseconds since 1970.
        off_delay_ns: Time for which it is deferred.
        until: Processing time at which it takes effect, nanoseconds since 1970.
        report: The condition event's report.
    """

    t: int
    off_delay_ns: int
    until: int
    report: Report


@dataclass(slots=True)
class AlarmRecord:
    """Record of one stream's alarm.

    Attributes:
        stream: The stream's name.
        alarm: The alarm's name.
        watch: The watch that it is configured in.
        labels: The stream's labels.
        priority: Initial priority of an occurrence.
        category: As configured.
        kind: Its origin.
        status: Its status.
        report: The last condition event's report.
        last_occurrence: The present occurrence, or else the last one.
        last_since: `t` at which that began.
        annunciated_since: Processing time since which it is annunciated without a break; None while it is not.
        waiting_since: Processing time since which it is annunciated and unacknowledged; None while it is not.
        reminded: Number of reminders since then.
        deferred_clear: A clear that is deferred.
        began_t: `t` at which its condition last began to hold, deferred clears aside.
        cycles: `t` at the beginning of each of the last three times that its condition began and ceased to hold.
        ceased_t: `t` at which its condition last ceased to hold.
        changed_at: Processing time at which its condition last began or ceased to hold.
        ends_at: Processing time at which a test ends.
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
    changed_at: int | None = None
    ends_at: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Stream and alarm."""
        return self.stream, self.alarm

    @property
    def name(self) -> str:
        """`stream/alarm`."""
        return f"{self.stream}/{self.alarm}"

    def set_status(self, status: AlarmStatus, now: int) -> None:
        """Set the status, and begin or end the times that depend on it.

        Args:
            status: The next status.
            now: Nanoseconds since 1970.
        """
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

    def event(
        self,
        number: int,
        transition: Transition,
        before: AlarmStatus,
        t: int,
        now: int,
        envelope: CommandEnvelope[Command] | None,
    ) -> Event:
        """The event of a transition to the present status.

        Args:
            number: The event's id.
            transition: The transition.
            before: The status before it.
            t: Event time, nanoseconds since 1970.
            now: Processing time, nanoseconds since 1970.
            envelope: The command that causes it; None without one.
        """
        occurrence = self.status.occurrence or before.occurrence
        return Event(
            id=number,
            stream=self.stream,
            labels=self.labels,
            alarm=self.alarm,
            watch=self.watch,
            category=self.category,
            transition=transition,
            status=self.status,
            announced=self.status.is_annunciated or before.is_annunciated,
            occurrence=occurrence,
            since=self.last_since if occurrence == self.last_occurrence else None,
            t=t,
            raised_at=now,
            report=self.report,
            actor=None if envelope is None else envelope.actor,
            comment=None if envelope is None else envelope.comment,
            transaction=None if envelope is None else envelope.transaction,
            test=self.kind is AlarmKind.TEST,
        )

    def is_fleeting(self, t: int) -> bool:
        """Whether an occurrence that clears at `t` lasted for seconds, and the alarm was not active just before."""
        since = self.status.since
        if since is None or self.status.chattering or t - since >= FLEETING_NS:
            return False
        return self.ceased_t is None or since - self.ceased_t > CHATTER_NS


def normal(priority: Priority) -> AlarmStatus:
    """The status of an alarm that has never been raised."""
    return AlarmStatus(active=False, acknowledged=False, latched=False, uncertain=False, priority=priority)


def in_state(status: AlarmStatus, state: State) -> AlarmStatus:
    """The status in another state; values of an occurrence that ends are dropped."""
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
    return after if state is not State.NORMAL else ended(after, status.priority)


def ended(status: AlarmStatus, priority: Priority) -> AlarmStatus:
    """The status without an occurrence; shelving, service and chattering belong to the alarm and stay."""
    return replace(
        normal(priority),
        shelved=status.shelved,
        out_of_service=status.out_of_service,
        chattering=status.chattering,
    )
