"""What people ask of alarms, as plain values, and how that is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping  # noqa: TC003  (at run time, too: requests are decoded by the annotations)
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec


class Verdict(StrEnum):
    """What staff say of an alarm afterwards."""

    TRUE = "true"  # there was something to do
    FALSE = "false"


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody has seen it.

    Attributes:
        stream: Whose alarm.
        alarm: Its name.
        occurrence: The one that was seen; refused if another one is up. None: the present one.
    """

    verb: ClassVar[str] = "acknowledge"
    stream: str
    alarm: str
    occurrence: int | None = None


@dataclass(frozen=True, slots=True)
class AcknowledgeGroup:
    """Somebody has seen all that people are told of in a group.

    Attributes:
        labels: What its streams have in common; `stream` may stand for a stream's name. At least one.
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
    """Keep it quiet for a time; takes a reason. Shelving it again sets another time.

    Attributes:
        stream: Whose alarm.
        alarm: Its name.
        for_s: For how long, seconds; at most `MAX_SHELVE_S`.
        once: End with the next clear, if that comes first.
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
    """Take it out of service, for maintenance, until it is put back; takes a reason."""

    verb: ClassVar[str] = "remove-from-service"
    stream: str
    alarm: str


@dataclass(frozen=True, slots=True)
class ReturnToService:
    """Put it back into service."""

    verb: ClassVar[str] = "return-to-service"
    stream: str
    alarm: str


@dataclass(frozen=True, slots=True)
class Annotate:
    """Say something about an occurrence: the order's comment.

    Attributes:
        stream: Whose alarm.
        alarm: Its name.
        occurrence: Which; None is the present or the last one.
    """

    verb: ClassVar[str] = "annotate"
    stream: str
    alarm: str
    occurrence: int | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """Say whether an occurrence was true.

    Attributes:
        stream: Whose alarm.
        alarm: Its name.
        verdict: True or false.
        occurrence: Which; None is the present or the last one.
    """

    verb: ClassVar[str] = "mark"
    stream: str
    alarm: str
    verdict: Verdict
    occurrence: int | None = None


@dataclass(frozen=True, slots=True)
class Test:
    """Raise an alarm that is marked as a test, and clear it after ten seconds: through every door out.

    Attributes:
        stream: Under which name.
    """

    __test__: ClassVar[bool] = False  # to pytest: not one of yours
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
"""By verb."""

MAX_SHELVE_S = 86_400.0
"""A shelf is for a shift, not for good: what is to be quiet for longer is taken out of service."""


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
    """Why an order was not carried out, for programs."""

    UNKNOWN_ALARM = "unknown-alarm"
    ILLEGAL = "illegal"  # not in this state
    MISSING_ACTOR = "missing-actor"
    MISSING_REASON = "missing-reason"
    OTHER_OCCURRENCE = "other-occurrence"  # another one is up than the one meant
    OTHER_COMMAND = "other-command"  # the transaction was another command's
    ILLEGAL_VALUE = "illegal-value"


class Refused(Exception):  # noqa: N818  (it is no error of the program: somebody asked for what can't be)
    """An order that changed nothing. Its text names the alarm, its state and what is legal.

    Attributes:
        code: For programs.
    """

    def __init__(self, code: RefusalCode, message: str) -> None:
        """Carry why."""
        super().__init__(message)
        self.code = code
