"""Commands on streams, as plain values for `Engine.execute`.

A stream is a place, such as a bed. The next patient in it inherits nothing: admit, discharge and standby reset the
model's state and remove every alarm, even a latched one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Admit:
    """Begin another stay in a stream: another patient, another machine. The stay before ends.

    Attributes:
        stream: Name; may be new.
        labels: Labels in addition to those of its topic.
        profile: Values by static channel, or by an entry of `PROFILE`.
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
    """Move a stream's state, without its alarms, to another name: a patient changes beds.

    Attributes:
        stream: Name until now.
        to: Name from now on.
    """

    verb: ClassVar[str] = "transfer"
    stream: str
    to: str


@dataclass(frozen=True, slots=True)
class Standby:
    """Suspend the evaluation of a stream: the patient is away, the sensors are off.

    Attributes:
        stream: Name.
        until: Time at which it resumes by itself, nanoseconds since 1970; None: at a command.
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
    """Reset the model's state of a stream and remove its alarms; its labels, limits and profile stay."""

    verb: ClassVar[str] = "reset-stream"
    stream: str


@dataclass(frozen=True, slots=True)
class SetLimit:
    """Give one alarm another limit in one stream.

    Attributes:
        stream: Name.
        alarm: Name of an alarm with a limit.
        limit: In the channel's unit; None: as configured.
    """

    verb: ClassVar[str] = "set-limit"
    stream: str
    alarm: str
    limit: float | None


@dataclass(frozen=True, slots=True)
class SetProfile:
    """Set values of a stream's profile, such as an age.

    Attributes:
        stream: Name.
        values: Values by static channel, or by an entry of `PROFILE`; None: unknown again.
    """

    verb: ClassVar[str] = "set-profile"
    stream: str
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class ImportStream:
    """Import a stream that was exported elsewhere.

    Attributes:
        stream: Name here.
        memory: The export, unchanged.
    """

    verb: ClassVar[str] = "import-stream"
    stream: str
    memory: str


StreamCommand = Admit | Discharge | Transfer | Standby | Resume | ResetStream | SetLimit | SetProfile
StreamRequest = StreamCommand | ImportStream
"""Commands that change a stream; `ImportStream` may concern several watches, the others concern one engine."""

STREAM_COMMANDS: dict[str, type[StreamRequest]] = {
    kind.verb: kind
    for kind in (Admit, Discharge, Transfer, Standby, Resume, ResetStream, SetLimit, SetProfile, ImportStream)
}
"""Classes of the commands, by verb."""


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """Entry of the command log: a command that was carried out on a stream.

    Attributes:
        at: Time, nanoseconds since 1970.
        actor: User who sent it.
        comment: The user's reason.
        transaction: Identifier by the client.
        verb: Verb of the command.
        stream: Name of the stream.
        arguments: Other arguments of the request; of an imported stream only the hash.
        digest: Hash of the request.
        watches: Watches in which it was carried out.
        events: Ids of the alarm events that it caused.
        id: Ascending; 0 until it is in the log.
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


class StreamRefused(Exception):  # noqa: N818  (named by the outcome, like `CommandRefused`)
    """A command on a stream was refused; nothing has changed.

    Attributes:
        code: Reason for machines: `unknown-stream`, `unknown-alarm`, `unknown-channel`, `illegal`, `too-many-streams`.
    """

    def __init__(self, stream: str, what: str, code: str) -> None:
        """Create the error.

        Args:
            stream: Name of the stream.
            what: The fault and what is legal.
            code: Reason for machines.
        """
        super().__init__(f"stream {stream!r}: {what}")
        self.code = code
