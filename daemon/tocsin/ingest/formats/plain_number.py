"""Format `plain`: a number as text, such as `72.5`, or `null`; the topic names its channel."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from tocsin.ingest.formats.payload_format import PayloadFormat
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


class PlainNumber:
    """Reader of plain numbers."""

    def read(
        self, message: Message, index: int, address: TopicAddress, rows: ReadingRows, rejects: RejectCounter
    ) -> None:
        """Read one message. The time of arrival is that of the value."""
        if address.stream is None or address.column is None or address.column < 0:
            rejects.add(RejectReason.EMPTY, index, not_mapped(address))
            return
        payload = message.payload
        value: float | None = None
        if len(payload) <= _LONGEST and _NUMBER.fullmatch(payload):
            value = float(payload)
            if math.isinf(value):
                rejects.add(RejectReason.NOT_FINITE, index, "beyond what a number can be")
                return
        elif _NOT_FINITE.fullmatch(payload):
            rejects.add(RejectReason.NOT_FINITE, index, payload.decode("ascii", "replace"))
            return
        elif not _NULL.fullmatch(payload):
            shown = payload[:60].decode("utf-8", "replace")
            rejects.add(RejectReason.WRONG_TYPE, index, f"expected a number, got {shown!r}")
            return
        rows.put(index, rows.code(address.stream, address.labels), None, address.column, value)


def not_mapped(address: TopicAddress) -> str:
    """Explain why a topic's single value has no column."""
    name = address.captures.get("channel")
    return "the topic names no channel" if name is None else f"channel {name!r} is none of the source's fields"


FORMATS = (
    PayloadFormat(
        "plain", lambda _settings, _addressing: PlainNumber(), content_types=("text/plain",), is_single_value=True
    ),
)
