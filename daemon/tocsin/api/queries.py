"""What may be asked without changing anything."""

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
    """List alarms as they are: those that are not normal, or put aside.

    Attributes:
        stream: Names that match; `*` stands for any text.
        labels: What their streams must have.
        alarm: Names that match.
        priority: The present one.
        category: As configured.
        state: What they are in.
        all: Also those that have been up and are normal now.
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
        stream: Whose.
        alarm: Its name.
    """

    stream: str
    alarm: str


@dataclass(frozen=True, slots=True)
class History:
    """Read the alarm log, the newest events first.

    Attributes:
        since: From when on: ISO 8601 with a zone.
        until: Before when.
        stream: Names that match; `*` stands for any text.
        labels: What their streams must have.
        alarm: Names that match.
        priority: When it happened.
        category: As configured.
        transition: What happened.
        occurrence: The id of the event that raised it.
        actor: Who did it.
        verdict: What it was marked as.
        before: Ids below this: to go on where a page ended.
        limit: How many at most.
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
        stream: Names that match; `*` stands for any text.
        labels: What they must have.
    """

    stream: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShowStream:
    """Show one stream: its watches, profile, limits.

    Attributes:
        stream: Its name.
    """

    stream: str


@dataclass(frozen=True, slots=True)
class StreamHistory:
    """Read the log of commands for streams: who asked what and why, the newest first.

    Attributes:
        since: From when on: ISO 8601 with a zone.
        until: Before when.
        stream: Names that match, also where a stream was transferred to; `*` stands for any text.
        actor: Who asked.
        verb: What was asked.
        before: Ids below this: to go on where a page ended.
        limit: How many at most.
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
    """Give a stream's whole memory, to be imported elsewhere.

    Attributes:
        stream: Its name.
    """

    stream: str
