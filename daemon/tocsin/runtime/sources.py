"""Sources: a decoder each with the watches that its readings go to, routing of messages, rejects of readings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.frames.assembler import MAX_SAMPLES
from tocsin.engine.result import ReadingReject
from tocsin.ingest.reject import Reject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tocsin.engine import EngineResult, Readings
    from tocsin.engine.model import Model
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


def reading_rejects(readings: Readings, engine_result: EngineResult, model: Model, topic: str) -> list[Reject]:
    """Rejects of a batch's readings by reason and stream, with counts, so that a sensor can be found.

    Args:
        readings: The batch.
        engine_result: The engine's result for the batch.
        model: The model, whose channels say what is plausible.
        topic: Topic template of the source.
    """
    made = []
    for why, indices in engine_result.rejected.items():
        _, first, counts = np.unique(readings.stream[indices], return_index=True, return_counts=True)
        for index, count in zip(indices[first].tolist(), counts.tolist(), strict=True):
            stream = readings.streams[readings.stream[index]]
            made.append(Reject.of(why, topic, stream, _reject_detail(why, readings, index, model), count))
    return made


def _reject_detail(why: ReadingReject, readings: Readings, index: int, model: Model) -> str:
    match why:
        case ReadingReject.LATE:
            return f"t={readings.t[index]} ns: the frame of its tick has closed"
        case ReadingReject.STANDBY:
            return "its stream is on standby"
        case ReadingReject.CROWDED:
            return f"t={readings.t[index]} ns: {MAX_SAMPLES} readings of its tick are there, of which a mean is taken"
        case ReadingReject.TOO_MANY_STREAMS:
            return "a new stream, and max_streams are known already"
        case ReadingReject.IMPLAUSIBLE:
            channels = {channel.name: channel for channel in model.channels}
            return ", ".join(
                f"{name}={value:g} is not in {channels[name].low:g}..{channels[name].high:g} {channels[name].unit}"
                for name, value in zip(readings.channels, readings.values[index].tolist(), strict=True)
                if name in channels and not (np.isnan(value) or channels[name].low <= value <= channels[name].high)
            )
