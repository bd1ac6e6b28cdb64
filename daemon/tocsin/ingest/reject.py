"""Rejects of ingest: reasons, and texts that are safe for a log."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.engine.result import ReadingReject

DETAIL_CHARACTERS = 120
TOPIC_CHARACTERS = 200


class RejectReason(StrEnum):
    """Reason why a message, an element or a value is rejected. Each is a label of a metric: keep them few."""

    TOPIC = "topic"  # no source's template matches, or a level can't be part of a stream's name
    TOO_LARGE = "too_large"  # rejected before it is parsed
    NOT_JSON = "not_json"
    UNREADABLE = "unreadable"  # not of the source's format, or truncated
    CONTENT_TYPE = "content_type"  # `format: auto`, and no format has the content type
    WRONG_SHAPE = "wrong_shape"  # well-formed, but no content of the format: JSON that is no object
    WRONG_TYPE = "wrong_type"  # a value that is neither a number nor null; text that looks like a number too
    NOT_FINITE = "not_finite"  # NaN, Infinity, 1e999
    EMPTY = "empty"  # none of the source's fields, nor a time
    UNIT = "unit"  # the payload names a unit that can't be brought into the channel's
    SESSION = "session"  # Sparkplug: data without a birth, or after a gap; a rebirth is requested
    TIME = "time"  # unreadable, missing where it can't be replaced, or out of bounds


@dataclass(frozen=True, slots=True)
class Reject:
    """Rejects of one message for one reason.

    Attributes:
        reason: Reason of the decoder or of the engine.
        topic: Topic of the message, made safe for a log.
        stream: Name of the stream; None if it is not known.
        detail: First value that is wrong, made safe for a log and short.
        count: Number of elements or values; a message of 64 KiB has room for 30,000.
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
        """Create a reject from untrusted texts."""
        return cls(reason, printable(topic, TOPIC_CHARACTERS), stream, printable(detail, DETAIL_CHARACTERS), count)


def printable(text: str, characters: int) -> str:
    r"""Escape and cut untrusted text for one line of a log.

    >>> printable("bed\n1\x1b[31m", 120)
    'bed\\n1\\x1b[31m'
    >>> printable("abcdef", 4)
    'abc…'
    """
    # Cut before escaping: a payload can have 64 KiB.
    cut = text[: characters + 1]
    safe = cut if cut.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)
    return safe if len(safe) <= characters else safe[: characters - 1] + "…"
