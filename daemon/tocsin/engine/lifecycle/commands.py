"""What a person can ask of a stream, as plain values. `Engine.execute` does it; the doors build them from JSON.

A stream is a place, such as a bed. Whoever comes into it next inherits nothing: admit, discharge and standby end what
the model remembers and every alarm, also one that is latched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Admit:
    """Begin a stream anew: another patient, another machine. What was there before ends.

    Attributes:
        stream: Its name; it need not exist yet.
        labels: What else is known of it, beside what its topic says.
        profile: By static channel, or by an entry of `streams.PROFILE`.
    """

    verb: ClassVar[str] = "admit"
    stream: str
    labels: Mapping[str, str] = field(default_factory=dict)
    profile: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Discharge:
    """End a stream. A later reading begins a new one."""

    verb: ClassVar[str] = "discharge"
    stream: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Move all that is known of a stream, but for its alarms, to another name: a patient changes beds.

    Attributes:
        stream: Where it was.
        to: Where it goes on.
    """

    verb: ClassVar[str] = "transfer"
    stream: str
    to: str


@dataclass(frozen=True, slots=True)
class Standby:
    """Judge a stream no more for a while: the patient is away, the sensors are off.

    Attributes:
        stream: Its name.
        until: When it resumes by itself, nanoseconds since 1970; None: when somebody says so.
    """

    verb: ClassVar[str] = "standby"
    stream: str
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """End a standby."""

    verb: ClassVar[str] = "resume"
    stream: str


@dataclass(frozen=True, slots=True)
class ResetStream:
    """Forget what the model remembers of a stream and end its alarms; its labels, limits and profile stay."""

    verb: ClassVar[str] = "reset-stream"
    stream: str


@dataclass(frozen=True, slots=True)
class SetLimit:
    """Give one alarm another limit in one stream.

    Attributes:
        stream: Its name.
        alarm: Whose condition has a limit.
        limit: In the channel's unit; None: as configured.
    """

    verb: ClassVar[str] = "set-limit"
    stream: str
    alarm: str
    limit: float | None


@dataclass(frozen=True, slots=True)
class SetProfile:
    """Say what is given once of a stream, such as an age.

    Attributes:
        stream: Its name.
        values: By static channel, or by an entry of `streams.PROFILE`; None: unknown again.
    """

    verb: ClassVar[str] = "set-profile"
    stream: str
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class ImportStream:
    """Take over a stream's memory that was exported elsewhere.

    Attributes:
        stream: Its name here.
        memory: What the export gave, as it was.
    """

    verb: ClassVar[str] = "import-stream"
    stream: str
    memory: str


StreamCommand = Admit | Discharge | Transfer | Standby | Resume | ResetStream | SetLimit | SetProfile
StreamRequest = StreamCommand | ImportStream
"""Every command that changes a stream; `ImportStream` concerns several watches, and is no single engine's."""

STREAM_COMMANDS: dict[str, type[StreamRequest]] = {
    kind.verb: kind
    for kind in (Admit, Discharge, Transfer, Standby, Resume, ResetStream, SetLimit, SetProfile, ImportStream)
}
"""By verb."""


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """Something that somebody had done to a stream, as it is recorded.

    Attributes:
        at: When, nanoseconds since 1970.
        actor: Who asked.
        comment: Why, in their words.
        transaction: The asker's own mark.
        verb: What was asked.
        stream: Of which stream.
        arguments: What else the request said; of a stream's memory its hash alone.
        digest: What tells the request from another one.
        watches: Where it was done.
        events: The ids of what it did to alarms.
        id: Counts up; 0 until it is in the log.
    """

    at: int
    actor: str
    comment: str | None
    transaction: str | None
    verb: str
    stream: str
    arguments: dict[str, Any]
    digest: str
    watches: list[str] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    id: int = 0


class StreamRefused(Exception):  # noqa: N818  (it says what was refused, like `Refusal`)
    """A command that can't be carried out; the stream is as it was.

    Attributes:
        code: Why, for machines: `unknown-stream`, `unknown-alarm`, `unknown-channel`, `illegal`, `too-many-streams`.
    """

    def __init__(self, stream: str, what: str, code: str) -> None:
        """Say of which stream, what, and what is legal."""
        super().__init__(f"stream {stream!r}: {what}")
        self.code = code
