"""Stream lifecycle: commands on streams, eviction of idle streams, and import of exported ones.

A stream is a place, such as a bed; a stay is one patient's or machine's time in it. The end of a stay resets the
model's state and removes every alarm, and later readings of that time are late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import numpy as np

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
from tocsin.engine.lifecycle.settings import check_limit, check_profile, restart_delays, set_limit, set_profile
from tocsin.engine.lifecycle.transfer import checked, export_streams, place
from tocsin.engine.types import ALWAYS, NEVER, ConditionState, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tocsin.engine.lifecycle.commands import StreamCommand
    from tocsin.engine.result import EngineResult
    from tocsin.engine.streams.state import StreamState
    from tocsin.engine.watch_state import WatchState

_NS_PER_S = 1_000_000_000


def check_command(state: WatchState, command: StreamCommand, now: int) -> None:
    """Check whether a command can be carried out; nothing changes.

    Raises:
        StreamRefused: It can't.
    """
    table, stream = state.table, command.stream
    if isinstance(command, Admit):
        check_profile(state, stream, command.profile)
        if table.row_of(stream) is None and table.is_full:
            what = f"cannot be admitted: max_streams {table.max_streams} is reached (discharge one first)"
            raise StreamRefused(stream, what, "too-many-streams")
        return
    row = _row(state, stream)
    match command:
        case Transfer(_, to):
            _refuse_transfer(state, stream, to)
        case Standby(_, until) if until is not None and until <= now:
            what = f"cannot be on standby until {(now - until) / 1e9:.0f} s ago, which is past (legal: a time to come)"
            raise StreamRefused(stream, what, "illegal")
        case Resume() if table.standby_until[row] <= now:  # NEVER is, too
            raise StreamRefused(stream, "cannot resume: it is not on standby", "illegal")
        case SetLimit(_, alarm, limit):
            check_limit(state, row, alarm, limit)
        case SetProfile(_, values):
            check_profile(state, stream, values)


def execute(state: WatchState, command: StreamCommand, result: EngineResult) -> None:
    """Carry out a command; the events of the alarms that it removes go to `result`.

    Raises:
        StreamRefused: It can't be carried out; nothing has changed.
    """
    check_command(state, command, result.now)
    match command:
        case Admit():
            _admit(state, command, result)
        case Discharge(stream):
            _end(state, _row(state, stream), result, "discharged")
        case Transfer(stream, to):
            _transfer(state, stream, to, result)
        case Standby(stream, until):
            _stand_by(state, _row(state, stream), until, result)
        case Resume(stream):
            resume(state, np.array([_row(state, stream)]), result.now)
        case ResetStream(stream):
            row = _row(state, stream)
            remove_alarms(state, row, result, "the stream was reset")
            _begin_stay(state, row)
        case SetLimit(stream, alarm, limit):
            set_limit(state, _row(state, stream), alarm, limit)
        case SetProfile(stream, values):
            set_profile(state, _row(state, stream), values)
        case _:
            assert_never(command)


def resume(state: WatchState, rows: NDArray[np.int64], now: int) -> None:
    """End the standby of streams (R,). Idle time counts from now."""
    state.table.standby_until[rows] = NEVER
    state.table.last_reading_at[rows] = now
    state.table.close_up_to(rows, state.newest_tick(rows))


def evict(state: WatchState, rows: NDArray[np.int64], result: EngineResult) -> None:
    """Evict idle streams (R,); their state goes to `result`."""
    result.evicted.append(export_streams(state, [state.table.names[row] for row in rows.tolist()]))
    for row in rows.tolist():
        idle_s = (result.now - int(state.table.last_reading_at[row])) / _NS_PER_S
        _end(state, row, result, f"evicted: idle for {idle_s:.0f} s")


def check_import(state: WatchState, exported: StreamState) -> StreamState:
    """Check whether streams can be imported; nothing changes.

    Returns:
        The streams in the current format.

    Raises:
        StreamRefused: The state is another model's, of another format or damaged, or there is no room.
    """
    exported = checked(state, exported)
    table, names = state.table, exported.streams
    room = table.max_streams - table.count + sum(table.row_of(name) is not None for name in names)
    if len(names) > room:
        what = f"cannot be taken in, being one of {len(names)}: max_streams leaves room for {room}"
        raise StreamRefused(names[0], what, "too-many-streams")
    return exported


def import_streams(state: WatchState, exported: StreamState, result: EngineResult) -> None:
    """Import streams; see `Engine.import_streams`."""
    exported = check_import(state, exported)
    table, names = state.table, exported.streams
    here = [row for name in names if (row := table.row_of(name)) is not None]
    for row in here:
        _end(state, row, result, "replaced by an import")
    rows = np.array([table.add(name) for name in names], dtype=np.int64)
    place(state, exported, rows, result)
    rearm_alarms(state, rows)
    for since in (table.last_reading_at, table.opened_at):
        since[rows] = np.where(since[rows] == NEVER, NEVER, result.now)


def remove_alarms(state: WatchState, row: int, result: EngineResult, reason: str) -> None:
    """Remove every alarm of a stream that was ever active: it may be active, or unacknowledged yet."""
    table = state.table
    for index in np.flatnonzero(table.active_since[row] != NEVER).tolist():
        result.events.append(removed_event(state, index, row, result.now, reason))
    rearm_alarms(state, np.array([row]))


def removed_event(state: WatchState, index: int, row: int, now: int, reason: str) -> ConditionEvent:
    """Event of a condition that is no longer evaluated.

    Args:
        state: State of the watch.
        index: Column of the alarm.
        row: Row of the stream.
        now: Time of the event, ns since 1970.
        reason: One line for people.
    """
    table, alarm = state.table, state.watch.alarms[index]
    return ConditionEvent(
        watch=state.watch.name,
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


def rearm_alarms(state: WatchState, rows: NDArray[np.int64]) -> None:
    """Make conditions of streams (R,) inactive; those that still hold become active again without their on-delay."""
    table = state.table
    table.delay_state[rows] = ConditionState.INACTIVE
    table.active_since[rows] = NEVER
    for index, alarm in enumerate(state.watch.alarms):
        if alarm.condition.silence_ns is not None:
            table.truth[rows, index] = Truth.UNKNOWN
            table.truth_since[rows, index] = NEVER


def _row(state: WatchState, stream: str) -> int:
    row = state.table.row_of(stream)
    if row is None:
        raise StreamRefused(
            stream, "is not known (legal: one that sends readings, or admit it first)", "unknown-stream"
        )
    return row


def _last_tick_of_stay(state: WatchState, row: int) -> int:
    """Tick up to which readings belong to the present stay."""
    return max(int(state.newest_tick(np.array([row]))[0]), int(state.table.stay_began_after_tick[row]))


def _end(state: WatchState, row: int, result: EngineResult, reason: str) -> None:
    remove_alarms(state, row, result, reason)
    state.table.remove(row, _last_tick_of_stay(state, row))


def _begin_stay(state: WatchState, row: int) -> None:
    rows = np.array([row])
    state.table.begin_stay(rows, state.newest_tick(rows))


def _admit(state: WatchState, command: Admit, result: EngineResult) -> None:
    table, stream = state.table, command.stream
    row = table.row_of(stream)
    if row is None:
        row = table.add(stream)
    else:
        topic, _ = table.label_sources(row)
        _end(state, row, result, "admitted: the stay before has ended")
        row = table.add(stream)  # another row: events name the stream by the old one
        table.set_labels(row, topic, {})
    table.admitted[row] = True
    table.last_reading_at[row] = result.now  # idle time counts from the admission
    table.set_labels(row, table.label_sources(row)[0], dict(command.labels))
    set_profile(state, row, command.profile)


def _stand_by(state: WatchState, row: int, until: int | None, result: EngineResult) -> None:
    remove_alarms(state, row, result, "on standby")
    _begin_stay(state, row)
    state.table.standby_until[row] = ALWAYS if until is None else until


def _refuse_transfer(state: WatchState, stream: str, to: str) -> None:
    there = state.table.row_of(to)
    if stream == to:
        raise StreamRefused(stream, "cannot be transferred to itself", "illegal")
    if there is not None and state.table.admitted[there]:
        raise StreamRefused(stream, f"cannot be transferred: {to!r} is admitted (discharge it first)", "illegal")


def _transfer(state: WatchState, stream: str, to: str, result: EngineResult) -> None:
    table, row = state.table, _row(state, stream)
    there = table.row_of(to)
    remove_alarms(state, row, result, f"transferred to {to!r}")
    topic: Mapping[str, str] = {}
    if there is not None:  # a stream that readings created
        topic, _ = table.label_sources(there)
        _end(state, there, result, f"{stream!r} was transferred here")
    old = _last_tick_of_stay(state, row)
    before = table.limits(np.array([row]))[0]
    table.rename(row, to, old)
    after = table.limits(np.array([row]))[0]
    restart_delays(table, row, np.flatnonzero((before != after) & ~(np.isnan(before) & np.isnan(after))))
    table.set_labels(row, topic, table.label_sources(row)[1])
    table.close_up_to(np.array([row]), np.array([max(old, table.tombstones.pop(to, NEVER))]))
    table.last_reading_at[row] = result.now
