"""Decoder of batches of messages into batches of readings.

The loop over messages does a dictionary look-up, a parse and two list appends; all else runs once a batch, on columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.readings import Readings
from tocsin.ingest.addressing import Addressing
from tocsin.ingest.formats import registry
from tocsin.ingest.formats.json_object import REFUSED, JsonPayload
from tocsin.ingest.formats.payload_format import SessionReader
from tocsin.ingest.reading_rows import ReadingRows, RejectCounter
from tocsin.ingest.reject import Reject, RejectReason
from tocsin.ingest.source_settings import FieldSettings, SourceSettings
from tocsin.ingest.timestamps import UNREADABLE, RawTime, column_of_times, iso_8601

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.ingest.formats.payload_format import FormatReader
    from tocsin.ingest.message import Message, Publication

__all__ = ["Decoded", "Decoder", "FieldSettings", "SourceSettings"]

# In place of a stream's code.
_UNMATCHED = -1  # no template matches the topic
_NAMED_BY_PAYLOAD = -2  # names inside the payload are needed


@dataclass(frozen=True, slots=True)
class Decoded:
    """Result of decoding a batch of messages.

    Attributes:
        readings: Readings in the order of arrival.
        rejects: Rejected messages, elements and values.
        requests: Messages to publish, such as Sparkplug's requests for rebirths.
        stale: Streams with a publisher that is gone, by its own message or by its will; no reading here is later.
    """

    readings: Readings
    rejects: list[Reject]
    requests: list[Publication] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)


class Decoder:
    """Decoder of one source's messages.

    It caches addresses, and keeps no state of streams; readers of formats with sessions keep those.
    """

    def __init__(self, settings: SourceSettings) -> None:
        """Build the readers of one source.

        Raises:
            ValueError: The format is not known, or a topic template, the stream pattern or the name template is
                wrong.
        """
        self.settings = settings
        payload_format = registry.find(settings.format)
        self._addressing = Addressing(settings, payload_format.naming)
        self.templates = self._addressing.templates
        self._payload = JsonPayload([f.name for f in settings.fields], settings.time_field)
        self._channels = [f.channel for f in settings.fields]
        self._scale = np.array([f.scale for f in settings.fields])  # (V,)
        self._offset = np.array([f.offset for f in settings.fields])  # (V,)
        self._is_scaled = bool((self._scale != 1).any() or (self._offset != 0).any())
        # By content type, where each message chooses its reader. In place of a reader, None: JSON objects.
        self._reader_of: dict[str, FormatReader | None] | None = None
        self._reader: FormatReader | None = None
        if payload_format is registry.AUTO:
            chosen = registry.by_content_type()
            self._reader_of = {kind: chosen[kind].build(settings, self._addressing) for kind in sorted(chosen)}
        else:
            self._reader = payload_format.build(settings, self._addressing)
        self._is_json = self._reader_of is None and self._reader is None

    def matches(self, topic: str) -> bool:
        """Whether one of this source's templates matches a topic."""
        return self._addressing.topic_address(topic) is not None

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of all labels that a stream of this source can have."""
        return self._addressing.label_names

    def stream_of(self, topic: str) -> str | None:
        """Name the stream of a topic; None if no template matches, or names inside payloads are needed."""
        address = self._addressing.topic_address(topic)
        return None if address is None else address.stream

    def could_name(self, stream: str) -> bool:
        """Whether a stream of this source can have this name."""
        return self._addressing.could_name(stream)

    def decode(self, messages: Sequence[Message], now: int) -> Decoded:
        """Decode a batch of messages. It never raises, whatever their bytes are.

        Args:
            messages: Messages in the order of arrival.
            now: Nanoseconds since 1970 UTC; times further ahead of it than the settings allow are rejected.
        """
        counter = RejectCounter()
        rows = self._parse(messages, counter)

        values = np.array(rows.values, dtype=np.float64).reshape(-1, len(self._channels))  # (R, V), null becomes NaN
        t, missing = column_of_times(rows.times, self.settings.time_unit)
        for row in np.flatnonzero(missing).tolist():
            message = messages[rows.message_indices[row]]
            t[row] = UNREADABLE if message.retain else message.received_at

        keep = np.ones(len(t), dtype=bool)
        for row in np.flatnonzero(missing & np.isnan(values).all(axis=1)).tolist():
            width = len(self._channels)
            if (
                None not in rows.values[row * width : (row + 1) * width]
            ):  # null: the sensor is there, and measures nothing
                keep[row] = False
                counter.add(RejectReason.EMPTY, rows.message_indices[row], "none of the source's fields, nor a time")
        for row in np.flatnonzero(keep & ~self._within_bounds(t, now)).tolist():
            keep[row] = False
            detail = self._time_problem(rows.times[row], int(t[row]))
            counter.add(RejectReason.TIME, rows.message_indices[row], detail)
        rejects = [
            Reject.of(reason, messages[index].topic, self.stream_of(messages[index].topic), detail, count)
            for (reason, index), (detail, count) in counter.counts.items()
        ]
        if self._is_scaled:
            with np.errstate(over="ignore"):  # what is infinite then is not plausible either
                values = values * self._scale + self._offset
        requests, stale = self._reader.drain() if isinstance(self._reader, SessionReader) else ([], [])
        return Decoded(self._readings(rows, t, values, keep), rejects, requests, stale)

    def _parse(self, messages: Sequence[Message], rejects: RejectCounter) -> ReadingRows:  # noqa: C901  (a call a message would cost a tenth)
        rows = ReadingRows(len(self._channels))
        flat, times, codes, indices = rows.values, rows.times, rows.stream_codes, rows.message_indices
        parse, values_of, time_of = self._payload.parse, self._payload.values_of, self._payload.time_of
        max_bytes, is_json = self.settings.max_payload_bytes, self._is_json
        code_of_topic: dict[str, int] = {}
        for index, message in enumerate(messages):
            topic = message.topic
            code = code_of_topic.get(topic)
            if code is None:
                code = code_of_topic[topic] = self._code(topic, rows)
            if code == _UNMATCHED:
                rejects.add(RejectReason.TOPIC, index, f"not {' or '.join(self.settings.topics)}")
                continue
            payload = message.payload
            if len(payload) > max_bytes:
                rejects.add(RejectReason.TOO_LARGE, index, f"{len(payload)} bytes, at most {max_bytes}")
                continue
            if not is_json and self._read(message, index, code, rows, rejects):
                continue
            try:
                parsed = parse(payload)
            except REFUSED:
                elements, problems = self._payload.diagnose(payload)
                for reason, detail in problems:
                    rejects.add(reason, index, detail)
                for values, time in elements:
                    rows.add(index, code, time, values)
                continue
            if type(parsed) is list:
                for element in parsed:
                    flat += values_of(element)
                    times.append(time_of(element))
                    codes.append(code)
                    indices.append(index)
            else:
                flat += values_of(parsed)
                times.append(time_of(parsed))
                codes.append(code)
                indices.append(index)
        return rows

    def _code(self, topic: str, rows: ReadingRows) -> int:
        address = self._addressing.topic_address(topic)
        if address is None:
            return _UNMATCHED
        return _NAMED_BY_PAYLOAD if address.stream is None else rows.code(address.stream, address.labels)

    def _read(self, message: Message, index: int, code: int, rows: ReadingRows, rejects: RejectCounter) -> bool:
        """Read a message with a format's reader; False for JSON objects, which are left to the caller."""
        reader = self._reader
        if self._reader_of is not None:
            kind = registry.media_type(message.content_type)
            if kind not in self._reader_of:
                legal = ", ".join(self._reader_of)
                rejects.add(RejectReason.CONTENT_TYPE, index, f"{message.content_type!r:.50} (legal: {legal})")
                return True
            reader = self._reader_of[kind]
        if reader is None:
            if code != _NAMED_BY_PAYLOAD:
                return False
            rejects.add(RejectReason.WRONG_SHAPE, index, "JSON names no stream, nor does this topic")
            return True
        address = self._addressing.topic_address(message.topic)
        if address is not None:
            reader.read(message, index, address, rows, rejects)
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
        stream = np.array(rows.stream_codes, dtype=np.int32)
        if not keep.all():
            stream, t, values = stream[keep], t[keep], values[keep]
        # Streams without a reading are left out: all of their messages were rejected.
        names, labels = rows.stream_names, rows.labels
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
