"""What a source's entry comes to: topics, watches, fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.engine.model import ChannelKind
from tocsin.ingest.formats import registry
from tocsin.ingest.source_settings import FieldSettings, SourceSettings
from tocsin.ingest.timestamps import TimeUnit
from tocsin.ingest.units import conversion, convertible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tocsin.config.schema import ChannelField, SourceEntry
    from tocsin.engine.model import Model


class UnitError(ValueError):
    """A unit can't be brought into a channel's."""


def topics_of(entry: SourceEntry) -> tuple[str, ...]:
    """The topic templates that a source listens to, in the order in which they are tried."""
    return registry.find(entry.format).topics if entry.topic is None else tuple(entry.topic)


def watches_of(entry: SourceEntry, watches: Sequence[str]) -> list[str]:
    """The watches that take a source's readings: those it names, or the only one."""
    return list(dict.fromkeys(entry.watch or watches[:1]))


def units_of(models: Iterable[Model]) -> dict[str, str]:
    """The channels that messages can carry for any of these models, and their units."""
    return {
        channel.name: channel.unit
        for model in models
        for channel in model.channels
        if channel.kind is not ChannelKind.CLOCK
    }


def fields_of(entry: SourceEntry, units: Mapping[str, str]) -> tuple[FieldSettings, ...]:
    """Where each channel's values stand.

    Args:
        entry: The source's.
        units: The models' channels, and their units.

    Raises:
        UnitError: It says which unit can't be converted, and what is legal.
    """
    if entry.channels is None:
        return tuple(FieldSettings(name, name, unit=unit) for name, unit in units.items())
    return tuple(field_of(channel, field, units[channel]) for channel, field in entry.channels.items())


def field_of(channel: str, field: ChannelField, unit: str) -> FieldSettings:
    """Where one channel's values stand.

    Raises:
        UnitError: It says which unit can't be converted, and what is legal.
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
    """What a source's decoder has to know.

    Args:
        entry: The source's.
        units: The channels of the models that take it, and their units.
        max_skew_ns: How far ahead of the clock a reading may be.

    Raises:
        ValueError: What `SourceSettings` and `fields_of` refuse.
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
