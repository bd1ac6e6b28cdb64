"""Commands as plain data with literal keys, as the journal holds them, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.alarm.commands import (
    Acknowledge,
    AcknowledgeGroup,
    Annotate,
    Command,
    CommandEnvelope,
    Mark,
    RemoveFromService,
    Reset,
    ReturnToService,
    Shelve,
    Test,
    Unshelve,
    Verdict,
)
from tocsin.engine.lifecycle.commands import (
    Admit,
    Discharge,
    ImportStream,
    ResetStream,
    Resume,
    SetLimit,
    SetProfile,
    Standby,
    Transfer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.engine.lifecycle.commands import StreamRequest

_SIMPLE: dict[type[Reset | Unshelve | RemoveFromService | ReturnToService], str] = {
    Reset: "reset",
    Unshelve: "unshelve",
    RemoveFromService: "remove-from-service",
    ReturnToService: "return-to-service",
}
"""Verbs of the commands that name an alarm and nothing else."""


def envelope_to_plain(envelope: CommandEnvelope[Command]) -> dict[str, Any]:
    """Encode a command for alarms with its actor."""
    return {
        "command": _alarm_command_to_plain(envelope.command),
        "actor": envelope.actor,
        "comment": envelope.comment,
        "transaction": envelope.transaction,
    }


def envelope_from_plain(data: Mapping[str, Any]) -> CommandEnvelope[Command]:
    """Decode what `envelope_to_plain` gave.

    Raises:
        ValueError: The verb is unknown.
        KeyError: A key is missing.
    """
    command = _alarm_command_from_plain(data["command"])
    return CommandEnvelope(command, data["actor"], data["comment"], data["transaction"])


def _alarm_command_to_plain(command: Command) -> dict[str, Any]:
    match command:
        case Acknowledge(stream, alarm, occurrence):
            return {"verb": "acknowledge", "stream": stream, "alarm": alarm, "occurrence": occurrence}
        case AcknowledgeGroup(labels):
            return {"verb": "acknowledge-group", "labels": dict(labels)}
        case Shelve(stream, alarm, for_s, once):
            return {"verb": "shelve", "stream": stream, "alarm": alarm, "for_s": for_s, "once": once}
        case (
            Reset(stream, alarm)
            | Unshelve(stream, alarm)
            | RemoveFromService(stream, alarm)
            | ReturnToService(stream, alarm)
        ):
            return {"verb": _SIMPLE[type(command)], "stream": stream, "alarm": alarm}
        case Annotate(stream, alarm, occurrence):
            return {"verb": "annotate", "stream": stream, "alarm": alarm, "occurrence": occurrence}
        case Mark(stream, alarm, verdict, occurrence):
            mark = {"verdict": verdict.value, "occurrence": occurrence}
            return {"verb": "mark", "stream": stream, "alarm": alarm, **mark}
        case Test(stream):
            return {"verb": "test", "stream": stream}


def _alarm_command_from_plain(data: Mapping[str, Any]) -> Command:
    match data["verb"]:
        case "acknowledge":
            return Acknowledge(data["stream"], data["alarm"], data["occurrence"])
        case "acknowledge-group":
            return AcknowledgeGroup(data["labels"])
        case "shelve":
            return Shelve(data["stream"], data["alarm"], data["for_s"], data["once"])
        case "annotate":
            return Annotate(data["stream"], data["alarm"], data["occurrence"])
        case "mark":
            return Mark(data["stream"], data["alarm"], Verdict(data["verdict"]), data["occurrence"])
        case "test":
            return Test(data["stream"])
        case verb if verb in _SIMPLE.values():
            kind = next(kind for kind, name in _SIMPLE.items() if name == verb)
            return kind(data["stream"], data["alarm"])
        case verb:
            raise ValueError(f"the journal's command for alarms {verb!r} is unknown")


def stream_request_to_plain(command: StreamRequest) -> dict[str, Any]:
    """Encode a command for a stream."""
    match command:
        case Admit(stream, labels, profile):
            return {"verb": "admit", "stream": stream, "labels": dict(labels), "profile": dict(profile)}
        case Discharge(stream):
            return {"verb": "discharge", "stream": stream}
        case Transfer(stream, to):
            return {"verb": "transfer", "stream": stream, "to": to}
        case Standby(stream, until):
            return {"verb": "standby", "stream": stream, "until": until}
        case Resume(stream):
            return {"verb": "resume", "stream": stream}
        case ResetStream(stream):
            return {"verb": "reset-stream", "stream": stream}
        case SetLimit(stream, alarm, limit):
            return {"verb": "set-limit", "stream": stream, "alarm": alarm, "limit": limit}
        case SetProfile(stream, values):
            return {"verb": "set-profile", "stream": stream, "values": dict(values)}
        case ImportStream(stream, memory):
            return {"verb": "import-stream", "stream": stream, "export": memory}


def stream_request_from_plain(data: Mapping[str, Any]) -> StreamRequest:
    """Decode what `stream_request_to_plain` gave.

    Raises:
        ValueError: The verb is unknown.
        KeyError: A key is missing.
    """
    match data["verb"]:
        case "admit":
            return Admit(data["stream"], data["labels"], data["profile"])
        case "discharge":
            return Discharge(data["stream"])
        case "transfer":
            return Transfer(data["stream"], data["to"])
        case "standby":
            return Standby(data["stream"], data["until"])
        case "resume":
            return Resume(data["stream"])
        case "reset-stream":
            return ResetStream(data["stream"])
        case "set-limit":
            return SetLimit(data["stream"], data["alarm"], data["limit"])
        case "set-profile":
            return SetProfile(data["stream"], data["values"])
        case "import-stream":
            return ImportStream(data["stream"], data["export"])
        case verb:
            raise ValueError(f"the journal's command for streams {verb!r} is unknown")
