"""Deadlines of alarms: what each one is, the next one of an alarm, and the queue of all."""

from __future__ import annotations

from enum import IntEnum
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from tocsin.alarm.record import URGENCY
from tocsin.alarm.status import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.alarm.policy import AlarmPolicy, Escalation
    from tocsin.alarm.record import AlarmRecord

_Key = tuple[str, str]  # stream and alarm

_NS_PER_S = 1_000_000_000
STALE_NS = 86_400 * _NS_PER_S
CALM_NS = 600 * _NS_PER_S
"""A chattering alarm is calm after this time without a change: ten times the window that makes it chattering."""


class Deadline(IntEnum):
    """A kind of deadline. Of two at the same time, the lower number comes first."""

    CLEAR = 0  # a deferred clear takes effect
    END_OF_TEST = 1
    END_OF_FLOOD = 2
    UNSHELVE = 3
    RE_ALARM = 4
    ESCALATE = 5
    REMIND = 6
    STALE = 7
    CALM = 8


class DeadlineQueue:
    """The next deadline of every alarm, the earliest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, Deadline, _Key]] = []
        self._next: dict[_Key, tuple[int, Deadline]] = {}

    def set(self, key: _Key, deadline: tuple[int, Deadline] | None) -> None:
        """Set an alarm's next deadline.

        Args:
            key: Stream and alarm.
            deadline: Its time in nanoseconds since 1970, and its kind; None: the alarm has none.
        """
        if deadline is None:
            self._next.pop(key, None)
        elif self._next.get(key) != deadline:
            self._next[key] = deadline
            heappush(self._heap, (*deadline, key))
            if len(self._heap) > 4 * len(self._next) + 1024:  # replaced deadlines stay in the heap until here
                self._heap = [(*deadline, key) for key, deadline in self._next.items()]
                heapify(self._heap)

    def pop(self, now: int) -> tuple[int, Deadline, _Key] | None:
        """Take the earliest deadline that has passed; None if none has.

        A deadline is taken once, even if the same one is set again: otherwise one that changes nothing would never end.

        Args:
            now: Nanoseconds since 1970.
        """
        while self._heap and self._heap[0][0] <= now:
            at, deadline, key = heappop(self._heap)
            if self._next.get(key) == (at, deadline):
                return at, deadline, key
        return None


def next_deadline(record: AlarmRecord, policy: AlarmPolicy) -> tuple[int, Deadline] | None:
    """The alarm's earliest deadline but for the end of a flood, which depends on other alarms; None if it has none."""
    return min(_deadlines(record, policy), default=None)


def _deadlines(record: AlarmRecord, policy: AlarmPolicy) -> Iterator[tuple[int, Deadline]]:
    status = record.status
    if record.deferred_clear is not None:
        yield record.deferred_clear.until, Deadline.CLEAR
    if record.ends_at is not None:
        yield record.ends_at, Deadline.END_OF_TEST
    if status.shelved is not None:
        yield status.shelved.until, Deadline.UNSHELVE
    if status.chattering and record.changed_at is not None:
        yield record.changed_at + CALM_NS, Deadline.CALM
    if record.waiting_since is not None:
        yield from _while_waiting(record, policy, record.waiting_since)
    if record.annunciated_since is not None:
        yield from _while_annunciated(record, policy, record.annunciated_since)


def _while_waiting(record: AlarmRecord, policy: AlarmPolicy, since: int) -> Iterator[tuple[int, Deadline]]:
    step = next_escalation(record, policy)
    if step is not None:
        yield since + step.after_ns, Deadline.ESCALATE
    if policy.remind_ns is not None:
        yield since + (record.reminded + 1) * policy.remind_ns, Deadline.REMIND


def _while_annunciated(record: AlarmRecord, policy: AlarmPolicy, since: int) -> Iterator[tuple[int, Deadline]]:
    status = record.status
    if status.state is State.ACKNOWLEDGED and policy.re_alarm_ns is not None and status.acknowledged_at is not None:
        # An alarm that was suppressed meanwhile keeps its acknowledgement; the re-alarm time starts again.
        yield max(status.acknowledged_at, since) + policy.re_alarm_ns, Deadline.RE_ALARM
    if not status.stale:
        yield since + STALE_NS, Deadline.STALE


def next_escalation(record: AlarmRecord, policy: AlarmPolicy) -> Escalation | None:
    """The next escalation step; None after the last."""
    present = URGENCY[record.status.priority]
    return next((step for step in policy.escalate if URGENCY[step.to] > present), None)
