"""A number as text: `72.5`. The topic says of what."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from tocsin.ingest.reject import RejectReason

if TYPE_CHECKING:
    from tocsin.ingest.addressing import TopicAddress
    from tocsin.ingest.message import Message
    from tocsin.ingest.reading_rows import ReadingRows, RejectCounter

# Narrower than Python's float: no 1_000, no digits of other scripts, no "infinity" spelt out.
_NUMBER = re.compile(rb"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
_NULL = re.compile(rb"\s*null\s*", re.ASCII)
_NOT_FINITE = re.compile(rb"\s*[-+]?(nan|inf(inity)?)\s*", re.ASCII | re.IGNORECASE)
_LONGEST = 400


class Plain:
    """The payload of one source."""

    def read(
        self, message: Message, index: int, place: TopicAddress, rows: ReadingRows, refusals: RejectCounter
    ) -> None:
        """Read one message; its time is that of its arrival."""
        if place.stream is None or place.column is None or place.column < 0:
            refusals.add(RejectReason.EMPTY, index, not_mapped(place))
            return
        payload = message.payload
        value: float | None = None
        if len(payload) <= _LONGEST and _NUMBER.fullmatch(payload):
            value = float(payload)
            if math.isinf(value):
                refusals.add(RejectReason.NOT_FINITE, index, "beyond what a number can be")
                return
        elif _NOT_FINITE.fullmatch(payload):
            refusals.add(RejectReason.NOT_FINITE, index, payload.decode("ascii", "replace"))
            return
        elif not _NULL.fullmatch(payload):
            shown = payload[:60].decode("utf-8", "replace")
            refusals.add(RejectReason.WRONG_TYPE, index, f"expected a number, got {shown!r}")
            return
        rows.put(index, rows.code(place.stream, place.labels), None, place.column, value)


def not_mapped(place: TopicAddress) -> str:
    """Why a topic's single value goes nowhere."""
    name = place.captures.get("channel")
    return "the topic names no channel" if name is None else f"channel {name!r} is none of the source's fields"
