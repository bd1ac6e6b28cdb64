"""What one source says about its messages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tocsin.ingest.timestamps import TimeUnit

YEAR_2000_NS = 946_684_800 * 1_000_000_000
CHANNEL = "channel"  # the capture that names a channel instead of a stream


class Format(StrEnum):
    """How a payload is written."""

    JSON = "json"  # an object or an array of objects; with the channel in the topic, an object of one value
    PLAIN = "plain"  # a number as text
    SENML_JSON = "senml-json"
    SENML_CBOR = "senml-cbor"
    SPARKPLUG = "sparkplug"  # Sparkplug B
    INFLUX = "influx"  # line protocol
    AUTO = "auto"  # what the message's content type says


NAMED = frozenset({Format.SENML_JSON, Format.SENML_CBOR, Format.SPARKPLUG, Format.INFLUX, Format.AUTO})
"""Formats whose payloads may name channels, and streams too."""


@dataclass(frozen=True, slots=True)
class FieldSettings:
    """Where a channel's values stand, and what brings them into its unit: value × scale + offset.

    Attributes:
        channel: The channel's name.
        name: What the payload, or the topic's `{channel}`, calls it.
        scale: As above.
        offset: As above.
        unit: The channel's unit by its UCUM code, where a payload that names its own units is to be brought into it;
            None if what it names is to be ignored.
    """

    channel: str
    name: str
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """How one source's messages are read.

    Attributes:
        topic: One or more topic templates, such as `vitals/{ward}/{bed}`; the first that matches is taken.
        stream: A stream pattern over the captures, such as `{ward}/{bed}`; None for all captures of the topic that
            matched, joined by `/`.
        fields: The channels.
        format: How payloads are written.
        name: For payloads that name things: a template over those names, such as `{bed}/{channel}`.
        value_field: JSON with the channel in the topic: the field with the value.
        time_field: JSON: the field with the time; None if it has none, so that arrival is taken for it.
        time_unit: JSON: what a number in it counts. Text is ISO 8601 with a zone whatever this says.
        precision: Influx: what its times count.
        labels: Which captures become labels; None for all.
        max_payload_bytes: A larger payload is refused before it is parsed.
        earliest_ns: A time before this is refused: a clock that starts in 1970 was never set.
        max_skew_ns: A time further than this ahead of `now` is refused; None for recordings, where `now` means
            nothing.
    """

    topic: str | tuple[str, ...]
    stream: str | None
    fields: tuple[FieldSettings, ...]
    format: Format = Format.JSON
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
        """Refuse what can't be meant.

        Raises:
            ValueError: It names the source's topic and what is wrong.
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
        """The topic templates, however many."""
        return (self.topic,) if isinstance(self.topic, str) else self.topic
