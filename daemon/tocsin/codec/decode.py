"""Batches of messages to batches of readings.

The loop that runs once a message does a dictionary look-up, a parse and two list appends; all else is done once
a batch, on columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tocsin.codec.json_payload import REFUSED, JsonPayload
from tocsin.codec.reject import Reject, RejectReason
from tocsin.codec.times import UNREADABLE, RawTime, TimeUnit, column_of_times, iso_8601
from tocsin.codec.topics import StreamPattern, TopicTemplate
from tocsin.engine.readings import Readings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.codec.message import Message

YEAR_2000_NS = 946_684_800 * 1_000_000_000

# Topics come from outside: whoever may publish could name a million of them.
_CACHED_TOPICS = 100_000
_NO_STREAM = -1


@dataclass(frozen=True, slots=True)
class FieldSettings:
    """Where in a payload a channel's values stand.

    Attributes:
        channel: The channel's name.
        name: The payload's field.
    """

    channel: str
    name: str


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """How one source's messages are read.

    Attributes:
        topic: A topic template, such as `vitals/{ward}/{bed}`.
        stream: A stream pattern over its names, such as `{ward}/{bed}`.
        fields: The channels.
        time_field: The payload's field with the time; None if it has none, so that arrival is taken for it.
        time_unit: What a number in it counts. Text is ISO 8601 with a zone whatever this says.
        max_payload_bytes: A larger payload is refused before it is parsed.
        earliest_ns: A time before this is refused: a clock that starts in 1970 was never set.
        max_skew_ns: A time further than this ahead of `now` is refused; None for recordings, where `now` means
            nothing.
    """

    topic: str
    stream: str
    fields: tuple[FieldSettings, ...]
    time_field: str | None = "t"
    time_unit: TimeUnit = TimeUnit.AUTO
    max_payload_bytes: int = 65_536
    earliest_ns: int = YEAR_2000_NS
    max_skew_ns: int | None = 60_000_000_000

    def __post_init__(self) -> None:
        """Refuse what can't be meant.

        Raises:
            ValueError: It names the source's topic and what is wrong.
        """
        where = f"source {self.topic!r}"
        if not self.fields:
            raise ValueError(f"{where} maps no fields: name at least one channel")
        for what, names in (
            ("channel", [f.channel for f in self.fields]),
            ("field", [f.name for f in self.fields] + ([self.time_field] if self.time_field is not None else [])),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{where}: {what} {twice[0]!r} is mapped twice")


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of a batch of messages.

    Attributes:
        readings: What was right, in the order of arrival.
        rejects: What was not.
    """

    readings: Readings
    rejects: list[Reject]


@dataclass(slots=True)
class _Rows:
    """The elements of a batch: lists while it is read, columns after."""

    flat: list[float | None] = field(default_factory=list)  # V values a row
    times: list[RawTime] = field(default_factory=list)
    stream: list[int] = field(default_factory=list)
    message: list[int] = field(default_factory=list)  # which message a row came from


@dataclass(slots=True)
class _Refusals:
    """What was refused, by reason and message: the first detail, and how often."""

    of_message: dict[tuple[RejectReason, int], tuple[str, int]] = field(default_factory=dict)

    def add(self, reason: RejectReason, message: int, detail: str) -> None:
        first, count = self.of_message.get((reason, message), (detail, 0))
        self.of_message[reason, message] = (first, count + 1)


class Decoder:
    """One source's messages to readings. It remembers the names of topics, and nothing about any stream."""

    def __init__(self, settings: SourceSettings) -> None:
        """Prepare for one source.

        Raises:
            ValueError: If the topic template or the stream pattern is wrong.
        """
        self.settings = settings
        self.template = TopicTemplate(settings.topic)
        self._pattern = StreamPattern(settings.stream, self.template)
        self._payload = JsonPayload([f.name for f in settings.fields], settings.time_field)
        self._channels = [f.channel for f in settings.fields]
        self._stream_of_topic: dict[str, str | None] = {}

    def stream_of(self, topic: str) -> str | None:
        """Whose a topic's messages are; None if this source's template doesn't match."""
        try:
            return self._stream_of_topic[topic]
        except KeyError:
            if len(self._stream_of_topic) >= _CACHED_TOPICS:
                self._stream_of_topic.clear()
            captures = self.template.match(topic)
            stream = None if captures is None else self._pattern.stream(captures)
            self._stream_of_topic[topic] = stream
            return stream

    def decode(self, messages: Sequence[Message], now: int) -> Decoded:
        """Read a batch of messages. It never raises, whatever their bytes are.

        Args:
            messages: In the order of arrival.
            now: Nanoseconds since 1970 UTC; times further ahead of it than the settings allow are refused.
        """
        refusals = _Refusals()
        codes: dict[str, int] = {}  # stream → its place in the batch's dictionary
        rows = self._parse(messages, codes, refusals)

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
        return Decoded(self._readings(list(codes), rows, t, values, keep), rejects)

    def _parse(self, messages: Sequence[Message], codes: dict[str, int], refusals: _Refusals) -> _Rows:
        rows = _Rows()
        flat, times, stream, source = rows.flat, rows.times, rows.stream, rows.message
        parse, values_of, time_of = self._payload.parse, self._payload.values_of, self._payload.time_of
        max_bytes = self.settings.max_payload_bytes
        code_of_topic: dict[str, int] = {}
        for index, message in enumerate(messages):
            topic = message.topic
            code = code_of_topic.get(topic)
            if code is None:
                name = self.stream_of(topic)
                code = _NO_STREAM if name is None else codes.setdefault(name, len(codes))
                code_of_topic[topic] = code
            if code == _NO_STREAM:
                refusals.add(RejectReason.TOPIC, index, f"not {self.settings.topic}")
                continue
            payload = message.payload
            if len(payload) > max_bytes:
                refusals.add(RejectReason.TOO_LARGE, index, f"{len(payload)} bytes, at most {max_bytes}")
                continue
            try:
                parsed = parse(payload)
            except REFUSED:
                elements, problems = self._payload.diagnose(payload)
                for reason, detail in problems:
                    refusals.add(reason, index, detail)
                for values, time in elements:
                    flat += values
                    times.append(time)
                    stream.append(code)
                    source.append(index)
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
        self,
        streams: list[str],
        rows: _Rows,
        t: NDArray[np.int64],
        values: NDArray[np.float64],
        keep: NDArray[np.bool_],
    ) -> Readings:
        stream = np.array(rows.stream, dtype=np.int32)
        if not keep.all():
            stream, t, values = stream[keep], t[keep], values[keep]
        # Every distinct stream of the batch, and no other: one whose every message was refused sent no reading.
        used = np.bincount(stream, minlength=len(streams)) > 0
        stream = (np.cumsum(used) - 1).astype(np.int32)[stream]
        streams = [name for name, is_used in zip(streams, used, strict=True) if is_used]
        return Readings(
            streams=streams,
            channels=self._channels,
            stream=stream,
            t=t,
            values=values,
        )
