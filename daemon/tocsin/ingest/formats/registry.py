"""Which reader a format has, and which format a content type says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tocsin.ingest.formats.influx import Influx
from tocsin.ingest.formats.json_value import JsonValue
from tocsin.ingest.formats.plain_number import Plain
from tocsin.ingest.formats.senml import SenML, parse_cbor, parse_json
from tocsin.ingest.formats.sparkplug import Sparkplug
from tocsin.ingest.source_settings import CHANNEL, Format

if TYPE_CHECKING:
    from tocsin.ingest.addressing import Addressing, TopicAddress
    from tocsin.ingest.message import Message
    from tocsin.ingest.reading_rows import ReadingRows, RejectCounter
    from tocsin.ingest.source_settings import SourceSettings

OF_CONTENT_TYPE = {
    "application/json": Format.JSON,
    "application/senml+json": Format.SENML_JSON,
    "application/senml+cbor": Format.SENML_CBOR,
    "text/plain": Format.PLAIN,
}


class Reader(Protocol):
    """Reads the payloads of one source. It never raises, whatever their bytes are."""

    def read(
        self, message: Message, index: int, place: TopicAddress, rows: ReadingRows, refusals: RejectCounter
    ) -> None:
        """Read one message.

        Args:
            message: It.
            index: Its place in the batch.
            place: What its topic says.
            rows: Where its values go.
            refusals: Where what is wrong goes.
        """


def reader_of(kind: Format, settings: SourceSettings, places: Addressing) -> Reader | None:
    """Make the reader of a format; None for JSON objects, which the decoder reads itself, the fast way."""
    match kind:
        case Format.PLAIN:
            return Plain()
        case Format.SENML_JSON:
            return SenML(places, settings.fields, parse_json)
        case Format.SENML_CBOR:
            return SenML(places, settings.fields, parse_cbor)
        case Format.SPARKPLUG:
            return Sparkplug(places)
        case Format.INFLUX:
            return Influx(places, settings.precision)
        case Format.JSON | Format.AUTO:
            by_topic = any(CHANNEL in template.names for template in places.templates)
            return JsonValue(settings.value_field, settings.time_field) if by_topic else None


def format_of(content_type: str | None) -> Format | None:
    """What `auto` reads a message as; None if its content type is another one. Without one it is JSON.

    >>> format_of("application/senml+cbor"), format_of("Text/Plain; charset=utf-8"), format_of(None)
    (<Format.SENML_CBOR: 'senml-cbor'>, <Format.PLAIN: 'plain'>, <Format.JSON: 'json'>)
    >>> format_of("text/csv") is None
    True
    """
    if not content_type:
        return Format.JSON
    return OF_CONTENT_TYPE.get(content_type.partition(";")[0].strip().lower())
