"""Who is there: streams begin, pause, move and end, as a person asks or because nothing is heard of them.

A stream is a place and a stay is somebody's time in it. Whatever ends a stay ends what the model remembers and every
alarm, and readings of that time don't count for the next.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, assert_never

import numpy as np

from tocsin.engine.conditions.base import Truth
from tocsin.engine.conditions.delays import ConditionState
from tocsin.engine.events import ConditionEvent, ConditionEventKind, Report
from tocsin.engine.lifecycle.commands import (
    Admit,
    Discharge,
    ResetStream,
    Resume,
    SetLimit,
    SetProfile,
    Standby,
    StreamRefused,
    Transfer,
)
from tocsin.engine.lifecycle.transfer import check, export, place
from tocsin.engine.model import ChannelKind
from tocsin.engine.streams.profile import limit_fault, profile_fault, profile_names
from tocsin.engine.streams.table import ALWAYS, NEVER, PROFILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tocsin.engine.engine import Engine
    from tocsin.engine.lifecycle.commands import StreamCommand
    from tocsin.engine.lifecycle.transfer import StreamState
    from tocsin.engine.result import EngineResult
    from tocsin.engine.streams.table import StreamTable

_NS_PER_S = 1_000_000_000


def refuse(engine: Engine, command: StreamCommand, now: int) -> None:
    """Say whether a command can't be done; nothing changes.

    Raises:
        StreamRefused: It can't.
    """
    table, stream = engine.table, command.stream
    if isinstance(command, Admit):
        _check_profile(engine, stream, command.profile)
        if table.row_of(stream) is None and table.is_full:
            what = f"cannot be admitted: max_streams {table.max_streams} is reached (discharge one first)"
            raise StreamRefused(stream, what, "too-many-streams")
        return
    row = _row(engine, stream)
    match command:
        case Transfer(_, to):
            _refuse_transfer(engine, stream, to)
        case Standby(_, until) if until is not None and until <= now:
            what = f"cannot be on standby until {(now - until) / 1e9:.0f} s ago, which is past (legal: a time to come)"
            raise StreamRefused(stream, what, "illegal")
        case Resume() if table.standby_until[row] <= now:  # NEVER is, too
            raise StreamRefused(stream, "cannot resume: it is not on standby", "illegal")
        case SetLimit(_, alarm, limit):
            _limited(engine, row, alarm, limit)
        case SetProfile(_, values):
            _check_profile(engine, stream, values)


def carry_out(engine: Engine, command: StreamCommand, result: EngineResult) -> None:
    """Do what a person asks of a stream, and tell `result` which alarms that ends.

    Raises:
        StreamRefused: It can't be done; nothing has changed.
    """
    refuse(engine, command, result.now)
    match command:
        case Admit():
            _admit(engine, command, result)
        case Discharge(stream):
            _end(engine, _row(engine, stream), result, "discharged")
        case Transfer(stream, to):
            _transfer(engine, stream, to, result)
        case Standby(stream, until):
            _stand_by(engine, _row(engine, stream), until, result)
        case Resume(stream):
            resume(engine, np.array([_row(engine, stream)]), result.now)
        case ResetStream(stream):
            row = _row(engine, stream)
            remove_alarms(engine, row, result, "the stream was reset")
            _begin_anew(engine, row)
        case SetLimit(stream, alarm, limit):
            _set_limit(engine, _row(engine, stream), alarm, limit)
        case SetProfile(stream, values):
            _set_profile(engine, _row(engine, stream), values)
        case _:
            assert_never(command)


def resume(engine: Engine, rows: NDArray[np.int64], now: int) -> None:
    """Judge streams again that were on standby. Silence is counted from now."""
    engine.table.standby_until[rows] = NEVER
    engine.table.last_reading_at[rows] = now
    engine.table.bar(rows, engine.newest_tick(rows))


def evict(engine: Engine, rows: NDArray[np.int64], result: EngineResult) -> None:
    """Give up streams of which nothing was heard for too long, and hand out what was remembered of them."""
    result.evicted.append(export(engine, [engine.table.names[row] for row in rows.tolist()]))
    for row in rows.tolist():
        idle_s = (result.now - int(engine.table.last_reading_at[row])) / _NS_PER_S
        _end(engine, row, result, f"given up: nothing was heard for {idle_s:.0f} s")


def check_import(engine: Engine, remembered: StreamState) -> None:
    """Say whether what was remembered of streams can't be gone on with; nothing changes.

    Raises:
        StreamRefused: It is of another model, is damaged, or there is no room.
    """
    check(engine, remembered)
    table, names = engine.table, remembered.streams
    room = table.max_streams - table.count + sum(table.row_of(name) is not None for name in names)
    if len(names) > room:
        what = f"cannot be taken in, being one of {len(names)}: max_streams leaves room for {room}"
        raise StreamRefused(names[0], what, "too-many-streams")


def import_streams(engine: Engine, remembered: StreamState, result: EngineResult) -> None:
    """Go on with what was remembered of streams; see `Engine.import_streams`."""
    check_import(engine, remembered)
    table, names = engine.table, remembered.streams
    here = [row for name in names if (row := table.row_of(name)) is not None]
    for row in here:
        _end(engine, row, result, "what is remembered of another stay was taken in")
    rows = np.array([table.add(name) for name in names], dtype=np.int64)
    place(engine, remembered, rows, result)
    rearm_alarms(engine, rows)
    for since in (table.last_reading_at, table.opened_at):
        since[rows] = np.where(since[rows] == NEVER, NEVER, result.now)


def remove_alarms(engine: Engine, row: int, result: EngineResult, reason: str) -> None:
    """End every alarm of a stream that has ever rung, since it may be up or wait for somebody yet."""
    table = engine.table
    for index in np.flatnonzero(table.active_since[row] != NEVER).tolist():
        result.events.append(ended(engine, index, row, result.now, reason))
    rearm_alarms(engine, np.array([row]))


def ended(engine: Engine, index: int, row: int, now: int, reason: str) -> ConditionEvent:
    """Say that nobody watches a condition any more."""
    table, alarm = engine.table, engine.watch.alarms[index]
    return ConditionEvent(
        watch=engine.watch.name,
        stream=table.names[row],
        labels=table.labels[row],
        alarm=alarm.name,
        kind=ConditionEventKind.REMOVED,
        t=max(int(table.newest_t[row]), int(table.active_since[row, index])),
        raised_at=now,
        since=int(table.active_since[row, index]),
        priority=alarm.priority,
        category=alarm.category,
        report=Report(reason),
    )


def rearm_alarms(engine: Engine, rows: NDArray[np.int64]) -> None:
    """Let conditions begin, and ring, once more where they still hold; their delays have run already."""
    table = engine.table
    table.delay_state[rows] = ConditionState.INACTIVE
    table.active_since[rows] = NEVER
    for index, alarm in enumerate(engine.watch.alarms):
        if alarm.condition.silence_ns is not None:
            table.truth[rows, index] = Truth.UNKNOWN
            table.truth_since[rows, index] = NEVER


def _row(engine: Engine, stream: str) -> int:
    row = engine.table.row_of(stream)
    if row is None:
        raise StreamRefused(
            stream, "is not known (legal: one that sends readings, or admit it first)", "unknown-stream"
        )
    return row


def _barred(engine: Engine, row: int) -> int:
    """The tick up to which readings belong to who is there now."""
    return max(int(engine.newest_tick(np.array([row]))[0]), int(engine.table.stay_began_after_tick[row]))


def _end(engine: Engine, row: int, result: EngineResult, reason: str) -> None:
    remove_alarms(engine, row, result, reason)
    engine.table.remove(row, _barred(engine, row))


def _begin_anew(engine: Engine, row: int) -> None:
    rows = np.array([row])
    engine.table.begin_anew(rows, engine.newest_tick(rows))


def _admit(engine: Engine, command: Admit, result: EngineResult) -> None:
    table, stream = engine.table, command.stream
    row = table.row_of(stream)
    if row is None:
        row = table.add(stream)
    else:
        topic, _ = table.labels_apart(row)
        _end(engine, row, result, "admitted: what was here before has ended")
        row = table.add(stream)  # another row: what was just told speaks of the old one
        table.take_labels(row, topic, {})
    table.admitted[row] = True
    table.last_reading_at[row] = result.now  # silence is counted from the admission, though nothing has come yet
    table.label(row, command.labels)
    _set_profile(engine, row, command.profile)


def _stand_by(engine: Engine, row: int, until: int | None, result: EngineResult) -> None:
    remove_alarms(engine, row, result, "on standby")
    _begin_anew(engine, row)
    engine.table.standby_until[row] = ALWAYS if until is None else until


def _refuse_transfer(engine: Engine, stream: str, to: str) -> None:
    there = engine.table.row_of(to)
    if stream == to:
        raise StreamRefused(stream, "cannot be transferred to itself", "illegal")
    if there is not None and engine.table.admitted[there]:
        raise StreamRefused(stream, f"cannot be transferred: somebody was admitted to {to!r}", "illegal")


def _transfer(engine: Engine, stream: str, to: str, result: EngineResult) -> None:
    table, row = engine.table, _row(engine, stream)
    there = table.row_of(to)
    remove_alarms(engine, row, result, f"transferred to {to!r}")
    topic: Mapping[str, str] = {}
    if there is not None:  # it began by itself, since readings come from there already
        topic, _ = table.labels_apart(there)
        _end(engine, there, result, f"{stream!r} was transferred here")
    old = _barred(engine, row)
    limits = table.limits(np.array([row]))[0]
    table.rename(row, to, old)
    theirs = table.limits(np.array([row]))[0]
    _begin_delays(table, row, np.flatnonzero((limits != theirs) & ~(np.isnan(limits) & np.isnan(theirs))))
    table.take_labels(row, topic, table.labels_apart(row)[1])
    table.bar(np.array([row]), np.array([max(old, table.tombstones.pop(to, NEVER))]))
    table.last_reading_at[row] = result.now


def _limited(engine: Engine, row: int, name: str, limit: float | None) -> int:
    """The column of an alarm that can have this limit."""
    stream, alarms = engine.table.names[row], engine.watch.alarms
    index = next((i for i, alarm in enumerate(alarms) if alarm.name == name), None)
    if index is None:
        legal = ", ".join(alarm.name for alarm in alarms)
        raise StreamRefused(stream, f"has no alarm {name!r} (legal: {legal})", "unknown-alarm")
    channel = alarms[index].condition.limit_channel
    if channel is None:
        legal = ", ".join(alarm.name for alarm in alarms if alarm.condition.limit_channel is not None) or "none here"
        raise StreamRefused(stream, f"alarm {name!r} has no limit (legal: {legal})", "illegal")
    if limit is None:
        return index
    if engine.table.is_off(row, index):
        what = f"alarm {name!r} is off here (legal: as configured; an override of the configuration turns it off)"
        raise StreamRefused(stream, what, "illegal")
    fault = limit_fault(engine.watch.model.channels[channel], limit)
    if fault is not None:
        raise StreamRefused(stream, f"alarm {name!r}: {fault}", "illegal")
    return index


def _set_limit(engine: Engine, row: int, name: str, limit: float | None) -> None:
    table, index = engine.table, _limited(engine, row, name, limit)
    table.stream_limit[row, index] = math.nan if limit is None else limit
    _begin_delays(table, row, np.array([index]))


def _begin_delays(table: StreamTable, row: int, alarms: NDArray[np.int64]) -> None:
    """Let the delays of those of these alarms begin anew that aren't up, since their limits are others now.

    What held for a minute below 90 has not held for a minute below 85.
    """
    anew = alarms[table.delay_state[row, alarms] == ConditionState.INACTIVE]
    table.truth[row, anew] = Truth.UNKNOWN
    table.truth_since[row, anew] = NEVER


def _check_profile(engine: Engine, stream: str, values: Mapping[str, float | None]) -> None:
    model = engine.watch.model
    names = profile_names(model)
    for name, value in values.items():
        if name not in names:
            what = f"{name!r} is no part of a profile (legal: {', '.join(names)})"
            raise StreamRefused(stream, what, "unknown-channel")
        fault = None if value is None else profile_fault(model, name, value)
        if fault is not None:
            raise StreamRefused(stream, fault, "illegal")


def _set_profile(engine: Engine, row: int, values: Mapping[str, float | None]) -> None:
    for c, channel in enumerate(engine.watch.model.channels):
        if channel.kind is ChannelKind.STATIC and channel.name in values:
            engine.table.static[row, c] = _or_nan(values[channel.name])
    for p, name in enumerate(PROFILE):
        if name in values:
            engine.table.profile[row, p] = _or_nan(values[name])


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
