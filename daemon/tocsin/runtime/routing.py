"""Which source a message belongs to."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tocsin.ingest.message import Message
    from tocsin.runtime.build import Source

_CACHED_TOPICS = 100_000


class Routing:
    """Deals messages out to the sources' desks."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """Know the sources, in the order in which they are tried."""
        self._sources = sources
        self._index_of_topic: dict[str, int] = {}

    def runs(self, messages: Sequence[Message]) -> Iterator[tuple[Source, list[Message]]]:
        """Runs of one source, so that readings of a stream that has several sources stay in the order of arrival."""
        for index, run in groupby(messages, key=self._index):
            yield self._sources[index], list(run)

    def _index(self, message: Message) -> int:
        """Find the first source whose template matches; the first of all, which will refuse it, if none does."""
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
