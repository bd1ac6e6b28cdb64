"""Settings of sources for ingest, from their entries in the configuration."""

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
