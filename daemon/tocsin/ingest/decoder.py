"""Batches of messages to batches of readings.

The loop that runs once a message does a dictionary look-up, a parse and two list appends; all else is done once
a batch, on columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.readings import Readings
from tocsin.ingest.addressing import Addressing
from tocsin.ingest.formats.json_object import REFUSED, JsonPayload
from tocsin.ingest.formats.registry import OF_CONTENT_TYPE, format_of, reader_of
from tocsin.ingest.formats.sparkplug import Request, Sparkplug
from tocsin.ingest.reading_rows import ReadingRows, RejectCounter
from tocsin.ingest.reject import Reject, RejectReason
from tocsin.ingest.source_settings import FieldSettings, Format, SourceSettings
from tocsin.ingest.timestamps import UNREADABLE, RawTime, column_of_times, iso_8601

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.ingest.formats.registry import Reader
    from tocsin.ingest.message import Message

__all__ = ["Decoded", "Decoder", "FieldSettings", "SourceSettings"]

_NO_PLACE = -1  # instead of a stream's code: the topic matches nothing
_LATER = -2  # likewise: the payload's names have to be known first


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of a batch of messages.

    Attributes:
        readings: What was right, in the order of arrival.
        rejects: What was not.
        requests: To be published; Sparkplug asks for rebirths.
        stale: Streams whose sender says, or whose broker says of it, that it is gone; no reading here is later.
    """

    readings: Readings
    rejects: list[Reject]
    requests: list[Request] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)


class Decoder:
    """One source's messages to readings.

    It remembers the names of topics, and nothing about any stream; only Sparkplug has sessions.
    """

    def __init__(self, settings: SourceSettings) -> None:
        """Prepare for one source.

        Raises:
            ValueError: If a topic template, the stream pattern or the name template is wrong.
        """
        self.settings = settings
        self._places = Addressing(settings)
        self.templates = self._places.templates
        self._payload = JsonPayload([f.name for f in settings.fields], settings.time_field)
        self._channels = [f.channel for f in settings.fields]
        self._scale = np.array([f.scale for f in settings.fields])  # (V,)
        self._offset = np.array([f.offset for f in settings.fields])  # (V,)
        self._is_scaled = bool((self._scale != 1).any() or (self._offset != 0).any())
        kinds = set(OF_CONTENT_TYPE.values()) if settings.format is Format.AUTO else {settings.format}
        self._readers = {kind: reader_of(kind, settings, self._places) for kind in kinds}
        # None if everything is JSON objects: then the loop looks no further.
        self._reader_for = None if self._readers == {Format.JSON: None} else self._find_reader

    def matches(self, topic: str) -> bool:
        """Whether one of this source's templates matches a topic."""
        return self._places.place(topic) is not None

    @property
    def label_names(self) -> tuple[str, ...]:
        """Every label that a stream may have."""
        return self._places.label_names

    def stream_of(self, topic: str) -> str | None:
        """Whose a topic's messages are; None if no template matches, or the topic alone doesn't say."""
        place = self._places.place(topic)
        return None if place is None else place.stream

    def could_name(self, stream: str) -> bool:
        """Whether a stream of this source may be called so."""
        return self._places.could_name(stream)

    def _find_reader(self, message: Message) -> tuple[Reader | None, bool]:
        """The reader for a message, None for JSON objects; and whether there is one."""
        if self.settings.format is not Format.AUTO:
            return self._readers[self.settings.format], True
        kind = format_of(message.content_type)
        return (None, False) if kind is None else (self._readers[kind], True)

    def decode(self, messages: Sequence[Message], now: int) -> Decoded:
        """Read a batch of messages. It never raises, whatever their bytes are.

        Args:
            messages: In the order of arrival.
            now: Nanoseconds since 1970 UTC; times further ahead of it than the settings allow are refused.
        """
        refusals = RejectCounter()
        rows = self._parse(messages, refusals)

        values = np.array(rows.flat, dtype=np.float64).reshape(-1, len(self._channels))  # (R, V), null becomes NaN
        t, missing = column_of_times(rows.times, self.settings.time_unit)
        for row in np.flatnonzero(missing).tolist():
            message = messages[rows.message[row]]
            t[row] = UNREADABLE if message.retain else message.received_at

        keep = np.ones(len(t), dtype=bool)
        for row in np.flatnonzero(missing & np.isnan(values).all(axis=1)).tolist():
            width = len(self._channels)
            if None not in rows.flat[row * width : (row + 1) * width]:  # a null says: here, and not measured
                keep[row] = False
                refusals.add(RejectReason.EMPTY, rows.message[row], "none of the source's fields, nor a time")
        for row in np.flatnonzero(keep & ~self._within_bounds(t, now)).tolist():
            keep[row] = False
            detail = self._time_problem(rows.times[row], int(t[row]))
            refusals.add(RejectReason.TIME, rows.message[row], detail)
        rejects = [
            Reject.of(reason, messages[index].topic, self.stream_of(messages[index].topic), detail, count)
            for (reason, index), (detail, count) in refusals.of_message.items()
        ]
        if self._is_scaled:
            with np.errstate(over="ignore"):  # what is infinite then is not plausible either
                values = values * self._scale + self._offset
        requests, stale = self._told()
        return Decoded(self._readings(rows, t, values, keep), rejects, requests, stale)

    def _told(self) -> tuple[list[Request], list[str]]:
        sparkplug = self._readers.get(Format.SPARKPLUG)
        return sparkplug.sessions.drain() if isinstance(sparkplug, Sparkplug) else ([], [])

    def _parse(self, messages: Sequence[Message], refusals: RejectCounter) -> ReadingRows:  # noqa: C901  (a call a message would cost a tenth)
        rows = ReadingRows(len(self._channels))
        flat, times, stream, source = rows.flat, rows.times, rows.stream, rows.message
        parse, values_of, time_of = self._payload.parse, self._payload.values_of, self._payload.time_of
        max_bytes, reader_for = self.settings.max_payload_bytes, self._reader_for
        code_of_topic: dict[str, int] = {}
        for index, message in enumerate(messages):
            topic = message.topic
            code = code_of_topic.get(topic)
            if code is None:
                code = code_of_topic[topic] = self._code(topic, rows)
            if code == _NO_PLACE:
                refusals.add(RejectReason.TOPIC, index, f"not {' or '.join(self.settings.topics)}")
                continue
            payload = message.payload
            if len(payload) > max_bytes:
                refusals.add(RejectReason.TOO_LARGE, index, f"{len(payload)} bytes, at most {max_bytes}")
                continue
            if reader_for is not None and self._read(message, index, code, rows, refusals):
                continue
            try:
                parsed = parse(payload)
            except REFUSED:
                elements, problems = self._payload.diagnose(payload)
                for reason, detail in problems:
                    refusals.add(reason, index, detail)
                for values, time in elements:
                    rows.add(index, code, time, values)
                continue
            if type(parsed) is list:
                for element in parsed:
                    flat += values_of(element)
                    times.append(time_of(element))
                    stream.append(code)
                    source.append(index)
            else:
                flat += values_of(parsed)
                times.append(time_of(parsed))
                stream.append(code)
                source.append(index)
        return rows

    def _code(self, topic: str, rows: ReadingRows) -> int:
        place = self._places.place(topic)
        if place is None:
            return _NO_PLACE
        return _LATER if place.stream is None else rows.code(place.stream, place.labels)

    def _read(self, message: Message, index: int, code: int, rows: ReadingRows, refusals: RejectCounter) -> bool:
        """Read a message that is no JSON object; False if it is one."""
        reader, is_known = self._find_reader(message)
        if not is_known:
            legal = ", ".join(OF_CONTENT_TYPE)
            refusals.add(RejectReason.CONTENT_TYPE, index, f"{message.content_type!r:.50} (legal: {legal})")
            return True
        if reader is None:
            if code != _LATER:
                return False
            refusals.add(RejectReason.WRONG_SHAPE, index, "JSON names no stream, nor does this topic")
            return True
        place = self._places.place(message.topic)
        if place is not None:
            reader.read(message, index, place, rows, refusals)
        return True

    def _within_bounds(self, t: NDArray[np.int64], now: int) -> NDArray[np.bool_]:
        within = t >= max(self.settings.earliest_ns, UNREADABLE + 1)
        if self.settings.max_skew_ns is not None:
            within &= t <= now + self.settings.max_skew_ns
        return within

    def _time_problem(self, raw: RawTime, t: int) -> str:
        if raw is None and t == UNREADABLE:
            return "a retained message without a time: its arrival says nothing about its age"
        if t == UNREADABLE:
            return f"{raw!r:.60}: write seconds, milliseconds, or ISO 8601 with a zone"
        if t < self.settings.earliest_ns:
            return f"{raw!r:.40} is {iso_8601(t)}, before {iso_8601(self.settings.earliest_ns)}: was the clock set?"
        return f"{raw!r:.40} is {iso_8601(t)}, ahead of now"

    def _readings(
        self, rows: ReadingRows, t: NDArray[np.int64], values: NDArray[np.float64], keep: NDArray[np.bool_]
    ) -> Readings:
        stream = np.array(rows.stream, dtype=np.int32)
        if not keep.all():
            stream, t, values = stream[keep], t[keep], values[keep]
        # Every distinct stream of the batch, and no other: one whose every message was refused sent no reading.
        names, labels = rows.names, rows.labels
        used = np.bincount(stream, minlength=len(names)) > 0
        if not used.all():
            stream = (np.cumsum(used) - 1).astype(np.int32)[stream]
            at = np.flatnonzero(used).tolist()
            names, labels = [names[code] for code in at], [labels[code] for code in at]
        return Readings(
            streams=names,
            channels=self._channels,
            stream=stream,
            t=t,
            values=values,
            labels=labels,
        )
