"""Settings of one source: its topics, its payloads' format, and its fields."""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.ingest.timestamps import TimeUnit

YEAR_2000_NS = 946_684_800 * 1_000_000_000
CHANNEL = "channel"  # the capture that names a channel instead of a stream


@dataclass(frozen=True, slots=True)
class FieldSettings:
    """Mapping of a field of the payload to a channel: the channel's value is value × scale + offset.

    Attributes:
        channel: Name of the channel.
        name: Name of the field in the payload, or in the topic's `{channel}`.
        scale: Factor into the channel's unit.
        offset: Offset in the channel's unit.
        unit: UCUM code of the channel's unit, into which values with a unit of their own are converted; None:
            units in payloads are ignored.
    """

    channel: str
    name: str
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Settings of the decoder of one source.

    Attributes:
        topic: One or more topic templates, such as `vitals/{ward}/{bed}`; the first that matches is taken.
        stream: Stream pattern over the captures, such as `{ward}/{bed}`; None: all captures of the topic that
            matches, joined by `/`.
        fields: Fields of the payload, in the order of the readings' columns.
        format: Name of the payload format, built in or of a plug-in.
        name: Template over the names inside payloads, such as `{bed}/{channel}`; None: `{channel}`.
        value_field: JSON with the channel in the topic: name of the field with the value.
        time_field: Name of the field with the time; None: the time of arrival is taken.
        time_unit: Unit of numbers in the time field. Text is ISO 8601 with a zone in any case.
        precision: Unit of times in Influx line protocol.
        labels: Captures that become labels; None: all.
        max_payload_bytes: Larger payloads are rejected before they are parsed.
        earliest_ns: Earlier times are rejected, nanoseconds since 1970: a clock that starts in 1970 was never set.
        max_skew_ns: Times further ahead of `now` are rejected; None: none are, for recordings.
    """

    topic: str | tuple[str, ...]
    stream: str | None
    fields: tuple[FieldSettings, ...]
    format: str = "json"
    name: str | None = None
    value_field: str = "value"
    time_field: str | None = "t"
    time_unit: TimeUnit = TimeUnit.AUTO
    precision: TimeUnit = TimeUnit.NANOSECONDS
    labels: tuple[str, ...] | None = None
    max_payload_bytes: int = 65_536
    earliest_ns: int = YEAR_2000_NS
    max_skew_ns: int | None = 60_000_000_000

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ValueError: No field is mapped, or one is mapped twice. The text names the source's topic.
        """
        where = f"source {', '.join(self.topics)!r}"
        if not self.fields:
            raise ValueError(f"{where} maps no fields: name at least one channel")
        for what, names in (
            ("channel", [f.channel for f in self.fields]),
            ("field", [f.name for f in self.fields] + ([self.time_field] if self.time_field is not None else [])),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                both = ", to a channel and to the time" if what == "field" and twice[0] == self.time_field else ""
                raise ValueError(f"{where}: {what} {twice[0]!r} is mapped twice{both}")

    @property
    def topics(self) -> tuple[str, ...]:
        """Topic templates as a tuple."""
        return (self.topic,) if isinstance(self.topic, str) else self.topic
