"""What is asked of streams, of all watches that know them."""

from __future__ import annotations

import base64
import binascii
import io
import json
import zipfile
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tocsin.api.event_json import number, time_fields
from tocsin.api.views import MemoryView, OverridesView, StreamsView, StreamView, WatchView
from tocsin.engine.conditions.adaptation import StreamBaseline
from tocsin.engine.lifecycle.commands import (
    Admit,
    CommandEntry,
    Discharge,
    ImportStream,
    Resume,
    SetLimit,
    SetProfile,
    StreamRefused,
    Transfer,
)
from tocsin.engine.lifecycle.transfer import StreamState
from tocsin.engine.streams.profile import profile_names
from tocsin.engine.streams.table import ALWAYS, NEVER, PROFILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from tocsin.alarm import CommandEnvelope, Event
    from tocsin.api.queries import ListStreams
    from tocsin.engine import EngineResult
    from tocsin.engine.lifecycle.commands import StreamCommand, StreamRequest
    from tocsin.engine.model import Model
    from tocsin.runtime.core import Incumbent
    from tocsin.runtime.deployment import Deployment
    from tocsin.runtime.watch_runtime import WatchRuntime

_Value = TypeVar("_Value")

_MAX_MEMORY_BYTES = 64 * 1024 * 1024
_VERSION = 1


def log_entry(
    envelope: CommandEnvelope[StreamRequest], now: int, watches: list[str], events: Sequence[Event]
) -> CommandEntry:
    """The log's entry of a command that was carried out.

    Args:
        envelope: The command.
        now: Nanoseconds since 1970.
        watches: The watches that carried it out.
        events: The alarm events that came of it.
    """
    return CommandEntry(
        at=now,
        actor=envelope.actor,
        comment=envelope.comment,
        transaction=envelope.transaction,
        verb=envelope.verb,
        stream=envelope.command.stream,
        arguments=envelope.arguments,
        digest=envelope.digest,
        watches=watches,
        events=[event.id for event in events],
    )


def carry_out(deployment: Deployment, command: StreamRequest, now: int) -> list[tuple[WatchRuntime, EngineResult]]:
    """Do what somebody asks of a stream, in every watch that it concerns: in all of them, or in none.

    Args:
        deployment: What is at work.
        command: It.
        now: The wall's clock, nanoseconds since 1970.

    Raises:
        StreamRefused: A watch can't do it, or none knows what it speaks of; nothing has changed.
    """
    if isinstance(command, ImportStream):
        return _take(deployment, command.stream, command.memory, now)
    runtimes = _knowing(deployment, command.stream)
    if not runtimes and isinstance(command, Admit):
        runtimes = _could_know(deployment, command.stream)
    shares = _shares(runtimes or list(deployment.runtimes.values()), command, now)
    for runtime, share in shares:
        runtime.check_command(share, now)
    return [(runtime, runtime.carry_out(share, now)) for runtime, share in shares]


def _shares(
    runtimes: Sequence[WatchRuntime], command: StreamCommand, now: int
) -> list[tuple[WatchRuntime, StreamCommand]]:
    """What is asked of each watch: they have different alarms, and measure different things.

    Where no watch knows what the command speaks of, all of it is asked of the first, which says what would be legal.
    """
    shares = [(runtime, command) for runtime in runtimes]
    match command:
        case Admit(_, _, said) if _is_known(said, runtimes):
            return [(runtime, share(command, runtime)) for runtime in runtimes]
        case SetProfile(_, said) if said and _is_known(said, runtimes):
            return [(runtime, share(command, runtime)) for runtime in runtimes if _part(said, runtime)]
        case SetLimit(_, alarm):
            return [one for one in shares if alarm in (a.name for a in one[0].engine.alarms)] or shares[:1]
        case Resume(stream):
            return [one for one in shares if one[0].is_on_standby(stream, now)] or shares[:1]
    return shares


def share(command: StreamCommand, runtime: WatchRuntime) -> StreamCommand:
    """What a command asks of a watch: of a profile, what means something there."""
    match command:
        case Admit(_, _, said):
            return replace(command, profile=_part(said, runtime))
        case SetProfile(_, said):
            return replace(command, values=_part(said, runtime))
    return command


def _is_known(said: Mapping[str, Any], runtimes: Sequence[WatchRuntime]) -> bool:
    """Whether each part of a profile is one to some watch."""
    return said.keys() <= {name for runtime in runtimes for name in profile_names(runtime.model)}


def _part(said: Mapping[str, _Value], runtime: WatchRuntime) -> dict[str, _Value]:
    """What a profile says to a watch."""
    names = profile_names(runtime.model)
    return {name: value for name, value in said.items() if name in names}


def begins_anew(command: StreamRequest) -> bool:
    """Whether a command is indifferent to what was there before."""
    return isinstance(command, Admit | ImportStream)


def ended(command: StreamRequest) -> list[str]:
    """The streams in which a stay ends by a command."""
    match command:
        case Admit(stream) | Discharge(stream) | ImportStream(stream):
            return [stream]
        case Transfer(stream, to):
            return [stream, to]
    return []


def export(deployment: Deployment, stream: str) -> MemoryView:
    """Give all that is remembered of a stream, by every watch that knows it.

    Raises:
        StreamRefused: None knows it.
    """
    runtimes = _known(deployment, stream)
    arrays: dict[str, Any] = {}
    told: dict[str, Any] = {"version": _VERSION, "stream": stream, "watches": []}
    for place, runtime in enumerate(runtimes):
        memory = runtime.engine.export([stream])
        told["watches"].append({"watch": runtime.name, "meta": dict(memory.meta)})
        arrays |= {f"{place}.{name}": column for name, column in memory.columns.items()}
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, told=np.frombuffer(json.dumps(told).encode(), np.uint8), **arrays)
    return MemoryView(stream=stream, memory=base64.b64encode(out.getvalue()).decode())


def _take(deployment: Deployment, stream: str, memory: str, now: int) -> list[tuple[WatchRuntime, EngineResult]]:
    """Go on with what was exported elsewhere, under this name: in all watches that it is of, or in none.

    Raises:
        StreamRefused: It is no export, is damaged, or is of models that no watch here has.
    """
    try:
        found = list(_read(stream, memory))
        pairs = [(_runtime(deployment, stream, watch), kept) for watch, kept in found]
        for runtime, kept in pairs:
            runtime.engine.check_import(kept)
        return [(runtime, runtime.import_streams(kept, now)) for runtime, kept in pairs]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, zipfile.BadZipFile) as error:
        raise StreamRefused(stream, f"memory is damaged, or no export ({error})", "illegal-value") from error


def _read(stream: str, memory: str) -> Iterator[tuple[str, StreamState]]:
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
            yield entry["watch"], StreamState(meta, columns)


def _runtime(deployment: Deployment, stream: str, watch: str) -> WatchRuntime:
    """The watch of the same name; the only one, whatever its name, where there is but one."""
    if watch in deployment.runtimes:
        return deployment.runtimes[watch]
    if len(deployment.runtimes) == 1:
        return next(iter(deployment.runtimes.values()))
    legal = ", ".join(deployment.runtimes)
    raise StreamRefused(stream, f"memory is of watch {watch!r} (legal: {legal})", "unknown-watch")


def listed(deployment: Deployment, wanted: ListStreams, incumbents: Mapping[str, Incumbent]) -> StreamsView:
    """Show the streams that are wanted, by name; `incumbents` are the watches whose models change."""
    names = {
        name
        for runtime in deployment.runtimes.values()
        for name in (runtime.engine.table.names[row] for row in runtime.engine.table.live_rows().tolist())
        if wanted.stream is None or fnmatchcase(name, wanted.stream)
    }
    views = [shown(deployment, name, incumbents) for name in sorted(names)]
    return StreamsView(streams=[view for view in views if wanted.labels.items() <= view.labels.items()])


def shown(deployment: Deployment, stream: str, incumbents: Mapping[str, Incumbent] | None = None) -> StreamView:
    """Show a stream.

    Args:
        deployment: What is at work.
        stream: Its name.
        incumbents: By watch, what was at work before, where a new model is not warm yet.

    Raises:
        StreamRefused: No watch knows it.
    """
    runtimes = _known(deployment, stream)
    labels: dict[str, str] = {}
    for runtime in runtimes:
        labels |= runtime.engine.table.labels[_row(runtime, stream)]
    views = [_watch_view(runtime, stream, (incumbents or {}).get(runtime.name)) for runtime in runtimes]
    return StreamView(stream=stream, labels=labels, watches=views)


def _watch_view(runtime: WatchRuntime, stream: str, incumbent: Incumbent | None) -> WatchView:
    table, model, row = runtime.engine.table, runtime.model, _row(runtime, stream)
    standby = int(table.standby_until[row])
    until = None if standby in {NEVER, ALWAYS} else standby
    alarms = [alarm.name for alarm in runtime.engine.alarms]
    times: dict[str, Any] = {
        **time_fields("newest_t", _time(table.newest_t[row])),
        **time_fields("heard_at", _time(table.last_reading_at[row])),
        **time_fields("standby_until", until),
    }
    return WatchView(
        watch=runtime.name,
        model=_named(model),
        old_model=None
        if incumbent is None or stream not in incumbent.shadow.waiting
        else _named(incumbent.runtime.model),
        admitted=bool(table.admitted[row]),
        standby=standby != NEVER,
        frames=int(table.frame_count[row]),
        warming_up=bool(table.frame_count[row] <= model.warm_up_ticks),
        profile=_profile(model, table.static[row], table.profile[row]),
        limits=_given(alarms, table.stream_limit[row]),
        overrides=_overrides(runtime, alarms, row),
        thresholds=_thresholds(runtime, row),
        **times,
    )


def _named(model: Model) -> str:
    return f"{model.name}/{model.version}"


def _overrides(runtime: WatchRuntime, alarms: list[str], row: int) -> OverridesView:
    table = runtime.engine.table
    if table.overrides is None:
        return OverridesView(limits={}, profile={}, off=[])
    return OverridesView(
        limits=_given(alarms, table.override_limit[row]),
        profile=_profile(runtime.model, table.override_static[row], table.override_profile[row]),
        off=[alarm for alarm, off in zip(alarms, table.override_off[row].tolist(), strict=True) if off],
    )


def _profile(model: Model, static: NDArray[np.float64], beside: NDArray[np.float64]) -> dict[str, float]:
    return _given([channel.name for channel in model.channels], static) | _given(PROFILE, beside)


def _given(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
    """What is known, by name."""
    return {name: value for name, value in zip(names, values.tolist(), strict=True) if number(value) is not None}


def _thresholds(runtime: WatchRuntime, row: int) -> dict[str, float | None]:
    """A stream's own thresholds, where they are adapted; None while it settles."""
    adaptation, table = runtime.engine.watch.adaptation, runtime.engine.table
    if adaptation is None:
        return {}
    rows = np.array([row])
    own, given = StreamBaseline.of(adaptation, table, rows), table.limits(rows)[0].tolist()  # (A,)
    found: dict[str, float | None] = {}
    for alarm, limit in zip(runtime.engine.alarms, given, strict=True):
        if alarm.condition.threshold is not None:
            threshold = alarm.condition.threshold if number(limit) is None else limit
            least, most = (float(bound[0]) for bound in own.bounds(threshold))
            found[alarm.name] = most if least == most else None
    return found


def _time(value: np.int64) -> int | None:
    return None if value == NEVER else int(value)


def _row(runtime: WatchRuntime, stream: str) -> int:
    row = runtime.engine.table.row_of(stream)
    if row is None:  # whoever asks has looked
        raise KeyError(stream)
    return row


def _knowing(deployment: Deployment, stream: str) -> list[WatchRuntime]:
    return [s for s in deployment.runtimes.values() if s.engine.table.row_of(stream) is not None]


def _known(deployment: Deployment, stream: str) -> list[WatchRuntime]:
    runtimes = _knowing(deployment, stream)
    if not runtimes:
        raise StreamRefused(stream, "is not known (legal: see list-streams)", "unknown-stream")
    return runtimes


def _could_know(deployment: Deployment, stream: str) -> list[WatchRuntime]:
    """The watches whose sources name streams like this one; all of them, if none does."""
    found = {
        runtime.name: runtime
        for source in deployment.sources
        if source.decoder.could_name(stream)
        for runtime in source.runtimes
    }
    return list(found.values())
