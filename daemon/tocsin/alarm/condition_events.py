"""Application of condition events to alarms, with the detection of chattering and the deferral of clears."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tocsin.alarm.events import Transition
from tocsin.alarm.record import CHATTER_NS, AlarmKind, AlarmRecord, DeferredClear, normal
from tocsin.alarm.status import Shelving
from tocsin.engine.events import ConditionEventKind, Report

if TYPE_CHECKING:
    from tocsin.alarm.records import AlarmRecords
    from tocsin.engine.events import ConditionEvent

CYCLES = 3
"""An alarm that is active and inactive so many times within a minute is chattering (ISA-18.2)."""


def apply(records: AlarmRecords, event: ConditionEvent, now: int) -> None:
    """Apply a condition event to its alarm.

    Args:
        records: All alarms.
        event: The condition event.
        now: Nanoseconds since 1970.
    """
    record = _record_of(records, event)
    records.relabel(record, event.labels)
    deferred = record.deferred_clear
    if deferred is not None and event.t - deferred.t >= deferred.off_delay_ns:  # due by the readings' own clock
        records.clear_deferred(record, now)
    match event.kind:
        case ConditionEventKind.ACTIVE:
            _apply_active(records, record, event.t, now, event.report)
        case ConditionEventKind.INACTIVE:
            _apply_inactive(records, record, event.t, now, event.report)
        case ConditionEventKind.REMOVED:
            records.remove(record, event.t, now, event.report)
        case ConditionEventKind.UNCERTAIN | ConditionEventKind.CERTAIN:
            records.trigger(record, event.kind, event.t, now, report=event.report)


def _record_of(records: AlarmRecords, event: ConditionEvent) -> AlarmRecord:
    record = records.records.get((event.stream, event.alarm))
    if record is None:
        record = records.add(
            AlarmRecord(
                stream=event.stream,
                alarm=event.alarm,
                watch=event.watch,
                labels=event.labels,
                priority=event.priority,
                category=event.category,
                kind=AlarmKind.WATCHED,
                status=normal(event.priority),
                report=Report(""),
            )
        )
    record.watch, record.priority, record.category = event.watch, event.priority, event.category
    return record


def _apply_active(records: AlarmRecords, record: AlarmRecord, t: int, now: int, report: Report) -> None:
    record.began_t, record.changed_at = t, now
    if record.deferred_clear is not None:  # the occurrence continues
        record.deferred_clear = None
        record.report = report
    # An alarm that is active already: the engine has started anew, or a deferred clear is dropped.
    kind = ConditionEventKind.CERTAIN if record.status.active else ConditionEventKind.ACTIVE
    records.trigger(record, kind, t, now, report=report)
    records.schedule(record)


def _apply_inactive(records: AlarmRecords, record: AlarmRecord, t: int, now: int, report: Report) -> None:
    policy = records.policy(record)
    record.changed_at = now
    if record.began_t is not None:
        record.cycles = (*record.cycles, record.began_t)[-CYCLES:]
        record.began_t = None
    if len(record.cycles) == CYCLES and 0 <= t - record.cycles[0] <= CHATTER_NS:
        _set_chattering(records, record, t, now, policy.chatter_shelve_ns)
    if record.status.chattering and record.status.active and policy.chatter_off_delay_ns is not None:
        delay = policy.chatter_off_delay_ns
        record.deferred_clear = record.deferred_clear or DeferredClear(t, delay, now + delay, report)
    else:
        records.trigger(record, ConditionEventKind.INACTIVE, t, now, report=report)
    record.ceased_t = t
    records.schedule(record)


def _set_chattering(records: AlarmRecords, record: AlarmRecord, t: int, now: int, shelve_ns: int | None) -> None:
    if not record.status.chattering:
        records.set_status(record, replace(record.status, chattering=True), Transition.CHATTER, now, t=t)
    if shelve_ns is not None and record.status.shelved is None:
        shelving = Shelving(
            by="tocsin", reason="it chatters: three times in a minute", until=now + shelve_ns, once=False
        )
        records.set_status(record, replace(record.status, shelved=shelving), Transition.SHELVE, now, t=t)
