"""The verbs, and the bodies of their requests: made from the commands' own dataclasses, so that both can't differ."""

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
    """What a verb is about."""

    ALARMS = "alarms"
    STREAMS = "streams"


class RequestError(Exception):
    """A request that can't be understood.

    Attributes:
        code: For programs.
        transaction: The request's, as far as it could be read.
    """

    def __init__(self, code: str, message: str, transaction: str | None = None) -> None:
        """Say what is wrong."""
        super().__init__(message)
        self.code = code
        self.transaction = transaction


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that may be asked.

    Attributes:
        name: The last level of its topic, and of its path.
        subject: What it is about.
        operation: The dataclass of the command or the question.
        body: What a request's JSON object may hold.
        answer: What it is answered with.
        changes: Whether it is a command: somebody gives it, and it is recorded.
        summary: One line.
    """

    name: str
    subject: Subject
    operation: type[Any]
    body: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    changes: bool
    summary: str


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request that has been read.

    Attributes:
        verb: What is asked.
        operation: The command, or the query.
        actor: Who; None for a question.
        comment: Why, in their words.
        transaction: None if the request has none.
    """

    verb: Verb
    operation: Any
    actor: str | None
    comment: str | None
    transaction: str | None


_Actor = Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="Who asks: it is recorded.")]
_Comment = Annotated[str, msgspec.Meta(max_length=4000, description="Why, in their words: it is recorded.")]
_Transaction = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=200,
        description="The asker's own mark. A command that comes again with the same one is not carried out again.",
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
_LONGEST_NAME = 1024
_TIMES = {"until", "since"}  # nanoseconds within; ISO 8601 with a zone at the doors


def read(verb: Verb, body: bytes) -> ApiRequest:
    """Read a request.

    Raises:
        RequestError: It is no JSON object, lacks something, or holds something unknown.
    """
    try:
        found: Any = msgspec.json.decode(body or b"{}", type=verb.body)
    except msgspec.MsgspecError as error:
        raise _misread(verb, error, transaction_of(body)) from error
    except RecursionError as error:
        raise _misread(verb, error, None) from error
    return _request(verb, found)


def read_text(verb: Verb, values: Mapping[str, Any]) -> ApiRequest:
    """Read a request whose values are texts, such as a query string's.

    Raises:
        RequestError: As `read`.
    """
    try:
        found: Any = msgspec.convert(values, type=verb.body, strict=False)
    except msgspec.ValidationError as error:
        raise _misread(verb, error, None) from error
    return _request(verb, found)


def _request(verb: Verb, found: Any) -> ApiRequest:  # noqa: ANN401  (a struct that was made at run time)
    fields = [field.name for field in dataclasses.fields(verb.operation)]
    values = {name: _inward(verb, name, found) for name in fields}
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
    """See that a stream may be called so: its name becomes part of topics, on which alarms have to be published."""
    if len(name) > _LONGEST_NAME or not all(can_name(level) for level in name.split("/")):
        text = f"{verb.name}: {field} {name!r:.300} can't be a stream's name (legal: levels of plain text, joined by /)"
        raise RequestError("illegal-value", text, transaction)


def _inward(verb: Verb, name: str, found: Any) -> Any:  # noqa: ANN401
    value = getattr(found, name)
    if not isinstance(value, datetime):
        return value
    if not _EPOCH <= value < _LATEST:
        text = f"{verb.name}: {name} {value.isoformat()} is no time here (legal: from 1970, before {_LATEST.year})"
        raise RequestError("illegal-value", text, found.transaction)
    span = value - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000_000 + span.microseconds * 1000


def _misread(verb: Verb, error: Exception, transaction: str | None) -> RequestError:
    what = str(error).replace("Object contains unknown field", "there is no field").replace("Object missing", "missing")
    legal = ", ".join(field.name for field in msgspec.structs.fields(verb.body))
    return RequestError("malformed", f"{verb.name}: {what} (fields: {legal})", transaction)


def transaction_of(body: bytes) -> str | None:
    """Read the transaction of a request that is wrong otherwise, so that its asker knows which; None if it has none."""
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
    answer: type[msgspec.Struct] = views.EventsView,
    *,
    changes: bool = True,
) -> Verb:
    doc = (operation.__doc__ or "").partition("\n\n")[0]
    summary = re.sub(r"\s+", " ", doc).strip()
    return Verb(name, subject, operation, _body(name, operation, changes=changes), answer, changes, summary)


def _body(name: str, operation: type[Any], *, changes: bool) -> type[msgspec.Struct]:
    """Make the struct of a request from a command's dataclass: its fields, and who, why and which."""
    hints = typing.get_type_hints(operation, localns={"Mapping": Mapping}, include_extras=True)
    told = _descriptions(operation.__doc__ or "")
    fields: list[tuple[str, Any, Any]] = []
    for field in dataclasses.fields(operation):
        kind = hints[field.name]
        if field.name in _TIMES:
            kind = _Moment | None
        elif kind == int | None:
            kind = _Number | None
        if field.name in told:
            kind = Annotated[kind, msgspec.Meta(description=told[field.name])]
        if field.default_factory is not dataclasses.MISSING:
            default: Any = msgspec.field(default_factory=field.default_factory)
        else:
            default = msgspec.NODEFAULT if field.default is dataclasses.MISSING else field.default
        fields.append((field.name, kind, default))
    envelope = _ENVELOPE if changes else _ENVELOPE[-1:]
    title = "".join(part.capitalize() for part in name.split("-")) + "Request"
    return msgspec.defstruct(title, [*fields, *envelope], kw_only=True, frozen=True, forbid_unknown_fields=True)


def _descriptions(doc: str) -> dict[str, str]:
    """Read a docstring's `Attributes:`.

    >>> _descriptions('''One line.
    ...
    ...     Attributes:
    ...         stream: Whose
    ...             alarm.
    ...     ''')
    {'stream': 'Whose alarm.'}
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
"""By name, those about alarms first."""
