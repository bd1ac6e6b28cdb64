"""Commands for alarms, the envelope of every command, and refusals."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping  # noqa: TC003  (at run time, too: requests are decoded by the annotations)
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec


class Verdict(StrEnum):
    """Verdict of staff on an occurrence."""

    TRUE = "true"  # it required action
    FALSE = "false"


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Acknowledge an alarm.

    Attributes:
        stream: The stream's name.
        alarm: The alarm's name.
        occurrence: The occurrence that was seen; refused if it is not the present one. None: the present one.
    """

    verb: ClassVar[str] = "acknowledge"
    stream: str
    alarm: str
    occurrence: int | None = None


@dataclass(frozen=True, slots=True)
class AcknowledgeGroup:
    """Acknowledge all visible alarms of a group of streams.

    Attributes:
        labels: Labels of the streams; `stream` stands for a stream's name. At least one.
    """

    verb: ClassVar[str] = "acknowledge-group"
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reset:
    """End a latched alarm that has been acknowledged."""

    verb: ClassVar[str] = "reset"
    stream: str
    alarm: str


@dataclass(frozen=True, slots=True)
class Shelve:
    """Shelve an alarm for a time; takes a reason. Shelving it again sets another time.

    Attributes:
        stream: The stream's name.
        alarm: The alarm's name.
        for_s: Duration, seconds; at most `MAX_SHELVE_S`.
        once: Whether the shelving also ends with the next clear.
    """

    verb: ClassVar[str] = "shelve"
    stream: str
    alarm: str
    for_s: float
    once: bool = False


@dataclass(frozen=True, slots=True)
class Unshelve:
    """End a shelving before its time."""

    verb: ClassVar[str] = "unshelve"
    stream: str
    alarm: str


@dataclass(frozen=True, slots=True)
class RemoveFromService:
    """Remove an alarm from service, for maintenance, until it is returned; takes a reason."""

    verb: ClassVar[str] = "remove-from-service"
    stream: str
    alarm: str


@dataclass(frozen=True, slots=True)
class ReturnToService:
    """Return an alarm to service."""

    verb: ClassVar[str] = "return-to-service"
    stream: str
    alarm: str


@dataclass(frozen=True, slots=True)
class Annotate:
    """Annotate an occurrence with the command's comment.

    Attributes:
        stream: The stream's name.
        alarm: The alarm's name.
        occurrence: The occurrence; None: the present or the last one.
    """

    verb: ClassVar[str] = "annotate"
    stream: str
    alarm: str
    occurrence: int | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """Mark an occurrence as a true or a false alarm.

    Attributes:
        stream: The stream's name.
        alarm: The alarm's name.
        verdict: True or false.
        occurrence: The occurrence; None: the present or the last one.
    """

    verb: ClassVar[str] = "mark"
    stream: str
    alarm: str
    verdict: Verdict
    occurrence: int | None = None


@dataclass(frozen=True, slots=True)
class Test:
    """Raise an alarm that is marked as a test, and clear it after ten seconds: a test of every receiver.

    Attributes:
        stream: The stream's name.
    """

    __test__: ClassVar[bool] = False  # pytest collects classes of this name
    verb: ClassVar[str] = "test"
    stream: str = "tocsin/test"


Targeted = Acknowledge | Reset | Shelve | Unshelve | RemoveFromService | ReturnToService | Annotate | Mark
Command = Targeted | AcknowledgeGroup | Test

COMMANDS: dict[str, type[Command]] = {
    kind.verb: kind
    for kind in (
        Acknowledge,
        AcknowledgeGroup,
        Reset,
        Shelve,
        Unshelve,
        RemoveFromService,
        ReturnToService,
        Annotate,
        Mark,
        Test,
    )
}
"""Commands for alarms by verb."""

MAX_SHELVE_S = 86_400.0
"""A shelving lasts for a shift; an alarm that is to be suppressed for longer is removed from service."""


class Named(Protocol):
    """A command of any kind.

    Attributes:
        verb: Its name in requests and logs.
    """

    verb: ClassVar[str]


_C_co = TypeVar("_C_co", bound=Named, covariant=True)


@dataclass(frozen=True, slots=True)
class CommandEnvelope(Generic[_C_co]):
    """A command for an alarm or a stream, with all that is recorded of it.

    Attributes:
        command: The command.
        actor: The person or program that gives it.
        comment: The actor's reason.
        transaction: A command that comes again with the same one changes nothing, and is answered with the same events.
    """

    command: _C_co
    actor: str
    comment: str | None = None
    transaction: str | None = None

    @property
    def verb(self) -> str:
        """The command's name."""
        return self.command.verb

    @property
    def arguments(self) -> dict[str, Any]:
        """The command's values but for the stream; a stream's memory, which is long, by its hash."""
        arguments: dict[str, Any] = msgspec.to_builtins(self.command)
        arguments.pop("stream", None)
        if "memory" in arguments:
            arguments["memory"] = "sha256:" + hashlib.sha256(arguments["memory"].encode()).hexdigest()
        return arguments

    @property
    def digest(self) -> str:
        """SHA-256 of verb, stream and arguments: equal commands have equal digests."""
        parts = [self.verb, getattr(self.command, "stream", None), self.arguments]
        return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


class RefusalCode(StrEnum):
    """Reason for a refusal, for programs."""

    UNKNOWN_ALARM = "unknown-alarm"
    ILLEGAL = "illegal"  # not in this state
    MISSING_ACTOR = "missing-actor"
    MISSING_REASON = "missing-reason"
    OTHER_OCCURRENCE = "other-occurrence"  # it is not the present one
    OTHER_COMMAND = "other-command"  # the transaction belongs to another command
    ILLEGAL_VALUE = "illegal-value"


class Refused(Exception):  # noqa: N818  (it is a result, not an error of the program)
    """A command that is illegal now, and has changed nothing. The text names the alarm, its state and what is legal.

    Attributes:
        code: The reason, for programs.
    """

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code = code
