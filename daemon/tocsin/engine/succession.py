"""One engine takes over from another: a new configuration, perhaps a new model, and the same streams.

Whoever is being watched stays watched. A stream whose model is the same keeps everything, to the bit. With another
model it keeps its clock, what was given once (an age), and its alarms; what the old model remembered means nothing
to the new one, so it warms up.

An alarm goes on if one of its name has the same kind of condition, channel, priority and category; a new limit or a
new delay counts from the next frame. Any other that holds ends, and says that the configuration did it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.changes import Change, Turn
from tocsin.engine.conditions import Truth
from tocsin.engine.delays import Standing
from tocsin.engine.outcome import Outcome
from tocsin.engine.streams import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tocsin.engine.delays import Alarm
    from tocsin.engine.engine import Engine
    from tocsin.engine.model import Model

NOT_CONFIGURED = "the configuration changed: this alarm is no longer what it was"

_CLOCK = ("newest_t", "heard_at")
_TICKS = ("closed_tick", "last_tick", "begun_tick")
_MEMORY = ("first_tick", "frames", "seen_tick", "state", "mean", "scale")


def succeed(before: Engine, after: Engine, now: int) -> Outcome:
    """Let a new engine take over the streams of an old one, which must not be used any more.

    Args:
        before: The engine that ran until now.
        after: One that has met no stream yet. Streams beyond its `max_streams` are taken over all the same.
        now: Nanoseconds since 1970, on the clock that `before` was applied at.

    Returns:
        What happened on the way: frames that had to close, alarms that ended with the old configuration.
    """
    outcome = Outcome(now)
    rows = np.arange(len(before.table))
    same = is_same_model(before.watch.model, after.watch.model)
    newest = before.table.newest_t[rows]
    # Frames go over only if the new clock would hold them open too; the others end under the model they began with.
    passed = after.closed_by(newest) if same else np.full(len(rows), -NEVER - 1)
    before.close_frames(rows, passed, outcome)
    carried = _carried(before, after)
    outcome.changes += retire(before, now, {index for index, _ in carried})

    after.table.take_names(before.table.names)
    _copy(before, after, rows, _CLOCK)
    if same:
        _copy(before, after, rows, (*_TICKS, *_MEMORY))
        after.table.static[rows] = before.table.static[rows]
        _move_open_frames(before, after, rows)
    else:
        _begin_anew(before, after, rows)
    for old, new in carried:
        _carry_alarm(before, after, rows, old, new)
    return outcome


def is_same_model(before: Model, after: Model) -> bool:
    """Whether a state of the one is a state of the other: same graph, and the same manifest around it."""
    return all(
        getattr(before, name) == getattr(after, name)
        for name in ("sha256", "channels", "period_ns", "warm_up_ticks", "max_gap_ticks", "delta_cap_s")
    )


def retire(engine: Engine, now: int, staying: Iterable[int] = ()) -> list[Change]:
    """Clear the alarms that are up in an engine, but for those (columns) that go on in another one."""
    staying = set(staying)
    changes: list[Change] = []
    for index, alarm in enumerate(engine.watch.alarms):
        if index in staying:
            continue
        up = np.flatnonzero(engine.table.standing[: len(engine.table), index] != Standing.ABSENT)
        changes += [_cleared(engine, alarm, index, row, now) for row in up.tolist()]
    return changes


def _cleared(engine: Engine, alarm: Alarm, index: int, row: int, now: int) -> Change:
    return Change(
        watch=engine.watch.name,
        stream=engine.table.names[row],
        labels=engine.table.labels[row],
        alarm=alarm.name,
        turn=Turn.ENDED,
        t=max(int(engine.table.newest_t[row]), int(engine.table.began_t[row, index])),
        raised_at=now,
        since=int(engine.table.began_t[row, index]),
        priority=alarm.priority,
        category=alarm.category,
        reason=NOT_CONFIGURED,
        score=None,
        evidence=(),
        model=None,
    )


def _carried(before: Engine, after: Engine) -> list[tuple[int, int]]:
    """The columns, old and new, of alarms that go on."""
    found = {_identity(alarm, before.watch.model): i for i, alarm in enumerate(before.watch.alarms)}
    named = ((_identity(alarm, after.watch.model), i) for i, alarm in enumerate(after.watch.alarms))
    return [(found[identity], i) for identity, i in named if identity in found]


def _identity(alarm: Alarm, model: Model) -> tuple[object, ...]:
    """What makes an alarm the one it is: its name, what it looks at, and how urgent it is."""
    channel = getattr(alarm.condition, "channel", None)
    watched = None if channel is None else model.channels[channel].name
    return alarm.name, type(alarm.condition), watched, alarm.priority, alarm.category


def _carry_alarm(before: Engine, after: Engine, rows: NDArray[np.int64], old: int, new: int) -> None:
    table, source = after.table, before.table
    table.standing[rows, new] = source.standing[rows, old]
    table.began_t[rows, new] = source.began_t[rows, old]
    # What is up stays judged as it was until the next frame. What isn't begins its delay anew, if it asks for
    # something else now: a condition that held for a minute below 90 has not held for a minute below 85.
    unchanged = is_same_model(before.watch.model, after.watch.model) and (
        before.watch.alarms[old].condition == after.watch.alarms[new].condition
    )
    keep = unchanged | (source.standing[rows, old] != Standing.ABSENT)
    table.truth[rows, new] = np.where(keep, source.truth[rows, old], Truth.UNKNOWN)
    table.truth_since[rows, new] = np.where(keep, source.truth_since[rows, old], NEVER)


def _copy(before: Engine, after: Engine, rows: NDArray[np.int64], columns: Iterable[str]) -> None:
    for name in columns:
        getattr(after.table, name)[rows] = getattr(before.table, name)[rows]


def _move_open_frames(before: Engine, after: Engine, rows: NDArray[np.int64]) -> None:
    """Put what is open into the slots of the new clock; no two of a stream share one, as `closed_by` saw to."""
    source, table = before.table, after.table
    for slot in range(source.open_tick.shape[1]):
        there = rows[source.open_tick[rows, slot] != NEVER]
        to = source.open_tick[there, slot] % table.open_tick.shape[1]
        for name in ("open_tick", "open_t", "opened_at", "open_values", "open_value_t"):
            getattr(table, name)[there, to] = getattr(source, name)[there, slot]


def _begin_anew(before: Engine, after: Engine, rows: NDArray[np.int64]) -> None:
    """Keep what any model can use: which times are past, the stream's beginning, and what was given once."""
    old, new = before.watch.model, after.watch.model
    source, table = before.table, after.table
    begun = source.begun_tick[rows] != NEVER
    begun_t = np.where(begun, source.begun_tick[rows], 0) * old.period_ns
    table.begun_tick[rows] = np.where(begun, begun_t // new.period_ns, NEVER)
    past = source.closed_tick[rows] != NEVER
    past_t = (np.where(past, source.closed_tick[rows], 0) + 1) * old.period_ns - 1  # the end of the last closed tick
    table.closed_tick[rows] = np.where(past, past_t // new.period_ns, NEVER)
    column = {channel.name: c for c, channel in enumerate(old.channels)}
    for c, channel in enumerate(new.channels):
        if channel.name in column:
            table.static[rows, c] = source.static[rows, column[channel.name]]
