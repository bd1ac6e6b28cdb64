"""Format `json`: objects, which the decoder reads itself, or single values where the topic names the channel.

A single value is `{"t":1764000000,"value":72}`, an array of such objects, or a bare number.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tocsin.ingest.formats.json_object import REFUSED, JsonPayload
from tocsin.ingest.formats.payload_format import PayloadFormat
from tocsin.ingest.formats.plain_number import not_mapped
from tocsin.ingest.reject import RejectReason
from tocsin.ingest.source_settings import CHANNEL

if TYPE_CHECKING:
    from tocsin.ingest.addressing import Addressing, TopicAddress
    from tocsin.ingest.message import Message
    from tocsin.ingest.reading_rows import ReadingRows, RejectCounter
    from tocsin.ingest.source_settings import SourceSettings


class JsonValue:
    """Reader of single values in JSON."""

    def __init__(self, value_field: str, time_field: str | None) -> None:
        """Build the parser of one value and its time, in fields of these names."""
        self._payload = JsonPayload([value_field], time_field, bare=True)

    def read(
        self, message: Message, index: int, address: TopicAddress, rows: ReadingRows, rejects: RejectCounter
    ) -> None:
        """Read one message."""
        if address.stream is None or address.column is None or address.column < 0:
            rejects.add(RejectReason.EMPTY, index, not_mapped(address))
            return
        code = rows.code(address.stream, address.labels)
        payload = self._payload
        try:
            parsed = payload.parse(message.payload)
            elements = [
                ((element,), None)
                if element is None or isinstance(element, float)
                else (payload.values_of(element), payload.time_of(element))
                for element in (parsed if type(parsed) is list else [parsed])
            ]
        except REFUSED:
            elements, problems = payload.diagnose(message.payload)
            for reason, detail in problems:
                rejects.add(reason, index, detail)
        for (value,), time in elements:
            if value is not None and math.isnan(value) and time is None:  # the field is absent
                rejects.add(RejectReason.EMPTY, index, f"no {self._payload.names[0]!r}, nor a time")
            else:
                rows.put(index, code, time, address.column, value)


def _reader(settings: SourceSettings, addressing: Addressing) -> JsonValue | None:
    has_channel = any(CHANNEL in template.names for template in addressing.templates)
    return JsonValue(settings.value_field, settings.time_field) if has_channel else None


FORMATS = (PayloadFormat("json", _reader, keys=frozenset({"time", "value"}), content_types=("application/json",)),)
