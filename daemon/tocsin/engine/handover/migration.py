"""Migration of streams from one engine to another: a new configuration, perhaps a new model, the same streams.

Under the same model a stream continues to the bit. Under another model it keeps its clock, its static values and its
alarms, and warms up; in the shadow of the old model where that is possible (`tocsin.engine.handover.shadow`).

An alarm continues if one of its name has the same kind of condition, channels, priority and category; a new limit or
delay counts from the next frame. Any other active alarm is removed, and so is one that the new configuration turns off
in its stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.lifecycle import transfer
from tocsin.engine.lifecycle.streams import removed_event
from tocsin.engine.result import EngineResult
from tocsin.engine.streams.columns import Group, in_group
from tocsin.engine.streams.table import StreamTable
from tocsin.engine.types import ALWAYS, NEVER, ConditionState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tocsin.engine.engine import Engine
    from tocsin.engine.events import ConditionEvent
    from tocsin.engine.model import Model
    from tocsin.engine.streams.state import StreamState

NOT_CONFIGURED = "the configuration changed: this alarm is no longer what it was"
TURNED_OFF = "the configuration changed: this alarm is off for this stream"

_OF_ANY_MODEL = in_group(StreamTable.PORTABLE, Group.ANY_MODEL)


def migrate(before: Engine, after: Engine, now: int) -> EngineResult:
    """Move all streams from one engine to another.

    Args:
        before: Engine that ran until now; it must not be used any more.
        after: Engine without streams. It takes all of them, even beyond its `max_streams`.
        now: Nanoseconds since 1970, on the clock of `before`.

    Returns:
        Frames that closed on the way, and alarms that were removed.
    """
    result = EngineResult(now)
    rows = before.table.live_rows()
    same = is_same_model(before.watch.model, after.watch.model)
    newest_t = before.table.newest_t[rows]
    # An open frame moves if the new clock would hold it open too; any other closes under the model it began with.
    last = after.state.assembler.watermark(newest_t) if same else np.full(len(rows), ALWAYS - 1)
    before.state.close_frames_up_to(rows, last, result)
    exported = before.export_streams()
    continuing = {old for old, _ in transfer.common_alarms(exported, after.state)}
    result.events += removed_alarms(before, now, continuing)

    rows = np.array([after.table.add(stream) for stream in exported.streams], dtype=np.int64)
    result.events += disabled_alarms(before, after, exported, rows, now)
    if same:
        transfer.place(after.state, exported, rows, result)
    else:
        place_without_model(before.watch.model, after, exported, rows, same_ticks=False)
    ticks = np.array(list(before.table.tombstones.values()), dtype=np.int64)
    ticks = _converted(ticks, before.watch.model, after.watch.model)
    after.table.tombstones = dict(zip(before.table.tombstones, ticks.tolist(), strict=True))
    after.now = before.now
    return result


def is_same_model(before: Model, after: Model) -> bool:
    """Whether a state of one model is a state of the other: same graph, same manifest around it."""
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


def removed_alarms(engine: Engine, now: int, continuing: Iterable[int] = ()) -> list[ConditionEvent]:
    """Events that remove the active alarms of an engine, except those (columns) that continue elsewhere."""
    continuing = set(continuing)
    events: list[ConditionEvent] = []
    for index in range(len(engine.alarms)):
        if index in continuing:
            continue
        up = np.flatnonzero(engine.table.delay_state[: len(engine.table), index] != ConditionState.INACTIVE)
        events += [removed_event(engine.state, index, row, now, NOT_CONFIGURED) for row in up.tolist()]
    return events


def disabled_alarms(
    before: Engine, after: Engine, exported: StreamState, rows: NDArray[np.int64], now: int
) -> list[ConditionEvent]:
    """Events that remove the active alarms that another configuration turns off in their streams.

    Args:
        before: Engine in which they are active.
        after: Engine in which they are off.
        exported: (n) streams of `before`.
        rows: (n,) their rows in `after`.
        now: Nanoseconds since 1970.
    """
    events: list[ConditionEvent] = []
    if after.table.overrides is None:
        return events
    for old, new in transfer.common_alarms(exported, after.state):
        up = exported.of(StreamTable.delay_state)[:, old] != ConditionState.INACTIVE
        for i in np.flatnonzero(up & after.table.override_off[rows, new]).tolist():
            row = before.table.row_of(exported.streams[i])
            if row is not None:
                events.append(removed_event(before.state, old, row, now, TURNED_OFF))
    return events


def place_without_model(
    old: Model, after: Engine, exported: StreamState, rows: NDArray[np.int64], *, same_ticks: bool
) -> None:
    """Put streams of another model into new rows: clocks, static values, labels and alarms.

    Args:
        old: Model of the streams.
        after: Engine in which they continue.
        exported: (n) streams.
        rows: (n,) their new rows.
        same_ticks: Whether both models have the same period and channels.
    """
    new, table = after.watch.model, after.table
    for column in _OF_ANY_MODEL:
        column.of(table)[rows] = exported.of(column)
    first_tick = exported.of(StreamTable.stream_first_tick)
    begun = first_tick != NEVER
    first_t = np.where(begun, first_tick, 0) * old.period_ns
    table.stream_first_tick[rows] = np.where(begun, first_t // new.period_ns, NEVER)
    for column in (StreamTable.closed_tick, StreamTable.stay_began_after_tick):
        column.of(table)[rows] = _converted(exported.of(column), old, new)
    index = {channel.name: c for c, channel in enumerate(old.channels)}
    for c, channel in enumerate(new.channels):
        if channel.name in index:
            table.static[rows, c] = exported.of(StreamTable.static)[:, index[channel.name]]
    transfer.place_labels(after.state, exported, rows)
    transfer.place_alarms(after.state, exported, rows, same_model=False, same_ticks=same_ticks)


def _converted(ticks: NDArray[np.int64], old: Model, new: Model) -> NDArray[np.int64]:
    """(n,) ticks of the new model in which ticks (n,) of the old one end."""
    past = ticks != NEVER
    end = (np.where(past, ticks, 0) + 1) * old.period_ns - 1
    return np.where(past, end // new.period_ns, NEVER)
