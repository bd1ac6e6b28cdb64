"""JSON with the channel in the topic: `{"t":1764000000,"value":72}`, an array of such, or a bare number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tocsin.ingest.formats.json_object import REFUSED, JsonPayload
from tocsin.ingest.formats.plain_number import not_mapped
from tocsin.ingest.reject import RejectReason

if TYPE_CHECKING:
    from tocsin.ingest.addressing import TopicAddress
    from tocsin.ingest.message import Message
    from tocsin.ingest.reading_rows import ReadingRows, RejectCounter


class JsonValue:
    """The payload of one source."""

    def __init__(self, value_field: str, time_field: str | None) -> None:
        """Prepare for one value and its time."""
        self._payload = JsonPayload([value_field], time_field, bare=True)

    def read(
        self, message: Message, index: int, place: TopicAddress, rows: ReadingRows, refusals: RejectCounter
    ) -> None:
        """Read one message."""
        if place.stream is None or place.column is None or place.column < 0:
            refusals.add(RejectReason.EMPTY, index, not_mapped(place))
            return
        code = rows.code(place.stream, place.labels)
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
                refusals.add(reason, index, detail)
        for (value,), time in elements:
            if value is not None and math.isnan(value) and time is None:  # the field is absent
                refusals.add(RejectReason.EMPTY, index, f"no {self._payload.names[0]!r}, nor a time")
            else:
                rows.put(index, code, time, place.column, value)
