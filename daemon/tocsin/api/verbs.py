"""Verbs and the bodies of their requests, which are derived from the dataclasses of commands and queries."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from tocsin.alarm.commands import COMMANDS
from tocsin.api import queries, views
from tocsin.engine.lifecycle.commands import STREAM_COMMANDS
from tocsin.ingest.topics import can_name

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Subject(StrEnum):
    """The object of a verb."""

    ALARMS = "alarms"
    STREAMS = "streams"


class RequestError(Exception):
    """A malformed request.

    Attributes:
        code: The reason, for programs.
        transaction: The request's transaction; None if it could not be read.
    """

    def __init__(self, code: str, message: str, transaction: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.transaction = transaction


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb of the API.

    Attributes:
        name: The last level of its topic and of its path.
        subject: Alarms or streams.
        operation: The dataclass of the command or the query.
        body: The struct of a request's JSON object.
        result: The struct of a reply's data.
        changes: Whether it is a command, which has an actor and is recorded.
        summary: One line.
    """

    name: str
    subject: Subject
    operation: type[Any]
    body: type[msgspec.Struct]
    result: type[msgspec.Struct]
    changes: bool
    summary: str


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A parsed request.

    Attributes:
        verb: Its verb.
        operation: The command or the query.
        actor: The person or program that gives a command; None for a query.
        comment: The actor's reason.
        transaction: Its transaction; None if it has none.
    """

    verb: Verb
    operation: Any
    actor: str | None
    comment: str | None
    transaction: str | None


_Actor = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=200, description="The person or program that gives the command; it is recorded."
    ),
]
_Comment = Annotated[str, msgspec.Meta(max_length=4000, description="The reason.")]
_Transaction = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=200,
        description="Id of the request. A command that comes again with the same one is not executed again.",
    ),
]
_ENVELOPE: list[tuple[str, Any, Any]] = [
    ("actor", _Actor, msgspec.NODEFAULT),
    ("comment", _Comment | None, None),
    ("transaction", _Transaction | None, None),
]
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)  # beyond 2262 nanoseconds don't fit into 64 bits
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]  # of an event or an entry, as the store counts them
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_NAMES = {"stream", "to"}
_MAX_NAME_CHARACTERS = 1024
_TIMES = {"until", "since"}  # nanoseconds inside, ISO 8601 with a zone in requests


def read(verb: Verb, body: bytes) -> ApiRequest:
    """Parse a request's JSON body.

    Raises:
        RequestError: It is no JSON object, lacks a field, has an unknown one, or a value is illegal.
    """
    try:
        found: Any = msgspec.json.decode(body or b"{}", type=verb.body)
    except msgspec.MsgspecError as error:
        raise _malformed(verb, error, transaction_of(body)) from error
    except RecursionError as error:
        raise _malformed(verb, error, None) from error
    return _request(verb, found)


def read_text(verb: Verb, values: Mapping[str, Any]) -> ApiRequest:
    """Parse a request with text values, such as a query string's.

    Raises:
        RequestError: As `read`.
    """
    try:
        found: Any = msgspec.convert(values, type=verb.body, strict=False)
    except msgspec.ValidationError as error:
        raise _malformed(verb, error, None) from error
    return _request(verb, found)


def _request(verb: Verb, found: Any) -> ApiRequest:  # noqa: ANN401  (a struct that was made at run time)
    fields = [field.name for field in dataclasses.fields(verb.operation)]
    values = {name: _internal(verb, name, found) for name in fields}
    if verb.changes:
        for name in _NAMES & values.keys():
            _check_name(verb, name, values[name], found.transaction)
    try:
        operation = verb.operation(**values)
    except ValueError as error:
        raise RequestError("illegal-value", f"{verb.name}: {error}", found.transaction) from error
    return ApiRequest(
        verb, operation, getattr(found, "actor", None), getattr(found, "comment", None), found.transaction
    )


def _check_name(verb: Verb, field: str, name: str, transaction: str | None) -> None:
    """Check a stream's name, which becomes part of the topics that its alarms are published on."""
    if len(name) > _MAX_NAME_CHARACTERS or not all(can_name(level) for level in name.split("/")):
        text = f"{verb.name}: {field} {name!r:.300} can't be a stream's name (legal: levels of plain text, joined by /)"
        raise RequestError("illegal-value", text, transaction)


def _internal(verb: Verb, name: str, found: Any) -> Any:  # noqa: ANN401
    value = getattr(found, name)
    if not isinstance(value, datetime):
        return value
    if not _EPOCH <= value < _LATEST:
        text = f"{verb.name}: {name} {value.isoformat()} is out of range (legal: from 1970, before {_LATEST.year})"
        raise RequestError("illegal-value", text, found.transaction)
    span = value - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000_000 + span.microseconds * 1000


def _malformed(verb: Verb, error: Exception, transaction: str | None) -> RequestError:
    problem = (
        str(error).replace("Object contains unknown field", "there is no field").replace("Object missing", "missing")
    )
    legal = ", ".join(field.name for field in msgspec.structs.fields(verb.body))
    return RequestError("malformed", f"{verb.name}: {problem} (fields: {legal})", transaction)


def transaction_of(body: bytes) -> str | None:
    """The transaction of a malformed request, for its reply; None if it has none."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    transaction = found.get("transaction") if isinstance(found, dict) else None
    return transaction if isinstance(transaction, str) else None


def _verb(
    name: str,
    subject: Subject,
    operation: type[Any],
    result: type[msgspec.Struct] = views.EventsView,
    *,
    changes: bool = True,
) -> Verb:
    doc = (operation.__doc__ or "").partition("\n\n")[0]
    summary = re.sub(r"\s+", " ", doc).strip()
    return Verb(name, subject, operation, _body(name, operation, changes=changes), result, changes, summary)


def _body(name: str, operation: type[Any], *, changes: bool) -> type[msgspec.Struct]:
    """The struct of a request: the fields of a command's or a query's dataclass, and those of the envelope."""
    hints = typing.get_type_hints(operation, localns={"Mapping": Mapping}, include_extras=True)
    descriptions = _descriptions(operation.__doc__ or "")
    fields: list[tuple[str, Any, Any]] = []
    for field in dataclasses.fields(operation):
        kind = hints[field.name]
        if field.name in _TIMES:
            kind = _Moment | None
        elif kind == int | None:
            kind = _Number | None
        if field.name in descriptions:
            kind = Annotated[kind, msgspec.Meta(description=descriptions[field.name])]
        if field.default_factory is not dataclasses.MISSING:
            default: Any = msgspec.field(default_factory=field.default_factory)
        else:
            default = msgspec.NODEFAULT if field.default is dataclasses.MISSING else field.default
        fields.append((field.name, kind, default))
    envelope = _ENVELOPE if changes else _ENVELOPE[-1:]
    title = "".join(part.capitalize() for part in name.split("-")) + "Request"
    return msgspec.defstruct(title, [*fields, *envelope], kw_only=True, frozen=True, forbid_unknown_fields=True)


def _descriptions(doc: str) -> dict[str, str]:
    """Parse the `Attributes:` of a docstring.

    >>> _descriptions('''One line.
    ...
    ...     Attributes:
    ...         stream: The stream's
    ...             name.
    ...     ''')
    {'stream': "The stream's name."}
    """
    _, _, attributes = doc.partition("Attributes:\n")
    found = re.findall(r"^ *(\w+): (.*(?:\n(?! *\w+: ).+)*)", attributes, re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text).strip() for name, text in found}


def _table() -> dict[str, Verb]:
    alarms, streams = Subject.ALARMS, Subject.STREAMS
    verbs = [
        *(_verb(name, alarms, operation) for name, operation in COMMANDS.items()),
        _verb("list", alarms, queries.List, views.AlarmsView, changes=False),
        _verb("show", alarms, queries.Show, views.AlarmView, changes=False),
        _verb("history", alarms, queries.History, views.HistoryView, changes=False),
        *(_verb(name, streams, operation) for name, operation in STREAM_COMMANDS.items()),
        _verb("list-streams", streams, queries.ListStreams, views.StreamsView, changes=False),
        _verb("show-stream", streams, queries.ShowStream, views.StreamView, changes=False),
        _verb("stream-history", streams, queries.StreamHistory, views.StreamHistoryView, changes=False),
        _verb("export-stream", streams, queries.ExportStream, views.MemoryView, changes=False),
    ]
    return {verb.name: verb for verb in verbs}


VERBS = _table()
"""Verbs by name, those of alarms first."""
