"""What falls due for an alarm with time alone, in `now`'s time."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from tocsin.alarm.record import URGENCY
from tocsin.alarm.status import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.alarm.policy import AlarmPolicy, Escalation
    from tocsin.alarm.record import AlarmRecord

_NS_PER_S = 1_000_000_000
STALE_NS = 86_400 * _NS_PER_S
CALM_NS = 600 * _NS_PER_S
"""For so long a chattering alarm must not have come or gone: ten times what makes it one."""


class Deadline(IntEnum):
    """What falls due; of two at once, the first."""

    CLEAR = 0  # a clear was held back long enough
    END_OF_TEST = 1
    END_OF_FLOOD = 2
    UNSHELVE = 3
    RE_ALARM = 4
    ESCALATE = 5
    REMIND = 6
    STALE = 7
    CALM = 8


def next_due(record: AlarmRecord, policy: AlarmPolicy) -> tuple[int, Deadline] | None:
    """What falls due first, and when; None if nothing will. The end of a flood hangs on other alarms."""
    return min(_all_due(record, policy), default=None)


def _all_due(record: AlarmRecord, policy: AlarmPolicy) -> Iterator[tuple[int, Deadline]]:
    status = record.status
    if record.deferred_clear is not None:
        yield record.deferred_clear.until, Deadline.CLEAR
    if record.ends_at is not None:
        yield record.ends_at, Deadline.END_OF_TEST
    if status.shelved is not None:
        yield status.shelved.until, Deadline.UNSHELVE
    if status.chattering and record.turned_at is not None:
        yield record.turned_at + CALM_NS, Deadline.CALM
    if record.waiting_since is not None:
        yield from _while_waiting(record, policy, record.waiting_since)
    if record.annunciated_since is not None:
        yield from _while_told(record, policy, record.annunciated_since)


def _while_waiting(record: AlarmRecord, policy: AlarmPolicy, since: int) -> Iterator[tuple[int, Deadline]]:
    step = next_step(record, policy)
    if step is not None:
        yield since + step.after_ns, Deadline.ESCALATE
    if policy.remind_ns is not None:
        yield since + (record.reminded + 1) * policy.remind_ns, Deadline.REMIND


def _while_told(record: AlarmRecord, policy: AlarmPolicy, since: int) -> Iterator[tuple[int, Deadline]]:
    status = record.status
    if status.state is State.ACKNOWLEDGED and policy.re_alarm_ns is not None and status.acknowledged_at is not None:
        # What was quiet meanwhile keeps its acknowledgement, and its time begins anew.
        yield max(status.acknowledged_at, since) + policy.re_alarm_ns, Deadline.RE_ALARM
    if not status.stale:
        yield since + STALE_NS, Deadline.STALE


def next_step(record: AlarmRecord, policy: AlarmPolicy) -> Escalation | None:
    """The step of priority that comes next; None after the last."""
    present = URGENCY[record.status.priority]
    return next((step for step in policy.escalate if URGENCY[step.to] > present), None)
