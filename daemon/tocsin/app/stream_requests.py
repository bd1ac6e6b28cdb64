"""What is asked of streams, of all watches that know them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np

from tocsin.codec.event_json import number, time_fields
from tocsin.engine.adaptation import Own
from tocsin.engine.commands import (
    Admit,
    CommandEntry,
    Discharge,
    Resume,
    SetLimit,
    SetProfile,
    StreamCommand,
    StreamRefused,
    Transfer,
)
from tocsin.engine.conditions import ScoreAbove
from tocsin.engine.memory import StreamMemory
from tocsin.engine.plausible import profile_names
from tocsin.engine.streams import ALWAYS, NEVER, PROFILE
from tocsin.request.questions import ImportStream
from tocsin.request.views import MemoryView, OverridesView, StreamsView, StreamView, WatchView

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from tocsin.alarm import Event
    from tocsin.app.build import Setup, Station
    from tocsin.app.core import Elder
    from tocsin.engine import Outcome
    from tocsin.engine.model import Model
    from tocsin.request.questions import ListStreams

_Value = TypeVar("_Value")

OfStream = StreamCommand | ImportStream
"""All that changes a stream by somebody's will."""


@dataclass(frozen=True, slots=True)
class StreamOrder:
    """A command for a stream, with all that is recorded of it.

    Attributes:
        command: What is to be done.
        verb: Its name.
        actor: Who asks.
        comment: Why, in their words.
        transaction: The asker's own mark.
    """

    command: OfStream
    verb: str
    actor: str
    comment: str | None
    transaction: str | None

    @property
    def arguments(self) -> dict[str, Any]:
        """What was asked beside the stream; a memory, which is long, by its hash."""
        said: dict[str, Any] = msgspec.to_builtins(self.command)
        del said["stream"]
        if "memory" in said:
            said["memory"] = "sha256:" + hashlib.sha256(said["memory"].encode()).hexdigest()
        return said

    @property
    def digest(self) -> str:
        """What tells it from another one, however long it is."""
        told = msgspec.json.encode([self.verb, self.command.stream, self.arguments], order="sorted")
        return hashlib.sha256(told).hexdigest()

    def entry(self, now: int, watches: list[str], events: Sequence[Event]) -> CommandEntry:
        """What the log says of it, once it is carried out.

        Args:
            now: When, nanoseconds since 1970.
            watches: Where.
            events: What it did to alarms.
        """
        return CommandEntry(
            at=now,
            actor=self.actor,
            comment=self.comment,
            transaction=self.transaction,
            verb=self.verb,
            stream=self.command.stream,
            arguments=self.arguments,
            digest=self.digest,
            watches=watches,
            events=[event.id for event in events],
        )


_MAX_MEMORY_BYTES = 64 * 1024 * 1024
_VERSION = 1


def carry_out(setup: Setup, command: OfStream, now: int) -> list[tuple[Station, Outcome]]:
    """Do what somebody asks of a stream, in every watch that it concerns: in all of them, or in none.

    Args:
        setup: What is at work.
        command: It.
        now: The wall's clock, nanoseconds since 1970.

    Raises:
        StreamRefused: A watch can't do it, or none knows what it speaks of; nothing has changed.
    """
    if isinstance(command, ImportStream):
        return _take(setup, command.stream, command.memory, now)
    stations = _knowing(setup, command.stream)
    if not stations and isinstance(command, Admit):
        stations = _could_know(setup, command.stream)
    shares = _shares(stations or list(setup.stations.values()), command, now)
    for station, share in shares:
        station.refuse(share, now)
    return [(station, station.carry_out(share, now)) for station, share in shares]


def _shares(stations: Sequence[Station], command: StreamCommand, now: int) -> list[tuple[Station, StreamCommand]]:
    """What is asked of each watch: they have different alarms, and measure different things.

    Where no watch knows what the command speaks of, all of it is asked of the first, which says what would be legal.
    """
    shares = [(station, command) for station in stations]
    match command:
        case Admit(_, _, said) if _is_known(said, stations):
            return [(station, share(command, station)) for station in stations]
        case SetProfile(_, said) if said and _is_known(said, stations):
            return [(station, share(command, station)) for station in stations if _part(said, station)]
        case SetLimit(_, alarm):
            return [one for one in shares if alarm in (a.name for a in one[0].engine.alarms)] or shares[:1]
        case Resume(stream):
            return [one for one in shares if one[0].is_on_standby(stream, now)] or shares[:1]
    return shares


def share(command: StreamCommand, station: Station) -> StreamCommand:
    """What a command asks of a watch: of a profile, what means something there."""
    match command:
        case Admit(_, _, said):
            return replace(command, profile=_part(said, station))
        case SetProfile(_, said):
            return replace(command, values=_part(said, station))
    return command


def _is_known(said: Mapping[str, Any], stations: Sequence[Station]) -> bool:
    """Whether each part of a profile is one to some watch."""
    return said.keys() <= {name for station in stations for name in profile_names(station.model)}


def _part(said: Mapping[str, _Value], station: Station) -> dict[str, _Value]:
    """What a profile says to a watch."""
    names = profile_names(station.model)
    return {name: value for name, value in said.items() if name in names}


def begins_anew(command: OfStream) -> bool:
    """Whether a command is indifferent to what was there before."""
    return isinstance(command, Admit | ImportStream)


def ended(command: OfStream) -> list[str]:
    """The streams in which a stay ends by a command."""
    match command:
        case Admit(stream) | Discharge(stream) | ImportStream(stream):
            return [stream]
        case Transfer(stream, to):
            return [stream, to]
    return []


def export(setup: Setup, stream: str) -> MemoryView:
    """Give all that is remembered of a stream, by every watch that knows it.

    Raises:
        StreamRefused: None knows it.
    """
    stations = _known(setup, stream)
    arrays: dict[str, Any] = {}
    told: dict[str, Any] = {"version": _VERSION, "stream": stream, "watches": []}
    for place, station in enumerate(stations):
        memory = station.engine.export([stream])
        told["watches"].append({"watch": station.name, "meta": dict(memory.meta)})
        arrays |= {f"{place}.{name}": column for name, column in memory.columns.items()}
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, told=np.frombuffer(json.dumps(told).encode(), np.uint8), **arrays)
    return MemoryView(stream=stream, memory=base64.b64encode(out.getvalue()).decode())


def _take(setup: Setup, stream: str, memory: str, now: int) -> list[tuple[Station, Outcome]]:
    """Go on with what was exported elsewhere, under this name: in all watches that it is of, or in none.

    Raises:
        StreamRefused: It is no export, is damaged, or is of models that no watch here has.
    """
    try:
        found = list(_read(stream, memory))
        pairs = [(_station(setup, stream, watch), kept) for watch, kept in found]
        for station, kept in pairs:
            station.engine.refuse_taking(kept)
        return [(station, station.take(kept, now)) for station, kept in pairs]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, zipfile.BadZipFile) as error:
        raise StreamRefused(stream, f"memory is damaged, or no export ({error})", "illegal-value") from error


def _read(stream: str, memory: str) -> Iterator[tuple[str, StreamMemory]]:
    """Each watch's name, and what it remembers."""
    try:
        data = base64.b64decode(memory, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    with zipfile.ZipFile(io.BytesIO(data)) as members:
        size = sum(member.file_size for member in members.infolist())
    if size > _MAX_MEMORY_BYTES:
        raise ValueError(f"{size} bytes, at most {_MAX_MEMORY_BYTES}")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        told = json.loads(arrays["told"].tobytes())
        if told["version"] != _VERSION:
            raise ValueError(f"version {told['version']!r}, legal: {_VERSION}")
        for place, entry in enumerate(told["watches"]):
            meta = entry["meta"]
            meta["streams"] = [{**known, "name": stream} for known in meta["streams"]]
            prefix = f"{place}."
            columns = {name.removeprefix(prefix): arrays[name] for name in arrays.files if name.startswith(prefix)}
            yield entry["watch"], StreamMemory(meta, columns)


def _station(setup: Setup, stream: str, watch: str) -> Station:
    """The watch of the same name; the only one, whatever its name, where there is but one."""
    if watch in setup.stations:
        return setup.stations[watch]
    if len(setup.stations) == 1:
        return next(iter(setup.stations.values()))
    legal = ", ".join(setup.stations)
    raise StreamRefused(stream, f"memory is of watch {watch!r} (legal: {legal})", "unknown-watch")


def listed(setup: Setup, wanted: ListStreams, elders: Mapping[str, Elder]) -> StreamsView:
    """Show the streams that are wanted, by name; `elders` are the watches whose models change."""
    names = {
        name
        for station in setup.stations.values()
        for name in (station.engine.table.names[row] for row in station.engine.table.live_rows().tolist())
        if wanted.stream is None or fnmatchcase(name, wanted.stream)
    }
    views = [shown(setup, name, elders) for name in sorted(names)]
    return StreamsView(streams=[view for view in views if wanted.labels.items() <= view.labels.items()])


def shown(setup: Setup, stream: str, elders: Mapping[str, Elder] | None = None) -> StreamView:
    """Show a stream.

    Args:
        setup: What is at work.
        stream: Its name.
        elders: By watch, what was at work before, where a new model is not warm yet.

    Raises:
        StreamRefused: No watch knows it.
    """
    stations = _known(setup, stream)
    labels: dict[str, str] = {}
    for station in stations:
        labels |= station.engine.table.labels[_row(station, stream)]
    views = [_watch_view(station, stream, (elders or {}).get(station.name)) for station in stations]
    return StreamView(stream=stream, labels=labels, watches=views)


def _watch_view(station: Station, stream: str, elder: Elder | None) -> WatchView:
    table, model, row = station.engine.table, station.model, _row(station, stream)
    standby = int(table.standby_until[row])
    until = None if standby in {NEVER, ALWAYS} else standby
    alarms = [alarm.name for alarm in station.engine.alarms]
    times: dict[str, Any] = {
        **time_fields("newest_t", _time(table.newest_t[row])),
        **time_fields("heard_at", _time(table.heard_at[row])),
        **time_fields("standby_until", until),
    }
    return WatchView(
        watch=station.name,
        model=_named(model),
        old_model=None if elder is None or stream not in elder.shadow.waiting else _named(elder.station.model),
        admitted=bool(table.admitted[row]),
        standby=standby != NEVER,
        frames=int(table.frames[row]),
        warming_up=bool(table.frames[row] <= model.warm_up_ticks),
        profile=_profile(model, table.static[row], table.profile[row]),
        limits=_given(alarms, table.limit[row]),
        overrides=_overrides(station, alarms, row),
        thresholds=_thresholds(station, row),
        **times,
    )


def _named(model: Model) -> str:
    return f"{model.name}/{model.version}"


def _overrides(station: Station, alarms: list[str], row: int) -> OverridesView:
    table = station.engine.table
    if table.overrides is None:
        return OverridesView(limits={}, profile={}, off=[])
    return OverridesView(
        limits=_given(alarms, table.place_limit[row]),
        profile=_profile(station.model, table.place_static[row], table.place_profile[row]),
        off=[alarm for alarm, off in zip(alarms, table.place_off[row].tolist(), strict=True) if off],
    )


def _profile(model: Model, static: NDArray[np.float64], beside: NDArray[np.float64]) -> dict[str, float]:
    return _given([channel.name for channel in model.channels], static) | _given(PROFILE, beside)


def _given(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
    """What is known, by name."""
    return {name: value for name, value in zip(names, values.tolist(), strict=True) if number(value) is not None}


def _thresholds(station: Station, row: int) -> dict[str, float | None]:
    """A stream's own thresholds, where they are adapted; None while it settles."""
    adaptation, table = station.engine.watch.adaptation, station.engine.table
    if adaptation is None:
        return {}
    rows = np.array([row])
    own, given = Own.of(adaptation, table, rows), table.limits(rows)[0].tolist()  # (A,)
    found: dict[str, float | None] = {}
    for alarm, limit in zip(station.engine.alarms, given, strict=True):
        if isinstance(alarm.condition, ScoreAbove):
            threshold = alarm.condition.threshold if number(limit) is None else limit
            least, most = (float(bound[0]) for bound in own.bounds(threshold))
            found[alarm.name] = most if least == most else None
    return found


def _time(value: np.int64) -> int | None:
    return None if value == NEVER else int(value)


def _row(station: Station, stream: str) -> int:
    row = station.engine.table.row_of(stream)
    if row is None:  # whoever asks has looked
        raise KeyError(stream)
    return row


def _knowing(setup: Setup, stream: str) -> list[Station]:
    return [s for s in setup.stations.values() if s.engine.table.row_of(stream) is not None]


def _known(setup: Setup, stream: str) -> list[Station]:
    stations = _knowing(setup, stream)
    if not stations:
        raise StreamRefused(stream, "is not known (legal: see list-streams)", "unknown-stream")
    return stations


def _could_know(setup: Setup, stream: str) -> list[Station]:
    """The watches whose sources name streams like this one; all of them, if none does."""
    found = {
        station.name: station for desk in setup.desks if desk.decoder.could_name(stream) for station in desk.stations
    }
    return list(found.values())
