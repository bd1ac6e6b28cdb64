"""What falls due for an alarm with time alone, in `now`'s time."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from tocsin.alarm.record import URGENCY
from tocsin.alarm.status import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.alarm.plan import Escalation, Plan
    from tocsin.alarm.record import Record

_NS_PER_S = 1_000_000_000
STALE_NS = 86_400 * _NS_PER_S
CALM_NS = 600 * _NS_PER_S
"""For so long a chattering alarm must not have come or gone: ten times what makes it one."""


class Due(IntEnum):
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


def next_due(record: Record, plan: Plan) -> tuple[int, Due] | None:
    """What falls due first, and when; None if nothing will. The end of a flood hangs on other alarms."""
    return min(_all_due(record, plan), default=None)


def _all_due(record: Record, plan: Plan) -> Iterator[tuple[int, Due]]:
    status = record.status
    if record.held is not None:
        yield record.held.until, Due.CLEAR
    if record.ends_at is not None:
        yield record.ends_at, Due.END_OF_TEST
    if status.shelved is not None:
        yield status.shelved.until, Due.UNSHELVE
    if status.chattering and record.turned_at is not None:
        yield record.turned_at + CALM_NS, Due.CALM
    if record.waiting_since is not None:
        yield from _while_waiting(record, plan, record.waiting_since)
    if record.told_since is not None:
        yield from _while_told(record, plan, record.told_since)


def _while_waiting(record: Record, plan: Plan, since: int) -> Iterator[tuple[int, Due]]:
    step = next_step(record, plan)
    if step is not None:
        yield since + step.after_ns, Due.ESCALATE
    if plan.remind_ns is not None:
        yield since + (record.reminded + 1) * plan.remind_ns, Due.REMIND


def _while_told(record: Record, plan: Plan, since: int) -> Iterator[tuple[int, Due]]:
    status = record.status
    if status.state is State.ACKNOWLEDGED and plan.re_alarm_ns is not None and status.acknowledged_at is not None:
        # What was quiet meanwhile keeps its acknowledgement, and its time begins anew.
        yield max(status.acknowledged_at, since) + plan.re_alarm_ns, Due.RE_ALARM
    if not status.stale:
        yield since + STALE_NS, Due.STALE


def next_step(record: Record, plan: Plan) -> Escalation | None:
    """The step of priority that comes next; None after the last."""
    present = URGENCY[record.status.priority]
    return next((step for step in plan.escalate if URGENCY[step.to] > present), None)
