"""Checkpoints: the complete state of a watch as plain data, restored to the bit, free rows included.

A checkpoint fits a watch of the same configuration: afterwards the same calls give the same results. To move single
streams, or to another model, export them (`tocsin.engine.lifecycle.transfer`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.engine.format import Format
from tocsin.engine.streams.columns import Axis
from tocsin.engine.types import ConditionState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.engine.watch_state import WatchState

CHECKPOINT_FORMAT = Format("the checkpoint of a watch", 1)


def export(state: WatchState) -> dict[str, Any]:
    """Copy the state of a watch: dicts, lists, numbers and arrays, under keys that never change.

    `format`: number of `CHECKPOINT_FORMAT`; `now`: time of the last call; `membership`: names, labels and free rows;
    `columns`: arrays by `Column.key`.
    """
    table = state.table
    return {
        "format": CHECKPOINT_FORMAT.number,
        "now": state.now,
        "membership": table.membership(),
        "columns": {column.key: column.of(table).copy() for column in table.COLUMNS},
    }


def restore(state: WatchState, data: Mapping[str, Any], form: Format = CHECKPOINT_FORMAT) -> None:
    """Restore what `export` gave, in a watch without streams.

    A column that the checkpoint does not have holds its fill value in every row.

    Raises:
        ValueError: The checkpoint is of another format or of another watch; nothing has changed.
    """
    data = form.upgrade(data)
    table, given = state.table, data["columns"]
    unknown = given.keys() - {column.key for column in table.COLUMNS}
    if unknown:
        raise ValueError(f"the checkpoint of a watch has unknown columns: {', '.join(sorted(unknown))}")
    rows, arrays = len(given["live"]), {}
    for column in table.COLUMNS:
        own, array = column.of(table), given.get(column.key)
        if array is None:
            arrays[column] = column.empty(rows, table.lengths)
        elif own.dtype != array.dtype or own.ndim != array.ndim:
            what = f"column {column.key} is {array.dtype} of {array.ndim} axes"
            raise ValueError(f"{what} (legal: {own.dtype}, {own.ndim})")
        else:
            arrays[column] = array.copy()
    for column, array in arrays.items():
        column.put(table, array)
    table.capacity = rows
    table.lengths[Axis.SAMPLES] = table.sample_t.shape[2]
    table.set_membership(data["membership"])
    state.now = data["now"]


def assume_active(state: WatchState, stream: str, index: int, since: int | None) -> bool:
    """Set a condition to the state of its published alarm, where there is no checkpoint.

    Args:
        state: State of the watch.
        stream: Name of the stream; added if it is unknown and the condition is active.
        index: Column of the alarm.
        since: `t` since which the condition is active; it is uncertain until it is judged. None: it is inactive.

    Returns:
        Whether the condition is certain.
    """
    table = state.table
    row = table.row_of(stream)
    if since is None:
        if row is not None:
            table.delay_state[row, index] = ConditionState.INACTIVE
        return True
    if row is None:
        row = table.add(stream)  # even beyond `max_streams`: its alarm has been published
    if table.delay_state[row, index] == ConditionState.INACTIVE:
        table.delay_state[row, index] = ConditionState.UNCERTAIN
        table.active_since[row, index] = since
    return bool(table.delay_state[row, index] != ConditionState.UNCERTAIN)
