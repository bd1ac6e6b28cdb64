"""Commands for streams, carried out in every watch that they concern."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

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
from tocsin.engine.streams.profile import profile_names
from tocsin.runtime.stream_export import read_export

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tocsin.alarm import CommandEnvelope, Event
    from tocsin.engine.lifecycle.commands import StreamCommand, StreamRequest
    from tocsin.engine.model import Model
    from tocsin.runtime.shadowed_watch import RunningWatch
    from tocsin.runtime.sources import Source
    from tocsin.runtime.watch_runtime import WatchResult

_Value = TypeVar("_Value")


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


def execute(
    watches: Mapping[str, RunningWatch], sources: Sequence[Source], command: StreamRequest, now: int
) -> list[WatchResult]:
    """Carry out a command in every watch that it concerns: in all of them, or in none.

    Args:
        watches: Running watches by name.
        sources: Sources, by which a new stream is assigned to watches.
        command: The command.
        now: The wall clock's time, nanoseconds since 1970.

    Raises:
        StreamRefused: A watch can't, or none knows the stream; nothing has changed.
    """
    if isinstance(command, ImportStream):
        return _import(watches, command.stream, command.memory, now)
    concerned = [watch for watch in watches.values() if watch.engine.table.row_of(command.stream) is not None]
    if not concerned and isinstance(command, Admit):
        concerned = _could_know(watches, sources, command.stream)
    shares = _shares(concerned or list(watches.values()), command, now)
    for watch, share in shares:
        watch.check_command(share, now)
    results = [watch.execute(share, now) for watch, share in shares]
    called = {watch.name for watch, _ in shares}
    for watch in watches.values():
        if watch.name not in called:
            watch.follow(_share(command, watch.model), now)
    return results


def _shares(
    watches: Sequence[RunningWatch], command: StreamCommand, now: int
) -> list[tuple[RunningWatch, StreamCommand]]:
    """The part of a command for each watch: watches have different alarms and channels.

    Where no watch knows what the command names, the first gets all of it: its refusal says what would be legal.
    """
    shares = [(watch, command) for watch in watches]
    match command:
        case Admit(_, _, profile) if _is_known(profile, watches):
            return [(watch, _share(command, watch.model)) for watch in watches]
        case SetProfile(_, values) if values and _is_known(values, watches):
            return [(watch, _share(command, watch.model)) for watch in watches if _part(values, watch.model)]
        case SetLimit(_, alarm):
            return [one for one in shares if alarm in (a.name for a in one[0].engine.alarms)] or shares[:1]
        case Resume(stream):
            return [one for one in shares if one[0].is_on_standby(stream, now)] or shares[:1]
    return shares


def _share(command: StreamCommand, model: Model) -> StreamCommand:
    """The part of a command for a model: of a profile, what the model has channels for."""
    match command:
        case Admit(_, _, profile):
            return replace(command, profile=_part(profile, model))
        case SetProfile(_, values):
            return replace(command, values=_part(values, model))
    return command


def _is_known(profile: Mapping[str, Any], watches: Sequence[RunningWatch]) -> bool:
    """Whether each part of a profile is one in some watch."""
    return profile.keys() <= {name for watch in watches for name in profile_names(watch.model)}


def _part(profile: Mapping[str, _Value], model: Model) -> dict[str, _Value]:
    names = profile_names(model)
    return {name: value for name, value in profile.items() if name in names}


def begins_anew(command: StreamRequest) -> bool:
    """Whether a command replaces what was known of its stream."""
    return isinstance(command, Admit | ImportStream)


def ended_streams(command: StreamRequest) -> list[str]:
    """The streams in which a stay ends by a command."""
    match command:
        case Admit(stream) | Discharge(stream) | ImportStream(stream):
            return [stream]
        case Transfer(stream, to):
            return [stream, to]
    return []


def _import(watches: Mapping[str, RunningWatch], stream: str, memory: str, now: int) -> list[WatchResult]:
    """Import an exported state under this name: in all watches that it is of, or in none.

    Raises:
        StreamRefused: It is no export, is damaged, or is of models that no watch here has.
    """
    try:
        pairs = [(_watch_of(watches, stream, watch), state) for watch, state in read_export(stream, memory)]
        for watch, state in pairs:
            watch.engine.check_import(state)
        return [watch.import_stream(state, now) for watch, state in pairs]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, zipfile.BadZipFile) as error:
        raise StreamRefused(stream, f"memory is damaged, or no export ({error})", "illegal-value") from error


def _watch_of(watches: Mapping[str, RunningWatch], stream: str, watch: str) -> RunningWatch:
    """The watch of this name; the only one, whatever its name, where there is but one."""
    if watch in watches:
        return watches[watch]
    if len(watches) == 1:
        return next(iter(watches.values()))
    legal = ", ".join(watches)
    raise StreamRefused(stream, f"memory is of watch {watch!r} (legal: {legal})", "unknown-watch")


def _could_know(watches: Mapping[str, RunningWatch], sources: Sequence[Source], stream: str) -> list[RunningWatch]:
    """The watches whose sources name streams like this one."""
    found = {
        runtime.name: watches[runtime.name]
        for source in sources
        if source.decoder.could_name(stream)
        for runtime in source.runtimes
    }
    return list(found.values())
