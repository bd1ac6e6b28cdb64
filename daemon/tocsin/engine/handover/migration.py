"""One engine takes over from another: a new configuration, perhaps a new model, and the same streams.

Whoever is being watched stays watched. A stream whose model is the same keeps everything, to the bit. With another
model it keeps its clock, what was given once (an age), and its alarms; what the old model remembered means nothing
to the new one, so it warms up: in the `shadow` of the old one where it can.

An alarm goes on if one of its name has the same kind of condition, channel, priority and category; a new limit or a
new delay counts from the next frame. Any other that holds ends, and says that the configuration did it. So does one
that the new configuration turns off in its stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.delays import ConditionState
from tocsin.engine.lifecycle import transfer
from tocsin.engine.lifecycle.streams import ended
from tocsin.engine.result import EngineResult
from tocsin.engine.streams.table import ALWAYS, NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tocsin.engine.engine import Engine
    from tocsin.engine.events import ConditionEvent
    from tocsin.engine.lifecycle.transfer import StreamState
    from tocsin.engine.model import Model

NOT_CONFIGURED = "the configuration changed: this alarm is no longer what it was"
TURNED_OFF = "the configuration changed: this alarm is off for this stream"

_OF_THE_STAY = ("newest_t", "last_reading_at", "admitted", "standby_until", "profile")


def migrate(before: Engine, after: Engine, now: int) -> EngineResult:
    """Let a new engine take over the streams of an old one, which must not be used any more.

    Args:
        before: The engine that ran until now.
        after: One that has met no stream yet. Streams beyond its `max_streams` are taken over all the same.
        now: Nanoseconds since 1970, on the clock that `before` was applied at.

    Returns:
        What happened on the way: frames that had to close, alarms that ended with the old configuration.
    """
    result = EngineResult(now)
    rows = before.table.live_rows()
    same = is_same_model(before.watch.model, after.watch.model)
    newest = before.table.newest_t[rows]
    # Frames go over only if the new clock would hold them open too; the others end under the model they began with.
    passed = after.closed_by(newest) if same else np.full(len(rows), ALWAYS - 1)
    before.close_frames(rows, passed, result)
    remembered = transfer.export(before)
    result.events += retire(before, now, {old for old, _ in transfer.carried(remembered, after)})

    rows = np.array([after.table.add(stream) for stream in remembered.streams], dtype=np.int64)
    result.events += turn_off(before, after, remembered, rows, now)
    if same:
        transfer.place(after, remembered, rows, result)
    else:
        begin_anew(before.watch.model, after, remembered, rows, same_ticks=False)
    ended_by = np.array(list(before.table.tombstones.values()), dtype=np.int64)
    ended_by = _ticks(ended_by, before.watch.model, after.watch.model)
    after.table.tombstones = dict(zip(before.table.tombstones, ended_by.tolist(), strict=True))
    after.now = before.now
    return result


def is_same_model(before: Model, after: Model) -> bool:
    """Whether a state of the one is a state of the other: same graph, and the same manifest around it."""
    return all(
        getattr(before, name) == getattr(after, name)
        for name in (
            "sha256",
            "channels",
            "period_ns",
            "warm_up_ticks",
            "max_gap_ticks",
            "delta_cap_s",
            "gaps",
            "max_blind",
        )
    )


def retire(engine: Engine, now: int, staying: Iterable[int] = ()) -> list[ConditionEvent]:
    """Clear the alarms that are up in an engine, but for those (columns) that go on in another one."""
    staying = set(staying)
    changes: list[ConditionEvent] = []
    for index in range(len(engine.watch.alarms)):
        if index in staying:
            continue
        up = np.flatnonzero(engine.table.delay_state[: len(engine.table), index] != ConditionState.INACTIVE)
        changes += [ended(engine, index, row, now, NOT_CONFIGURED) for row in up.tolist()]
    return changes


def turn_off(
    before: Engine, after: Engine, remembered: StreamState, rows: NDArray[np.int64], now: int
) -> list[ConditionEvent]:
    """Clear the alarms that are up and that another configuration turns off in their streams.

    Args:
        before: Where they are up.
        after: Where they are off.
        remembered: Of the streams in `before`.
        rows: (n,) theirs in `after`.
        now: Nanoseconds since 1970.
    """
    changes: list[ConditionEvent] = []
    if after.table.overrides is None:
        return changes
    for old, new in transfer.carried(remembered, after):
        up = remembered.columns["delay_state"][:, old] != ConditionState.INACTIVE
        for i in np.flatnonzero(up & after.table.override_off[rows, new]).tolist():
            row = before.table.row_of(remembered.streams[i])
            if row is not None:
                changes.append(ended(before, old, row, now, TURNED_OFF))
    return changes


def begin_anew(
    old: Model, after: Engine, remembered: StreamState, rows: NDArray[np.int64], *, same_ticks: bool
) -> None:
    """Keep what any model can use: who is there, which times are past, what was given once, and alarms.

    Args:
        old: The model that ran until now.
        after: Where the streams go on.
        remembered: Of them.
        rows: (n,) theirs, new.
        same_ticks: Whether both models have the same period and channels.
    """
    new, table, columns = after.watch.model, after.table, remembered.columns
    for name in _OF_THE_STAY:
        getattr(table, name)[rows] = columns[name]
    begun = columns["stream_first_tick"] != NEVER
    begun_t = np.where(begun, columns["stream_first_tick"], 0) * old.period_ns
    table.stream_first_tick[rows] = np.where(begun, begun_t // new.period_ns, NEVER)
    for name in ("closed_tick", "stay_began_after_tick"):
        getattr(table, name)[rows] = _ticks(columns[name], old, new)
    column = {channel.name: c for c, channel in enumerate(old.channels)}
    for c, channel in enumerate(new.channels):
        if channel.name in column:
            table.static[rows, c] = columns["static"][:, column[channel.name]]
    transfer.place_labels(after, remembered, rows)
    transfer.place_alarms(after, remembered, rows, same_model=False, same_ticks=same_ticks)


def _ticks(ticks: NDArray[np.int64], old: Model, new: Model) -> NDArray[np.int64]:
    """The new model's ticks (n,) in which the old one's end."""
    past = ticks != NEVER
    end = (np.where(past, ticks, 0) + 1) * old.period_ns - 1
    return np.where(past, end // new.period_ns, NEVER)
