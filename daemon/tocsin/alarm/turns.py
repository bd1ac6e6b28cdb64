"""What an alarm makes of a turn of its condition: chattering is found here, and clears are held back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tocsin.alarm.events import Transition
from tocsin.alarm.lifecycle import Stimulus
from tocsin.alarm.record import CHATTER_NS, Held, Kind, Record, Told, normal
from tocsin.alarm.status import Shelving
from tocsin.engine.changes import Turn

if TYPE_CHECKING:
    from tocsin.alarm.ledger import Ledger
    from tocsin.engine.changes import Change

CYCLES = 3
"""So many times up and down within a minute is chattering (ISA-18.2)."""


def take(ledger: Ledger, change: Change, now: int) -> None:
    """Let a condition's turn move its alarm.

    Args:
        ledger: All alarms.
        change: The turn.
        now: Nanoseconds since 1970.
    """
    record = _record_of(ledger, change)
    told = Told(change.reason, change.score, change.evidence, change.model, change.explanation)
    ledger.relabel(record, change.labels)
    held = record.held
    if held is not None and change.t - held.t >= held.off_delay_ns:  # by the readings' own clock it is over
        ledger.release(record, now)
    match change.turn:
        case Turn.BEGAN:
            _began(ledger, record, change.t, now, told)
        case Turn.CEASED:
            _ceased(ledger, record, change.t, now, told)
        case Turn.LOST:
            ledger.move(record, Stimulus.LOST, change.t, now, told=told)
        case Turn.FOUND:
            ledger.move(record, Stimulus.FOUND, change.t, now, told=told)
        case Turn.ENDED:
            ledger.end(record, change.t, now, told)


def _record_of(ledger: Ledger, change: Change) -> Record:
    record = ledger.records.get((change.stream, change.alarm))
    if record is None:
        record = ledger.add(
            Record(
                stream=change.stream,
                alarm=change.alarm,
                watch=change.watch,
                labels=change.labels,
                priority=change.priority,
                category=change.category,
                kind=Kind.WATCHED,
                status=normal(change.priority),
                told=Told(""),
            )
        )
    record.watch, record.priority, record.category = change.watch, change.priority, change.category
    return record


def _began(ledger: Ledger, record: Record, t: int, now: int, told: Told) -> None:
    record.began_t, record.turned_at = t, now
    if record.held is not None:  # it never cleared
        record.held = None
        record.told = told
    if record.status.active:  # whoever judges has begun anew, or what was held back goes on
        ledger.move(record, Stimulus.FOUND, t, now, told=told)
    else:
        ledger.move(record, Stimulus.BEGINS, t, now, told=told)
    ledger.schedule(record)


def _ceased(ledger: Ledger, record: Record, t: int, now: int, told: Told) -> None:
    plan = ledger.plan(record)
    record.turned_at = now
    if record.began_t is not None:
        record.cycles = (*record.cycles, record.began_t)[-CYCLES:]
        record.began_t = None
    if len(record.cycles) == CYCLES and 0 <= t - record.cycles[0] <= CHATTER_NS:
        _chatters(ledger, record, t, now, plan.chatter_shelve_ns)
    if record.status.chattering and record.status.active and plan.chatter_off_delay_ns is not None:
        delay = plan.chatter_off_delay_ns
        record.held = record.held or Held(t, delay, now + delay, told)
    else:
        ledger.move(record, Stimulus.CEASES, t, now, told=told)
    record.ceased_t = t
    ledger.schedule(record)


def _chatters(ledger: Ledger, record: Record, t: int, now: int, shelve_ns: int | None) -> None:
    if not record.status.chattering:
        ledger.put(record, replace(record.status, chattering=True), Transition.CHATTER, now, t=t)
    if shelve_ns is not None and record.status.shelved is None:
        shelving = Shelving(
            by="tocsin", reason="it chatters: three times in a minute", until=now + shelve_ns, once=False
        )
        ledger.put(record, replace(record.status, shelved=shelving), Transition.SHELVE, now, t=t)
