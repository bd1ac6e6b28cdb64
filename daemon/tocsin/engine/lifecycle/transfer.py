"""What is remembered of streams, as plain columns: to keep, to carry elsewhere, and to go on with, to the bit.

The columns are those of the stream table, cut to the streams asked for. `meta` is plain data that JSON can hold; it
says whose they are: a state means something to one graph alone, so that what another model remembers is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tocsin.engine.conditions.base import Truth
from tocsin.engine.conditions.delays import ConditionState
from tocsin.engine.lifecycle.commands import StreamRefused
from tocsin.engine.streams.table import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from tocsin.engine.conditions.alarm import Alarm
    from tocsin.engine.engine import Engine
    from tocsin.engine.model import Model
    from tocsin.engine.result import EngineResult
    from tocsin.engine.streams.table import StreamTable

VERSION = 1

_OF_FRAMES = (
    "open_tick",
    "open_t",
    "opened_at",
    "open_values",
    "open_value_t",
    "open_implausible",
    "sample_t",
    "samples",
)
_OF_ANY_MODEL = ("delay_state", "truth", "truth_since", "active_since", "stream_limit")
_AT_WILL = ("sample_t", "samples")  # their third dimension grows with what comes


@dataclass(frozen=True, slots=True)
class StreamState:
    """All that an engine remembers of some streams.

    Attributes:
        meta: `version` of this layout; `model`, `sha256`, `channels`, `period_ns` of whose state it is; `alarms` and
            what they were; `streams` with their labels, and the limits that overrides gave their alarms.
        columns: By name, (n, …) each; see `StreamTable`.
    """

    meta: Mapping[str, Any]
    columns: Mapping[str, NDArray[Any]]

    @property
    def streams(self) -> list[str]:
        """(n) their names."""
        return [entry["name"] for entry in self.meta["streams"]]

    def each(self) -> Iterator[StreamState]:
        """What is remembered of each stream, apart."""
        for i, entry in enumerate(self.meta["streams"]):
            meta = {**self.meta, "streams": [entry]}
            yield StreamState(meta, {name: column[i : i + 1] for name, column in self.columns.items()})


def export(engine: Engine, streams: Sequence[str] | None = None) -> StreamState:
    """Copy what is remembered of these streams, or of all.

    Raises:
        StreamRefused: One of them is not known.
    """
    table, model = engine.table, engine.watch.model
    if streams is None:
        rows = table.live_rows()
    else:
        rows = np.array([_known(engine, stream) for stream in streams], dtype=np.int64)
    labels = [table.labels_apart(row) for row in rows.tolist()]
    meta: dict[str, Any] = {
        "version": VERSION,
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
            for alarm in engine.watch.alarms
        ],
        "streams": [
            {"name": table.names[row], "topic_labels": dict(topic), "given_labels": dict(given)}
            | _overridden(engine, row)
            for row, (topic, given) in zip(rows.tolist(), labels, strict=True)
        ],
    }
    return StreamState(meta, {name: getattr(table, name)[rows] for name in table.portable_columns})


def _overridden(engine: Engine, row: int) -> dict[str, dict[str, float]]:
    """The limits of alarms that a stream has had by its name: another place may have others."""
    if engine.table.overrides is None:
        return {}
    limits = zip(engine.watch.alarms, engine.table.override_limit[row].tolist(), strict=True)
    return {"limits": {alarm.name: limit for alarm, limit in limits if not np.isnan(limit)}}


def check(engine: Engine, remembered: StreamState) -> None:
    """Refuse what is remembered of another model's streams, or is damaged.

    Raises:
        StreamRefused: It says what differs.
    """
    meta, model, table = remembered.meta, engine.watch.model, engine.table
    if meta.get("version") != VERSION:
        raise StreamRefused("*", f"memory is laid out in version {meta.get('version')} (legal: {VERSION})", "illegal")
    names = remembered.streams
    first = names[0] if names else "*"
    for key, ours in (
        ("sha256", model.sha256),
        ("channels", [channel.name for channel in model.channels]),
        ("period_ns", model.period_ns),
    ):
        if meta.get(key) != ours:
            whose = f"of {meta.get('model')}, whose {key} is {meta.get(key)}"
            what = f"memory is {whose} (legal: {model.name}/{model.version}, {key} {ours})"
            raise StreamRefused(first, what, "another-model")
    if len(set(names)) < len(names):
        raise StreamRefused(first, "memory names a stream twice", "illegal")
    alarms = len(meta["alarms"])
    for name, column in table.portable_columns.items():
        ours, theirs = getattr(table, name), remembered.columns.get(name)
        free = {None: 0, "alarms": 1, "condition_state": 1, "recent": 1, "slots": 2 if name in _AT_WILL else 1}[
            column.axis
        ]
        if theirs is None:
            raise StreamRefused(first, f"memory lacks {name}", "illegal")
        if (
            theirs.dtype != ours.dtype
            or len(theirs) != len(names)
            or theirs.ndim != ours.ndim
            or theirs.shape[1 + free :] != ours.shape[1 + free :]
            or (column.axis == "alarms" and theirs.shape[1] != alarms)
            or (
                column.axis == "condition_state"
                and theirs.shape[1] != sum(alarm["state_size"] for alarm in meta["alarms"])
            )
        ):
            legal = f"{(len(names), *ours.shape[1:])} {ours.dtype}"
            raise StreamRefused(first, f"memory's {name} is {theirs.shape} {theirs.dtype} (legal: {legal})", "illegal")


def place(engine: Engine, remembered: StreamState, rows: NDArray[np.int64], result: EngineResult) -> None:
    """Put what is remembered of a model of the same graph into rows (n,) that are new."""
    table = engine.table
    for name, column in table.portable_columns.items():
        if column.axis is None and name != "live":
            getattr(table, name)[rows] = remembered.columns[name]
    recent = [name for name, column in table.columns.items() if column.axis == "recent"]
    if all(remembered.columns[name].shape == (len(rows), *getattr(table, name).shape[1:]) for name in recent):
        for name in recent:
            getattr(table, name)[rows] = remembered.columns[name]
    else:
        table.recent_count[rows] = 0
    place_labels(engine, remembered, rows)
    place_alarms(engine, remembered, rows)
    slots = {name for name, column in table.columns.items() if column.axis == "slots"}
    if all(remembered.columns[name].shape[1] == getattr(table, name).shape[1] for name in slots):
        _make_room(table, remembered)
        for name in slots:
            ours, theirs = getattr(table, name), remembered.columns[name]
            if name in _AT_WILL:
                k = min(ours.shape[2], theirs.shape[2])
                ours[rows, :, :k] = theirs[:, :, :k]
            else:
                ours[rows] = theirs
    else:
        move_frames(engine, remembered, rows, result)


def place_labels(engine: Engine, remembered: StreamState, rows: NDArray[np.int64]) -> None:
    """Label streams (n,) as they were."""
    for row, entry in zip(rows.tolist(), remembered.meta["streams"], strict=True):
        engine.table.take_labels(row, entry["topic_labels"], entry["given_labels"])


def place_alarms(
    engine: Engine,
    remembered: StreamState,
    rows: NDArray[np.int64],
    *,
    same_model: bool = True,
    same_ticks: bool = True,
) -> None:
    """Let alarms that are still what they were go on in rows (n,).

    Args:
        engine: Where.
        remembered: What was.
        rows: Of its streams.
        same_model: Whether what the model said means the same.
        same_ticks: Whether at least channels and ticks do.
    """
    table, columns = engine.table, remembered.columns
    for old, new in carried(remembered, engine):
        for name, column in table.portable_columns.items():
            if column.axis == "alarms" and (same_model or name in _OF_ANY_MODEL):
                getattr(table, name)[rows, new] = columns[name][:, old]
        # What is up stays judged as it was until the next frame. What isn't begins its delay anew, if it asks for
        # something else now: a condition that held for a minute below 90 has not held for a minute below 85.
        condition = engine.watch.alarms[new].condition
        means_the_same = same_model or (same_ticks and not condition.modelled)
        if means_the_same and remembered.meta["alarms"][old]["parameters"] == condition.parameters:
            same = _same_limits(engine, remembered, rows, new)
            begin = sum(alarm["state_size"] for alarm in remembered.meta["alarms"][:old])
            noted = columns["condition_state"][:, begin : begin + remembered.meta["alarms"][old]["state_size"]]
            table.condition_state[rows[same], engine.state_slices[new]] = noted[same]
        else:
            same = np.zeros(len(rows), dtype=np.bool_)
        anew = (columns["delay_state"][:, old] == ConditionState.INACTIVE) & ~same
        table.truth[rows[anew], new] = Truth.UNKNOWN
        table.truth_since[rows[anew], new] = NEVER
    if table.overrides is not None:
        _drop_off(table, rows)


def _same_limits(engine: Engine, remembered: StreamState, rows: NDArray[np.int64], index: int) -> NDArray[np.bool_]:
    """(n,) in which streams overrides say of an alarm's limit what they said before."""
    table, name = engine.table, engine.watch.alarms[index].name
    there = np.array([entry.get("limits", {}).get(name, np.nan) for entry in remembered.meta["streams"]])
    here = np.full(len(rows), np.nan) if table.overrides is None else table.override_limit[rows, index]
    same: NDArray[np.bool_] = (there == here) | (np.isnan(there) & np.isnan(here))
    return same


def _drop_off(table: StreamTable, rows: NDArray[np.int64]) -> None:
    """Let no condition hold that is off in its stream."""
    row, index = np.nonzero(table.override_off[rows])
    for name in ("delay_state", "truth", "truth_since", "active_since"):
        getattr(table, name)[rows[row], index] = table.columns[name].fill


def carried(remembered: StreamState, engine: Engine) -> list[tuple[int, int]]:
    """The columns, there and here, of alarms that go on."""
    found = {alarm["identity"]: i for i, alarm in enumerate(remembered.meta["alarms"])}
    named = ((_identity(alarm, engine.watch.model), i) for i, alarm in enumerate(engine.watch.alarms))
    return [(found[identity], i) for identity, i in named if identity in found]


def _identity(alarm: Alarm, model: Model) -> str:
    """What makes an alarm the one it is: its name, what it looks at, and how urgent it is."""
    watched = ",".join(model.channels[channel].name for channel in alarm.condition.channels)
    return f"{alarm.name} {alarm.condition.kind} {watched} {alarm.priority} {alarm.category}"


def _known(engine: Engine, stream: str) -> int:
    row = engine.table.row_of(stream)
    if row is None:
        raise StreamRefused(stream, "is not known", "unknown-stream")
    return row


def _make_room(table: StreamTable, remembered: StreamState) -> None:
    """Make room for as many values in a frame as there were, if they are kept apart here."""
    while 0 < table.sample_t.shape[2] < remembered.columns["sample_t"].shape[2]:
        table.widen_samples()


def move_frames(engine: Engine, remembered: StreamState, rows: NDArray[np.int64], result: EngineResult) -> None:
    """Put open frames into the slots of another frame clock, oldest first; those that it would not wait for close.

    Frames that could be gone back to are not kept.
    """
    table, columns = engine.table, remembered.columns
    _make_room(table, remembered)
    passed = engine.closed_by(table.newest_t[rows])
    ticks = columns["open_tick"]  # (n, W)
    for slot in ticks.argsort(axis=1).T:  # (n,) the slots of each stream's oldest frame, of the next, …
        n = np.arange(len(rows))
        there = np.flatnonzero(ticks[n, slot] != NEVER)
        to = ticks[there, slot[there]] % table.open_tick.shape[1]
        for name in _OF_FRAMES:
            ours, theirs = getattr(table, name), columns[name][there, slot[there]]
            if name in _AT_WILL:
                k = min(ours.shape[2], theirs.shape[1])
                ours[rows[there], to, :k] = theirs[:, :k]
            else:
                ours[rows[there], to] = theirs
        engine.close_frames(rows[there], passed[there], result)
    table.bar(rows, table.closed_tick[rows])
