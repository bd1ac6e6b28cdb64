"""Queries: requests that change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from tocsin.alarm.commands import Verdict
from tocsin.alarm.events import Transition
from tocsin.alarm.status import State
from tocsin.engine.events import Category, Priority

MAX_PAGE = 10_000
_Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)]


@dataclass(frozen=True, slots=True)
class List:
    """List alarms that are not normal, shelved or out of service.

    Attributes:
        stream: Pattern of the stream's name; `*` matches any text.
        labels: Labels that the stream must have.
        alarm: Pattern of the alarm's name.
        priority: Present priority.
        category: Category of the alarm.
        state: Present state.
        all: Whether alarms that were raised and are normal now are listed too.
    """

    stream: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    alarm: str | None = None
    priority: Priority | None = None
    category: Category | None = None
    state: State | None = None
    all: bool = False


@dataclass(frozen=True, slots=True)
class Show:
    """Show one alarm.

    Attributes:
        stream: The stream's name.
        alarm: The alarm's name.
    """

    stream: str
    alarm: str


@dataclass(frozen=True, slots=True)
class History:
    """Read the alarm log, the newest events first.

    Attributes:
        since: Least time, ISO 8601 with a zone.
        until: Events before this time, ISO 8601 with a zone.
        stream: Pattern of the stream's name; `*` matches any text.
        labels: Labels that the stream must have.
        alarm: Pattern of the alarm's name.
        priority: Priority after the event.
        category: Category of the alarm.
        transition: The transition.
        occurrence: The id of the event that raised the occurrence.
        actor: The person or program that gave the command.
        verdict: The verdict of a mark.
        before: Ids below this, to continue where a page ended.
        limit: Greatest number of events.
    """

    since: int | None = None
    until: int | None = None
    stream: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    alarm: str | None = None
    priority: Priority | None = None
    category: Category | None = None
    transition: Transition | None = None
    occurrence: int | None = None
    actor: str | None = None
    verdict: Verdict | None = None
    before: int | None = None
    limit: _Limit = 100


@dataclass(frozen=True, slots=True)
class ListStreams:
    """List streams.

    Attributes:
        stream: Pattern of the stream's name; `*` matches any text.
        labels: Labels that the stream must have.
    """

    stream: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShowStream:
    """Show one stream: its watches, profile, limits.

    Attributes:
        stream: The stream's name.
    """

    stream: str


@dataclass(frozen=True, slots=True)
class StreamHistory:
    """Read the log of commands for streams, the newest first.

    Attributes:
        since: Least time, ISO 8601 with a zone.
        until: Commands before this time, ISO 8601 with a zone.
        stream: Pattern of the stream's name, or of a transfer's new name; `*` matches any text.
        actor: The person or program that gave the command.
        verb: The command's verb.
        before: Ids below this, to continue where a page ended.
        limit: Greatest number of commands.
    """

    since: int | None = None
    until: int | None = None
    stream: str | None = None
    actor: str | None = None
    verb: str | None = None
    before: int | None = None
    limit: _Limit = 100


@dataclass(frozen=True, slots=True)
class ExportStream:
    """Export a stream's whole state, to be imported elsewhere.

    Attributes:
        stream: The stream's name.
    """

    stream: str
