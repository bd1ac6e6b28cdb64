"""What was refused, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.engine.result import ReadingReject

DETAIL_CHARACTERS = 120
TOPIC_CHARACTERS = 200


class RejectReason(StrEnum):
    """Why a message, an element of one, or a value was refused. They are labels of a metric: keep them few."""

    TOPIC = "topic"  # no source's template matches, or a level can't be part of a stream's name
    TOO_LARGE = "too_large"  # refused before it was parsed
    NOT_JSON = "not_json"
    UNREADABLE = "unreadable"  # of another format than the source's: cut short, or not written in it at all
    CONTENT_TYPE = "content_type"  # `format: auto`, and the message says that it is something else
    WRONG_SHAPE = "wrong_shape"  # well-formed, but not what the format is made of: JSON that is no object
    WRONG_TYPE = "wrong_type"  # a value that is neither a number nor null; text that looks like a number too
    NOT_FINITE = "not_finite"  # NaN, Infinity, 1e999
    EMPTY = "empty"  # none of the source's fields, nor a time
    UNIT = "unit"  # the payload names a unit that can't be brought into the channel's
    SESSION = "session"  # Sparkplug: data without a birth, or after a gap; a rebirth is asked for
    TIME = "time"  # unreadable, missing where it can't be replaced, or out of bounds


@dataclass(frozen=True, slots=True)
class Reject:
    """What was refused of one message, for one reason.

    Attributes:
        reason: Why: the codec's reason, or the engine's.
        topic: Where it came from, made safe for a log.
        stream: Whose it would have been; None if not even that is known.
        detail: The first value that was wrong, made safe for a log and short.
        count: How many elements or values: a message of 64 KiB has room for 30,000 that are wrong.
    """

    reason: RejectReason | ReadingReject
    topic: str
    stream: str | None
    detail: str
    count: int = 1

    @classmethod
    def of(
        cls, reason: RejectReason | ReadingReject, topic: str, stream: str | None, detail: str, count: int = 1
    ) -> Reject:
        """Make one from text that came from outside."""
        return cls(reason, printable(topic, TOPIC_CHARACTERS), stream, printable(detail, DETAIL_CHARACTERS), count)


def printable(text: str, characters: int) -> str:
    r"""Make text from outside safe for one line of a log.

    >>> printable("bed\n1\x1b[31m", 120)
    'bed\\n1\\x1b[31m'
    >>> printable("abcdef", 4)
    'abc…'
    """
    # Cut first: escaping a payload of 64 KiB to keep 120 characters would be work for nothing.
    cut = text[: characters + 1]
    safe = cut if cut.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)
    return safe if len(safe) <= characters else safe[: characters - 1] + "…"
