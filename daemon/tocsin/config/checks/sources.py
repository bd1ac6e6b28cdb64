"""Checks of sources: topics, names, fields, and the streams that they can name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tocsin.config.sources import UnitError, field_of, source_settings, topics_of, units_of, watches_of
from tocsin.ingest.decoder import Decoder
from tocsin.ingest.formats import registry
from tocsin.ingest.source_settings import CHANNEL
from tocsin.ingest.topics import NameTemplate, StreamPattern, TopicTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tocsin.bundle import Bundle
    from tocsin.config.schema import Broker, WatchEntry
    from tocsin.config.sources import SourceEntry

_Path = tuple[str | int, ...]
_Fault = tuple[_Path, str]

_CAPTURE = re.compile(r"\{[^{}]*\}")


def source_faults(  # noqa: C901  (one check after the other)
    entry: SourceEntry,
    watches: Mapping[str, WatchEntry],
    names: Sequence[str],
    bundles: Mapping[str, Bundle],
    base: str,
    broker: Broker,
) -> Iterator[_Fault]:
    """Find the faults of a source.

    Args:
        entry: Entry of the source.
        watches: Watches that fit the schema.
        names: Names of all watches.
        bundles: Bundles that could be loaded, by watch.
        base: Prefix of the daemon's topics.
        broker: Section `broker`.

    Yields:
        Paths below the entry, and messages.
    """
    templates = []
    for where, topic in _topics(entry):
        try:
            templates.append(TopicTemplate(topic))
        except ValueError as error:
            yield where, str(error)
        if topic.startswith("$share/"):
            yield (
                where,
                f"{topic!r} is a shared subscription, and a stream needs all of its messages: write the topic alone",
            )
        if f"{topic}/".startswith(f"{base}/"):
            yield where, f"{topic!r} is below publish.base {base!r}: the daemon would read its own messages"
    if len(templates) == len(topics_of(entry)):
        yield from _naming_faults(entry, templates)
        yield from _format_faults(entry, templates)
    if entry.format == registry.AUTO.name and broker.version != "5":
        yield ("format",), f"auto goes by the content type, which MQTT {broker.version} doesn't have: name the format"
    if entry.watch is None and len(names) > 1:
        yield (), f"which watch takes these? set watch to one of {', '.join(names)}"
        return
    unknown = [name for name in entry.watch or () if name not in names]
    for name in unknown:
        yield ("watch",), f"no watch {name!r} (there are: {', '.join(names)})"
    taking = watches_of(entry, names)
    if not unknown:
        yield from _sharing_faults(taking, watches, bundles)
    loaded = [bundles[name] for name in taking if name in bundles]
    if loaded and len(loaded) == len(taking):
        yield from _mapping_faults(entry, loaded)
        yield from _channel_faults(entry, templates, len(entry.channels or units_of(b.model for b in loaded)))


def decoder_faults(entry: SourceEntry, names: Sequence[str], bundles: Mapping[str, Bundle]) -> list[_Fault]:
    """Find the faults that the decoder itself raises, of a source without other faults."""
    taking = watches_of(entry, names)
    if not taking or any(name not in bundles for name in taking):
        return []
    try:
        Decoder(source_settings(entry, units_of(bundles[name].model for name in taking), 0))
    except ValueError as error:
        return [((), str(error))]
    return []


def _topics(entry: SourceEntry) -> list[tuple[_Path, str]]:
    topics = topics_of(entry)
    return [(("topic",) if len(topics) == 1 else ("topic", index), topic) for index, topic in enumerate(topics)]


def _names(entry: SourceEntry) -> tuple[str, ...]:
    """Names inside payloads, besides the captures."""
    if not registry.find(entry.format).naming.names_values:
        return ()
    return NameTemplate(entry.name or f"{{{CHANNEL}}}").names


def _naming_faults(entry: SourceEntry, templates: list[TopicTemplate]) -> Iterator[_Fault]:
    try:
        names = _names(entry)
    except ValueError as error:
        yield ("name",), str(error)
        return
    has_tags = registry.find(entry.format).naming.has_tags  # which can have any name
    for (where, topic), template in zip(_topics(entry), templates, strict=True):
        if entry.stream is None and not {*template.names, *names} - {CHANNEL}:
            yield where, f"{topic!r} has no {{capture}} to name streams by: set stream"
        elif entry.stream is not None:
            try:
                StreamPattern(entry.stream, template, None if has_tags else names)
            except ValueError as error:
                yield ("stream",), str(error)
    known = {*names, *(name for template in templates for name in template.names)} - {CHANNEL}
    for index, label in enumerate(entry.labels or ()):
        if label not in known and not has_tags:
            legal = ", ".join(sorted(known)) or "none"
            yield ("labels", index), f"{label!r} is no capture of this source (there are: {legal})"


def _format_faults(entry: SourceEntry, templates: list[TopicTemplate]) -> Iterator[_Fault]:
    """Check the topics by the rules of the source's format."""
    check = registry.find(entry.format).check_topics
    for index, message in () if check is None else check(templates):
        yield ("topic",) if index is None else _topics(entry)[index][0], message


def _sharing_faults(
    taking: list[str], watches: Mapping[str, WatchEntry], bundles: Mapping[str, Bundle]
) -> Iterator[_Fault]:
    """Find settings in which watches of one source differ, and must not."""
    there = [name for name in taking if name in watches]
    skews = sorted({watches[name].max_skew_s for name in there})
    if len(skews) > 1:
        yield ("watch",), f"{' and '.join(there)} differ in max_skew_s ({skews[0]:g} and {skews[-1]:g}): make it one"
    unit_of: dict[str, str] = {}
    for name in there:
        if name in bundles:
            for channel, unit in units_of([bundles[name].model]).items():
                if unit_of.setdefault(channel, unit) != unit:
                    yield (
                        ("watch",),
                        f"{channel} is in {unit_of[channel]} and in {unit}: give each watch its own source",
                    )


def _mapping_faults(entry: SourceEntry, bundles: list[Bundle]) -> Iterator[_Fault]:
    units = units_of(bundle.model for bundle in bundles)
    by = bundles[0].manifest.name if len(bundles) == 1 else " and ".join(b.manifest.name for b in bundles)
    mapped = entry.channels or {}
    fields = [field.field or channel for channel, field in mapped.items()]
    has_time = "time" in registry.find(entry.format).keys
    for channel, field in mapped.items():
        name = field.field or channel
        if channel not in units:
            yield ("channels", channel), f"{by} takes no channel {channel!r} (it takes: {', '.join(units)})"
            continue
        if (has_time and name == entry.time) or fields.count(name) > 1:
            yield ("channels", channel), f"field {name!r} is mapped twice"
        try:
            field_of(channel, field, units[channel])
        except UnitError as error:
            yield ("channels", channel, "unit"), str(error)
    if entry.channels is not None and not entry.channels:
        yield ("channels",), "maps no channel (leave it out to map all under their own names)"


def _channel_faults(entry: SourceEntry, templates: list[TopicTemplate], channels: int) -> Iterator[_Fault]:
    """Find sources of several channels in which a value names no channel."""
    used = registry.find(entry.format)
    if channels == 1 or any(CHANNEL in template.names for template in templates):
        return
    if used.is_single_value:
        yield (
            ("topic",),
            f"a {used.name} value is of one channel: put {{channel}} into the topic, or map one channel alone",
        )
    elif used.naming.names_values and entry.name is not None and "{channel}" not in entry.name:
        yield ("name",), f"{entry.name!r} names no {{channel}}, nor does the topic"


def can_be_equal(one: str, other: str) -> bool:
    """Whether two patterns can name one stream; a capture is any text without a `/`.

    Where captures stand on both sides of a level, it is taken to be possible.

    >>> can_be_equal("{ward}/{bed}", "icu/{bed}"), can_be_equal("{ward}/{bed}", "{pipeline}")
    (True, False)
    >>> can_be_equal("bed-{bed}", "pipeline-{pipeline}")
    False
    """
    levels, others = one.split("/"), other.split("/")
    return len(levels) == len(others) and all(map(_levels_can, levels, others))


def _levels_can(one: str, other: str) -> bool:
    if not _CAPTURE.search(other):
        one, other = other, one
    if not _CAPTURE.search(one):
        return _matches(other, one)
    start, other_start = _CAPTURE.split(one)[0], _CAPTURE.split(other)[0]
    end, other_end = _CAPTURE.split(one)[-1], _CAPTURE.split(other)[-1]
    starts = start.startswith(other_start) or other_start.startswith(start)
    return starts and (end.endswith(other_end) or other_end.endswith(end))


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(".+".join(map(re.escape, _CAPTURE.split(pattern))), text) is not None
