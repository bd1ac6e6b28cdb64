"""An engine's whole memory as plain data, and back, to the bit: the rows in their order, also those that are free.

What the constructor makes of the configuration stays out: the data fits an engine of the same watch, and after it the
same calls give the same changes in the same order. `memory` is for what goes elsewhere: one stream, or another model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tocsin.engine.conditions.delays import ConditionState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.engine.engine import Engine

_AS_CONFIGURED = {"columns", "max_streams", "keeps_frames", "overrides", "_described"}


def export(engine: Engine) -> dict[str, Any]:
    """Copy everything: arrays, lists, dicts and numbers, by name."""
    table = {name: _copy(value) for name, value in vars(engine.table).items() if name not in _AS_CONFIGURED}
    return {"now": engine.now, "table": table}


def restore(engine: Engine, data: Mapping[str, Any]) -> None:
    """Let an engine that has met nothing go on with what `export` gave.

    Columns that the Tocsin of then didn't have hold in every row what a new one holds.

    Raises:
        ValueError: It was another watch's; nothing has changed.
    """
    given, table = data["table"], vars(engine.table)
    names = table.keys() - _AS_CONFIGURED
    unlike = (given.keys() - names) | (names - given.keys() - engine.table.columns.keys())
    if unlike:
        raise ValueError(f"a memory of other columns: {', '.join(sorted(unlike))}")
    rows = len(given["live"])
    made: dict[str, Any] = {}
    for name in names:
        there = table[name]
        if name not in given:
            made[name] = np.full((rows, *there.shape[1:]), engine.table.columns[name].fill, dtype=there.dtype)
            continue
        if isinstance(there, np.ndarray) and (there.dtype != given[name].dtype or there.ndim != given[name].ndim):
            raise ValueError(
                f"column {name} is {given[name].dtype} of {given[name].ndim} axes (legal: {there.dtype}, {there.ndim})"
            )
        made[name] = _copy(given[name])
    table.update(made)
    engine.now = data["now"]


def assume_active(engine: Engine, stream: str, index: int, since: int | None) -> bool:
    """Take a stream's condition for what people were told of its alarm, where nothing else is known of it.

    Args:
        engine: Whose.
        stream: Its name.
        index: Of the alarm.
        since: `t` since when it holds; None if it doesn't. One that holds is uncertain until it is judged again.

    Returns:
        Whether the engine knows.
    """
    table = engine.table
    row = table.row_of(stream)
    if since is None:
        if row is not None:
            table.delay_state[row, index] = ConditionState.INACTIVE
        return True
    if row is None:
        row = table.add(stream)  # be there room for it or not: somebody is being told of it
    if table.delay_state[row, index] == ConditionState.INACTIVE:
        table.delay_state[row, index] = ConditionState.UNCERTAIN
        table.active_since[row, index] = since
    return bool(table.delay_state[row, index] != ConditionState.UNCERTAIN)


def _copy(value: Any) -> Any:  # noqa: ANN401  (whatever a table holds)
    return value.copy() if isinstance(value, np.ndarray | list | dict) else value
