"""Sources in the configuration: their schema, and the settings of their decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from tocsin.config.types import Name, Section, listed
from tocsin.engine.model import ChannelKind
from tocsin.ingest.formats import registry
from tocsin.ingest.source_settings import FieldSettings, SourceSettings
from tocsin.ingest.timestamps import TimeUnit
from tocsin.ingest.units import conversion, convertible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tocsin.engine.model import Model


def _named(value: object) -> object:
    return {"field": value} if isinstance(value, str) else value


class ChannelField(Section):
    """Field of a channel in payloads, and its unit."""

    field: str | None = Field(
        default=None, description="Name in the payload, or of {channel} in the topic; the channel's if left out."
    )
    unit: str | None = Field(
        default=None, description="UCUM code of the values' unit, such as '[degF]'; the channel's if left out."
    )
    scale: float | None = Field(default=None, description="In place of a unit: the channel is value × scale + offset.")
    offset: float | None = Field(default=None, description="In place of a unit: see scale.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.unit is not None and (self.scale is not None or self.offset is not None):
            raise ValueError("unit and scale or offset exclude each other: keep one way")
        if self.scale == 0:
            raise ValueError("scale 0 makes every value the same")
        return self


Names = Annotated[list[Name], Field(min_length=1), BeforeValidator(listed, json_schema_input_type=Name | list[Name])]
Topics = Annotated[list[str], Field(min_length=1), BeforeValidator(listed, json_schema_input_type=str | list[str])]
Mapped = Annotated[ChannelField, BeforeValidator(_named, json_schema_input_type=str | ChannelField)]

# Keys that not every format uses.
_KEYS_OF_FORMATS = ("time", "value", "name", "precision", "primary_host")


def _found(name: str) -> str:
    """Check that a format is built in or installed, and can be used.

    Raises:
        ValueError: The text lists the legal names, or names the fault of the plug-in.
    """
    registry.find(name)
    return name


# The schema for editors lists the built-in formats, whatever is installed where it is written.
FormatName = Annotated[
    str,
    AfterValidator(_found),
    WithJsonSchema({"anyOf": [{"enum": sorted(registry.built_in())}, {"type": "string"}]}),
]


class SourceEntry(Section):
    """Source of readings: topics whose payloads have one format."""

    topic: Topics | None = Field(
        default=None,
        description="Topic template with captures, such as vitals/{ward}/{bed}; or a list, of which the first that "
        "matches is taken. {channel} names a channel. With format: sparkplug, Sparkplug's topics if left out.",
    )
    stream: str | None = Field(
        default=None,
        description="Name of a stream by the captures; all of them but {channel}, joined by /, if left out.",
    )
    watch: Names | None = Field(
        default=None, description="Watch or watches that get the readings; required where there are several."
    )
    qos: Literal[0, 1] = 1
    format: FormatName = Field(
        default="json",
        description="A built-in format, or that of an installed plug-in. auto: by each message's content type (MQTT "
        "5), JSON for a message without one.",
    )
    time: str | None = Field(
        default="t",
        description="JSON: field with the time of a reading: seconds, milli-, micro- or nanoseconds since 1970, or ISO "
        "8601. null: the time of arrival.",
    )
    value: str = Field(default="value", description="JSON with {channel} in the topic: field with the value.")
    name: str | None = Field(
        default=None,
        description="Template of the names inside SenML, Sparkplug and Influx payloads, such as {bed}/{channel}; the "
        "whole name is the channel's if left out.",
    )
    precision: Literal["ns", "us", "ms", "s"] = Field(default="ns", description="Influx: unit of times.")
    primary_host: Name | None = Field(
        default=None, description="Sparkplug: name of the primary host that the daemon is, with a STATE of its own."
    )
    labels: list[str] | None = Field(
        default=None, description="Captures that become labels of the stream; all of them if left out."
    )
    channels: dict[Name, Mapped] | None = Field(
        default=None,
        description="Field, or field and unit, by channel; the model's channels under their own names if left out.",
    )
    max_payload_bytes: int = Field(
        default=65536, ge=1, le=16_777_216, description="Longer payloads are rejected unread."
    )

    @model_validator(mode="after")
    def _keys_fit_the_format(self) -> Self:
        used = registry.find(self.format)
        for key in _KEYS_OF_FORMATS:
            if key in self.model_fields_set and key not in used.keys:
                formats = [name for name, known in registry.built_in().items() if key in known.keys]
                raise ValueError(f"format {self.format} has no use for {key} (it belongs to {', '.join(formats)})")
        if self.topic is None and not used.topics:
            raise ValueError("topic is missing")
        return self


class UnitError(ValueError):
    """A unit doesn't convert into a channel's."""


def topics_of(entry: SourceEntry) -> tuple[str, ...]:
    """Topic templates of a source, in the order in which they are tried."""
    return registry.find(entry.format).topics if entry.topic is None else tuple(entry.topic)


def watches_of(entry: SourceEntry, watches: Sequence[str]) -> list[str]:
    """Watches that get a source's readings: those it names, or the only one."""
    return list(dict.fromkeys(entry.watch or watches[:1]))


def units_of(models: Iterable[Model]) -> dict[str, str]:
    """Units of the channels that messages can carry for any of these models, by channel."""
    return {
        channel.name: channel.unit
        for model in models
        for channel in model.channels
        if channel.kind is not ChannelKind.CLOCK
    }


def fields_of(entry: SourceEntry, units: Mapping[str, str]) -> tuple[FieldSettings, ...]:
    """Map the fields of a source to channels.

    Args:
        entry: Entry of the source.
        units: Units of the models' channels.

    Raises:
        UnitError: A unit doesn't convert; the text lists those that do.
    """
    if entry.channels is None:
        return tuple(FieldSettings(name, name, unit=unit) for name, unit in units.items())
    return tuple(field_of(channel, field, units[channel]) for channel, field in entry.channels.items())


def field_of(channel: str, field: ChannelField, unit: str) -> FieldSettings:
    """Map a field to a channel with this unit.

    Raises:
        UnitError: The field's unit doesn't convert; the text lists those that do.
    """
    name = field.field or channel
    if field.unit is not None:
        found = conversion(field.unit, unit)
        if found is None:
            raise UnitError(
                f"{field.unit!r} can't be brought into {channel}'s {unit} (legal: {', '.join(convertible(unit))}; "
                "or give scale and offset)"
            )
        return FieldSettings(channel, name, *found)
    if field.scale is not None or field.offset is not None:
        return FieldSettings(channel, name, 1.0 if field.scale is None else field.scale, field.offset or 0.0)
    return FieldSettings(channel, name, unit=unit)


def source_settings(entry: SourceEntry, units: Mapping[str, str], max_skew_ns: int) -> SourceSettings:
    """Build the settings of a source's decoder.

    Args:
        entry: Entry of the source.
        units: Units of the channels of the models that get its readings.
        max_skew_ns: Limit of times ahead of the clock, nanoseconds.

    Raises:
        ValueError: `SourceSettings` or `fields_of` refuses the entry.
    """
    return SourceSettings(
        topic=topics_of(entry),
        stream=entry.stream,
        fields=fields_of(entry, units),
        format=entry.format,
        name=entry.name,
        value_field=entry.value,
        time_field=entry.time if "time" in registry.find(entry.format).keys else None,
        precision=TimeUnit(entry.precision),
        labels=None if entry.labels is None else tuple(entry.labels),
        max_payload_bytes=entry.max_payload_bytes,
        max_skew_ns=max_skew_ns,
    )
