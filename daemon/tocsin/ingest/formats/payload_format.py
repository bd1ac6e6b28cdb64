"""Protocol of payload formats: a description, and the reader that it builds for a source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tocsin.ingest.addressing import Naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tocsin.ingest.addressing import Addressing, TopicAddress
    from tocsin.ingest.message import Message, Publication
    from tocsin.ingest.reading_rows import ReadingRows, RejectCounter
    from tocsin.ingest.source_settings import SourceSettings
    from tocsin.ingest.topics import TopicTemplate


PLAIN_NAMING = Naming()


class FormatReader(Protocol):
    """Reads the payloads of one source."""

    def read(
        self, message: Message, index: int, address: TopicAddress, rows: ReadingRows, rejects: RejectCounter
    ) -> None:
        """Read one message into rows and rejects. It never raises, whatever the bytes are.

        Args:
            message: Message, of at most the source's `max_payload_bytes`.
            index: Index of the message in the batch.
            address: Address that its topic gives.
            rows: Rows of the batch: `rows.put(index, rows.code(stream, labels), time, column, value)`.
            rejects: Counter of rejects: `rejects.add(reason, index, detail)`.
        """


@runtime_checkable
class SessionReader(FormatReader, Protocol):
    """Reader of a protocol with sessions: it sends requests to publishers, and learns that they are gone."""

    def drain(self) -> tuple[list[Publication], list[str]]:
        """Take the messages to publish and the streams that became stale since the last call."""


@dataclass(frozen=True, slots=True)
class PayloadFormat:
    """Description of a payload format.

    Attributes:
        name: Name in the configuration, `format: NAME`.
        build: Builds the reader of a source; it raises ValueError for settings that are wrong. None in place of a
            reader: payloads are JSON objects, which the decoder reads itself.
        naming: Names that payloads carry.
        keys: Keys of a source's configuration that the format uses, of those that not every format does: `time`,
            `value`, `name`, `precision`, `primary_host`.
        content_types: MQTT 5 content types, in lower case, by which `format: auto` chooses it.
        is_single_value: Whether a payload is one value without a name, so that the topic has to name its channel.
        topics: Topic templates of a source that has none of its own.
        check_topics: Checks a source's topic templates; it yields an index, or None for all of them, and what is
            wrong.
    """

    name: str
    build: Callable[[SourceSettings, Addressing], FormatReader | None]
    naming: Naming = PLAIN_NAMING
    keys: frozenset[str] = frozenset()
    content_types: tuple[str, ...] = ()
    is_single_value: bool = False
    topics: tuple[str, ...] = ()
    check_topics: Callable[[Sequence[TopicTemplate]], Iterable[tuple[int | None, str]]] | None = None
