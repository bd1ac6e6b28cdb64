"""Sources: a decoder each with the watches that its readings go to, and the routing of messages to them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tocsin.ingest.decoder import Decoder
    from tocsin.ingest.message import Message
    from tocsin.runtime.watch_runtime import WatchRuntime

_CACHED_TOPICS = 100_000


@dataclass(frozen=True, slots=True)
class Source:
    """A running source.

    Attributes:
        decoder: Decodes its messages.
        runtimes: The watches that its readings go to.
        qos: Quality of service of its subscriptions.
    """

    decoder: Decoder
    runtimes: tuple[WatchRuntime, ...]
    qos: int


class Routing:
    """Assigns messages to sources by their topics, the first source that matches."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._index_of_topic: dict[str, int] = {}

    def runs(self, messages: Sequence[Message]) -> Iterator[tuple[Source, list[Message]]]:
        """Split messages into runs of one source; readings of a stream with several sources keep their order."""
        for index, run in groupby(messages, key=self._index):
            yield self._sources[index], list(run)

    def _index(self, message: Message) -> int:
        """Index of the first source whose template matches; 0 if none does: that source will reject the message."""
        if len(self._sources) == 1:
            return 0
        index = self._index_of_topic.get(message.topic)
        if index is None:
            matching = (i for i, source in enumerate(self._sources) if source.decoder.matches(message.topic))
            index = next(matching, 0)
            if len(self._index_of_topic) >= _CACHED_TOPICS:
                self._index_of_topic.clear()
            self._index_of_topic[message.topic] = index
        return index
