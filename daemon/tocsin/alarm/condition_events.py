"""What an alarm makes of a turn of its condition: chattering is found here, and clears are held back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tocsin.alarm.events import Transition
from tocsin.alarm.lifecycle import Stimulus
from tocsin.alarm.record import CHATTER_NS, AlarmKind, AlarmRecord, DeferredClear, normal
from tocsin.alarm.status import Shelving
from tocsin.engine.events import ConditionEventKind, Report

if TYPE_CHECKING:
    from tocsin.alarm.records import AlarmRecords
    from tocsin.engine.events import ConditionEvent

CYCLES = 3
"""So many times up and down within a minute is chattering (ISA-18.2)."""


def take(records: AlarmRecords, change: ConditionEvent, now: int) -> None:
    """Let a condition's turn move its alarm.

    Args:
        records: All alarms.
        change: The turn.
        now: Nanoseconds since 1970.
    """
    record = _record_of(records, change)
    report = change.report
    records.relabel(record, change.labels)
    deferred = record.deferred_clear
    if deferred is not None and change.t - deferred.t >= deferred.off_delay_ns:  # by the readings' own clock it is over
        records.release(record, now)
    match change.kind:
        case ConditionEventKind.ACTIVE:
            _began(records, record, change.t, now, report)
        case ConditionEventKind.INACTIVE:
            _ceased(records, record, change.t, now, report)
        case ConditionEventKind.UNCERTAIN:
            records.move(record, Stimulus.LOST, change.t, now, report=report)
        case ConditionEventKind.CERTAIN:
            records.move(record, Stimulus.FOUND, change.t, now, report=report)
        case ConditionEventKind.REMOVED:
            records.end(record, change.t, now, report)


def _record_of(records: AlarmRecords, change: ConditionEvent) -> AlarmRecord:
    record = records.records.get((change.stream, change.alarm))
    if record is None:
        record = records.add(
            AlarmRecord(
                stream=change.stream,
                alarm=change.alarm,
                watch=change.watch,
                labels=change.labels,
                priority=change.priority,
                category=change.category,
                kind=AlarmKind.WATCHED,
                status=normal(change.priority),
                report=Report(""),
            )
        )
    record.watch, record.priority, record.category = change.watch, change.priority, change.category
    return record


def _began(records: AlarmRecords, record: AlarmRecord, t: int, now: int, report: Report) -> None:
    record.began_t, record.turned_at = t, now
    if record.deferred_clear is not None:  # it never cleared
        record.deferred_clear = None
        record.report = report
    if record.status.active:  # whoever judges has begun anew, or what was held back goes on
        records.move(record, Stimulus.FOUND, t, now, report=report)
    else:
        records.move(record, Stimulus.BEGINS, t, now, report=report)
    records.schedule(record)


def _ceased(records: AlarmRecords, record: AlarmRecord, t: int, now: int, report: Report) -> None:
    policy = records.policy(record)
    record.turned_at = now
    if record.began_t is not None:
        record.cycles = (*record.cycles, record.began_t)[-CYCLES:]
        record.began_t = None
    if len(record.cycles) == CYCLES and 0 <= t - record.cycles[0] <= CHATTER_NS:
        _chatters(records, record, t, now, policy.chatter_shelve_ns)
    if record.status.chattering and record.status.active and policy.chatter_off_delay_ns is not None:
        delay = policy.chatter_off_delay_ns
        record.deferred_clear = record.deferred_clear or DeferredClear(t, delay, now + delay, report)
    else:
        records.move(record, Stimulus.CEASES, t, now, report=report)
    record.ceased_t = t
    records.schedule(record)


def _chatters(records: AlarmRecords, record: AlarmRecord, t: int, now: int, shelve_ns: int | None) -> None:
    if not record.status.chattering:
        records.put(record, replace(record.status, chattering=True), Transition.CHATTER, now, t=t)
    if shelve_ns is not None and record.status.shelved is None:
        shelving = Shelving(
            by="tocsin", reason="it chatters: three times in a minute", until=now + shelve_ns, once=False
        )
        records.put(record, replace(record.status, shelved=shelving), Transition.SHELVE, now, t=t)
