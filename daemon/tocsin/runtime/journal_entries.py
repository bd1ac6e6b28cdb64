"""Journal entries: each is one call of the core, and all that changes it between two snapshots.

`encode` and `decode` turn an entry into bytes and back by literal keys; `JOURNAL_FORMAT` counts their changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tocsin.engine import Readings
from tocsin.engine.format import Format
from tocsin.engine.streams.state import StreamState
from tocsin.runtime.journal_commands import (
    envelope_from_plain,
    envelope_to_plain,
    stream_request_from_plain,
    stream_request_to_plain,
)
from tocsin.store.columns import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tocsin.alarm import CommandEnvelope
    from tocsin.alarm.commands import Command
    from tocsin.engine.lifecycle.commands import StreamRequest

JOURNAL_FORMAT = Format("a journal entry", 1)


@dataclass(frozen=True, slots=True)
class ReadingsEntry:
    """Watches get readings, one watch after the other.

    Attributes:
        now: The wall clock's time, nanoseconds since 1970; so in all entries.
        watches: Names of the watches.
        readings: The readings in the order of arrival.
    """

    now: int
    watches: Sequence[str]
    readings: Readings


@dataclass(frozen=True, slots=True)
class StaleEntry:
    """A source reports streams gone to its watches, one watch after the other."""

    now: int
    watches: Sequence[str]
    streams: Sequence[str]


@dataclass(frozen=True, slots=True)
class TickEntry:
    """Time passes in all watches and for all alarms."""

    now: int


@dataclass(frozen=True, slots=True)
class AlarmCommandEntry:
    """A command for alarms is carried out."""

    now: int
    envelope: CommandEnvelope[Command]


@dataclass(frozen=True, slots=True)
class StreamCommandEntry:
    """A command for a stream is carried out."""

    now: int
    command: StreamRequest


@dataclass(frozen=True, slots=True)
class RestoreEntry:
    """A watch restores an evicted stream; the entry holds the whole state, as the store forgets it."""

    now: int
    watch: str
    state: StreamState


JournalEntry = ReadingsEntry | StaleEntry | TickEntry | AlarmCommandEntry | StreamCommandEntry | RestoreEntry


def encode(entry: JournalEntry) -> bytes:
    """Encode an entry."""
    return pack({"format": JOURNAL_FORMAT.number, "now": entry.now, **_to_plain(entry)})


def _to_plain(entry: JournalEntry) -> dict[str, Any]:
    match entry:
        case ReadingsEntry():
            return {"kind": "readings", "watches": list(entry.watches), "readings": _readings_to_plain(entry.readings)}
        case StaleEntry():
            return {"kind": "stale", "watches": list(entry.watches), "streams": list(entry.streams)}
        case TickEntry():
            return {"kind": "tick"}
        case AlarmCommandEntry():
            return {"kind": "alarm-command", "envelope": envelope_to_plain(entry.envelope)}
        case StreamCommandEntry():
            return {"kind": "stream-command", "command": stream_request_to_plain(entry.command)}
        case RestoreEntry():
            return {"kind": "restore", "watch": entry.watch, "state": state_to_plain(entry.state)}


def decode(body: bytes) -> JournalEntry:
    """Decode what `encode` gave.

    Raises:
        ValueError: It is of another format, or of an unknown kind.
        KeyError: A key is missing.
    """
    data = JOURNAL_FORMAT.upgrade(unpack(body))
    now = data["now"]
    match data["kind"]:
        case "readings":
            return ReadingsEntry(now, data["watches"], _readings_from_plain(data["readings"]))
        case "stale":
            return StaleEntry(now, data["watches"], data["streams"])
        case "tick":
            return TickEntry(now)
        case "alarm-command":
            return AlarmCommandEntry(now, envelope_from_plain(data["envelope"]))
        case "stream-command":
            return StreamCommandEntry(now, stream_request_from_plain(data["command"]))
        case "restore":
            return RestoreEntry(now, data["watch"], state_from_plain(data["state"]))
        case kind:
            legal = "readings, stale, tick, alarm-command, stream-command, restore"
            raise ValueError(f"a journal entry is of kind {kind!r} (legal: {legal})")


def state_to_plain(state: StreamState) -> dict[str, Any]:
    """Encode the state of streams as plain data with arrays."""
    return {"meta": dict(state.meta), "columns": dict(state.columns)}


def state_from_plain(data: Mapping[str, Any]) -> StreamState:
    """Decode what `state_to_plain` gave.

    Raises:
        KeyError: A key is missing.
    """
    return StreamState(data["meta"], data["columns"])


def _readings_to_plain(readings: Readings) -> dict[str, Any]:
    return {
        "streams": readings.streams,
        "channels": readings.channels,
        "stream": readings.stream,
        "t": readings.t,
        "values": readings.values,
        "labels": readings.labels,
    }


def _readings_from_plain(data: Mapping[str, Any]) -> Readings:
    return Readings(data["streams"], data["channels"], data["stream"], data["t"], data["values"], data["labels"])
