"""Transfer of streams between watches: export, checks, and placing their state in another table.

A stream continues to the bit under the same model. Alarms continue if they are the same in both watches: by name,
kind of condition, channels, priority and category.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tocsin.engine.lifecycle.commands import StreamRefused
from tocsin.engine.streams.columns import Axis, Column, Group, in_group
from tocsin.engine.streams.state import STATE_FORMAT, StreamState
from tocsin.engine.streams.table import StreamTable
from tocsin.engine.types import NEVER, ConditionState, Truth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.engine.conditions.alarm import Alarm
    from tocsin.engine.model import Model
    from tocsin.engine.result import EngineResult
    from tocsin.engine.watch_state import WatchState


def _along(axis: Axis) -> tuple[Column[Any], ...]:
    """Exported columns whose second dimension is this axis."""
    return tuple(column for column in StreamTable.PORTABLE if column.axes[:1] == (axis,))


_PER_ALARM = _along(Axis.ALARMS)
_PER_SLOT = (*_along(Axis.SLOTS), *_along(Axis.KEPT_SLOTS))
_HISTORY = (*_along(Axis.RECENT), *_along(Axis.RECENT_HALVES))
_AS_THEY_ARE = tuple(
    column
    for column in StreamTable.PORTABLE
    if column is not StreamTable.live and not (column.axes and column.axes[0].depends_on_configuration)
)
_OPEN_FRAMES = in_group(StreamTable.PORTABLE, Group.OPEN_FRAME)
_CONDITION = in_group(StreamTable.PORTABLE, Group.CONDITION)


def export_streams(state: WatchState, streams: Sequence[str] | None = None) -> StreamState:
    """Copy the state of these streams, or of all.

    Raises:
        StreamRefused: One of them is unknown.
    """
    table, model = state.table, state.watch.model
    if streams is None:
        rows = table.live_rows()
    else:
        rows = np.array([_known(table, stream) for stream in streams], dtype=np.int64)
    labels = [table.label_sources(row) for row in rows.tolist()]
    meta: dict[str, Any] = {
        "format": STATE_FORMAT.number,
        "model": f"{model.name}/{model.version}",
        "sha256": model.sha256,
        "channels": [channel.name for channel in model.channels],
        "period_ns": model.period_ns,
        "alarms": [
            {
                "identity": _identity(alarm, model),
                "parameters": alarm.condition.parameters,
                "state_size": alarm.condition.state_size,
            }
            for alarm in state.watch.alarms
        ],
        "streams": [
            {"name": table.names[row], "topic_labels": dict(topic), "given_labels": dict(given)}
            | _override_limits(state, row)
            for row, (topic, given) in zip(rows.tolist(), labels, strict=True)
        ],
    }
    return StreamState(meta, {column.key: column.of(table)[rows] for column in table.PORTABLE})


def _override_limits(state: WatchState, row: int) -> dict[str, dict[str, float]]:
    """Limits that overrides give a stream's alarms: they may be others under another name."""
    if state.table.overrides is None:
        return {}
    limits = zip(state.watch.alarms, state.table.override_limit[row].tolist(), strict=True)
    return {"limits": {alarm.name: limit for alarm, limit in limits if not np.isnan(limit)}}


def checked(state: WatchState, exported: StreamState) -> StreamState:
    """Exported streams in the current format, checked to be of the watch's model and undamaged.

    Raises:
        StreamRefused: They are not.
    """
    try:
        exported = exported.upgraded()
    except ValueError as error:
        raise StreamRefused("*", str(error), "illegal") from error
    meta, model, table = exported.meta, state.watch.model, state.table
    names = exported.streams
    first = names[0] if names else "*"
    for key, own in (
        ("sha256", model.sha256),
        ("channels", [channel.name for channel in model.channels]),
        ("period_ns", model.period_ns),
    ):
        if meta.get(key) != own:
            found = f"memory is of {meta.get('model')}, whose {key} is {meta.get(key)}"
            raise StreamRefused(first, f"{found} (legal: {model.name}/{model.version}, {key} {own})", "another-model")
    if len(set(names)) < len(names):
        raise StreamRefused(first, "memory names a stream twice", "illegal")
    lengths = {
        Axis.ALARMS: len(meta["alarms"]),
        Axis.CONDITION_STATE: sum(alarm["state_size"] for alarm in meta["alarms"]),
    }
    for column in table.PORTABLE:
        array, given = column.of(table), exported.columns.get(column.key)
        if given is None:
            raise StreamRefused(first, f"memory lacks {column.key}", "illegal")
        if given.dtype != array.dtype or not _fits(column, array, given, len(names), lengths):
            found = f"memory's {column.key} is {given.shape} {given.dtype}"
            legal = f"{(len(names), *array.shape[1:])} {array.dtype}"
            raise StreamRefused(first, f"{found} (legal: {legal})", "illegal")
    return exported


def _fits(column: Column[Any], own: NDArray[Any], given: NDArray[Any], streams: int, lengths: dict[Axis, int]) -> bool:
    """Whether an exported array has a legal shape; axes that depend on the configuration may have any length."""
    return (
        given.ndim == own.ndim
        and len(given) == streams
        and all(
            lengths.get(axis, given.shape[i]) == given.shape[i]
            and (axis.depends_on_configuration or given.shape[i] == own.shape[i])
            for i, axis in enumerate(column.axes, start=1)
        )
    )


def place(state: WatchState, exported: StreamState, rows: NDArray[np.int64], result: EngineResult) -> None:
    """Put exported streams of the same model into new rows (n,)."""
    table = state.table
    for column in _AS_THEY_ARE:
        column.of(table)[rows] = exported.of(column)
    if all(exported.of(column).shape == (len(rows), *column.of(table).shape[1:]) for column in _HISTORY):
        for column in _HISTORY:
            column.of(table)[rows] = exported.of(column)
    else:
        table.recent_count[rows] = 0
    place_labels(state, exported, rows)
    place_alarms(state, exported, rows)
    if all(exported.of(column).shape[1] == column.of(table).shape[1] for column in _PER_SLOT):
        _make_room(table, exported)
        for column in _PER_SLOT:
            _put_slots(column, table, (rows,), exported.of(column))
    else:
        move_open_frames(state, exported, rows, result)


def _put_slots(
    column: Column[Any], table: StreamTable, at: tuple[NDArray[np.int64], ...], values: NDArray[Any]
) -> None:
    """Write frames at these rows, or rows and slots; of a frame's samples as many as there is room for."""
    array = column.of(table)
    if Axis.SAMPLES not in column.axes:
        array[at] = values
        return
    k = min(array.shape[2], values.shape[3 - len(at)])
    if len(at) == 1:
        array[at[0], :, :k] = values[:, :, :k]
    else:
        array[at[0], at[1], :k] = values[:, :k]


def place_labels(state: WatchState, exported: StreamState, rows: NDArray[np.int64]) -> None:
    """Label streams (n,) as they were."""
    for row, entry in zip(rows.tolist(), exported.meta["streams"], strict=True):
        state.table.set_labels(row, entry["topic_labels"], entry["given_labels"])


def place_alarms(
    state: WatchState,
    exported: StreamState,
    rows: NDArray[np.int64],
    *,
    same_model: bool = True,
    same_ticks: bool = True,
) -> None:
    """Continue alarms that are the same in rows (n,).

    Args:
        state: State of the watch.
        exported: The streams.
        rows: (n,) their new rows.
        same_model: Whether the model is the same.
        same_ticks: Whether at least channels and period are.
    """
    table = state.table
    for old, new in common_alarms(exported, state):
        for column in _PER_ALARM:
            column.of(table)[rows, new] = exported.of(column)[:, old]
        # An active condition keeps its judgement until the next frame. Any other begins its delay anew if its
        # parameters differ: a condition that held for a minute below 90 has not held for a minute below 85.
        condition = state.watch.alarms[new].condition
        before = exported.meta["alarms"][old]
        comparable = same_model or (same_ticks and not condition.modelled)
        if comparable and before["parameters"] == condition.parameters:
            same = _same_limits(state, exported, rows, new)
            begin = sum(alarm["state_size"] for alarm in exported.meta["alarms"][:old])
            kept = exported.of(StreamTable.condition_state)[:, begin : begin + before["state_size"]]
            table.condition_state[rows[same], state.state_slices[new]] = kept[same]
        else:
            same = np.zeros(len(rows), dtype=np.bool_)
        anew = (exported.of(StreamTable.delay_state)[:, old] == ConditionState.INACTIVE) & ~same
        table.truth[rows[anew], new] = Truth.UNKNOWN
        table.truth_since[rows[anew], new] = NEVER
    if table.overrides is not None:
        _clear_disabled(table, rows)


def _same_limits(state: WatchState, exported: StreamState, rows: NDArray[np.int64], index: int) -> NDArray[np.bool_]:
    """(n,) whether overrides give an alarm the same limit as before."""
    table, name = state.table, state.watch.alarms[index].name
    before = np.array([entry.get("limits", {}).get(name, np.nan) for entry in exported.meta["streams"]])
    after = np.full(len(rows), np.nan) if table.overrides is None else table.override_limit[rows, index]
    same: NDArray[np.bool_] = (before == after) | (np.isnan(before) & np.isnan(after))
    return same


def _clear_disabled(table: StreamTable, rows: NDArray[np.int64]) -> None:
    """Clear conditions that overrides turn off in streams (n,)."""
    row, index = np.nonzero(table.override_off[rows])
    for column in _CONDITION:
        column.of(table)[rows[row], index] = column.fill


def common_alarms(exported: StreamState, state: WatchState) -> list[tuple[int, int]]:
    """Alarms that are the same: pairs of their columns in exported streams and in a watch."""
    found = {alarm["identity"]: i for i, alarm in enumerate(exported.meta["alarms"])}
    named = ((_identity(alarm, state.watch.model), i) for i, alarm in enumerate(state.watch.alarms))
    return [(found[identity], i) for identity, i in named if identity in found]


def _identity(alarm: Alarm, model: Model) -> str:
    """Name, kind of condition, channels, priority and category of an alarm."""
    channels = ",".join(model.channels[channel].name for channel in alarm.condition.channels)
    return f"{alarm.name} {alarm.condition.kind} {channels} {alarm.priority} {alarm.category}"


def _known(table: StreamTable, stream: str) -> int:
    row = table.row_of(stream)
    if row is None:
        raise StreamRefused(stream, "is not known", "unknown-stream")
    return row


def _make_room(table: StreamTable, exported: StreamState) -> None:
    """Make room for as many samples of a frame as there were, where samples are kept apart."""
    while 0 < table.sample_t.shape[2] < exported.of(StreamTable.sample_t).shape[2]:
        table.widen_samples()


def move_open_frames(state: WatchState, exported: StreamState, rows: NDArray[np.int64], result: EngineResult) -> None:
    """Put open frames into the slots of another frame clock, oldest first, and close those it would not hold open.

    Closed frames that were kept for reprocessing are dropped.
    """
    table = state.table
    _make_room(table, exported)
    watermark = state.assembler.watermark(table.newest_t[rows])
    ticks = exported.of(StreamTable.open_tick)  # (n, W)
    n = np.arange(len(rows))
    for slot in ticks.argsort(axis=1).T:  # (n,) the slots of each stream's oldest frame, of the next, …
        there = np.flatnonzero(ticks[n, slot] != NEVER)
        to = ticks[there, slot[there]] % table.open_tick.shape[1]
        for column in _OPEN_FRAMES:
            _put_slots(column, table, (rows[there], to), exported.of(column)[there, slot[there]])
        state.close_frames_up_to(rows[there], watermark[there], result)
    table.close_up_to(rows, table.closed_tick[rows])
