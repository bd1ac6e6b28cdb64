"""An engine's whole memory as plain data, and back, to the bit: the rows in their order, also those that are free.

What the constructor makes of the configuration stays out: the data fits an engine of the same watch, and after it the
same calls give the same changes in the same order. `memory` is for what goes elsewhere: one stream, or another model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tocsin.engine.delays import Standing

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

    Raises:
        ValueError: It was another watch's.
    """
    engine.now = data["now"]
    data, table = data["table"], vars(engine.table)
    names = table.keys() - _AS_CONFIGURED
    if names != data.keys():
        raise ValueError(f"a memory of other columns: {', '.join(sorted(names ^ data.keys()))}")
    for name in names:
        there, given = table[name], data[name]
        if isinstance(there, np.ndarray) and (there.dtype != given.dtype or there.ndim != given.ndim):
            raise ValueError(
                f"column {name} is {given.dtype} of {given.ndim} axes (legal: {there.dtype}, {there.ndim})"
            )
        table[name] = _copy(given)


def presume(engine: Engine, stream: str, index: int, since: int | None) -> bool:
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
            table.standing[row, index] = Standing.ABSENT
        return True
    if row is None:
        row = table.join(stream)  # be there room for it or not: somebody is being told of it
    if table.standing[row, index] == Standing.ABSENT:
        table.standing[row, index] = Standing.UNCERTAIN
        table.began_t[row, index] = since
    return bool(table.standing[row, index] != Standing.UNCERTAIN)


def _copy(value: Any) -> Any:  # noqa: ANN401  (whatever a table holds)
    return value.copy() if isinstance(value, np.ndarray | list | dict) else value
