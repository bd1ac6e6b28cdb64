"""Addresses of messages and values: topics and names inside payloads are resolved to streams, labels and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.ingest.source_settings import CHANNEL
from tocsin.ingest.topics import NameTemplate, StreamPattern, TopicTemplate, can_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.ingest.source_settings import SourceSettings

# Topics and names are untrusted: a publisher could make up a million of them.
_CACHED = 100_000
_LONGEST_CACHED = 1_024


@dataclass(frozen=True, slots=True)
class Naming:
    """Names that the payloads of a format carry.

    Attributes:
        names_values: Whether a payload names its values, so that a name template applies.
        has_tags: Whether a payload carries tags, whose names are not known before it is read.
        reserved: Captures of the topic that are part of the protocol and name no stream.
    """

    names_values: bool = False
    has_tags: bool = False
    reserved: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TopicAddress:
    """Address that a topic gives.

    Attributes:
        captures: All captures of the topic template.
        stream: Name of the stream; None where names inside the payload are needed for it.
        labels: Labels of the stream.
        column: Index of the source's field that `{channel}` names, or of the only field; -1 for a name that is not
            mapped; None if the topic names no channel.
        pattern: Pattern that names the stream.
    """

    captures: Mapping[str, str]
    stream: str | None
    labels: Mapping[str, str]
    column: int | None
    pattern: StreamPattern


@dataclass(frozen=True, slots=True)
class ValueAddress:
    """Address of one value inside a payload: a stream, its labels, and a column of the source's fields."""

    stream: str
    labels: Mapping[str, str]
    column: int


class UnnameableError(Exception):
    """A stream has no name, or its name can't be part of a topic."""


class Addressing:
    """Resolves topics and value names of one source. It caches addresses, and keeps no state of streams.

    Attributes:
        templates: Topic templates, in the order in which they are tried.
    """

    def __init__(self, settings: SourceSettings, naming: Naming) -> None:
        """Compile the templates of one source.

        Args:
            settings: Settings of the source.
            naming: Names that payloads of its format carry.

        Raises:
            ValueError: A topic template, the stream pattern, or the name template is wrong.
        """
        self.templates = tuple(TopicTemplate(topic) for topic in settings.topics)
        self._names = NameTemplate(settings.name or f"{{{CHANNEL}}}") if naming.names_values else None
        self._columns = {field.name: column for column, field in enumerate(settings.fields)}
        self._labels = settings.labels
        self._hidden = {CHANNEL, *naming.reserved}
        named = () if self._names is None else self._names.names
        self._patterns = [
            StreamPattern(
                settings.stream
                or "/".join(
                    f"{{{name}}}" for name in dict.fromkeys((*template.names, *named)) if name not in self._hidden
                ),
                template,
                None if naming.has_tags else named,
            )
            for template in self.templates
        ]
        self._topic_addresses: dict[str, TopicAddress | None] = {}
        self._value_addresses: dict[tuple[str, str, str], ValueAddress | None] = {}

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of all labels that a stream of this source can have."""
        named = () if self._names is None else self._names.names
        patterns = [name for pattern in self._patterns for name in pattern.names]
        captures = [name for template in self.templates for name in template.names]
        return tuple(self._labelled(dict.fromkeys((*captures, *named, *patterns, *(self._labels or ())), "")))

    def could_name(self, stream: str) -> bool:
        """Whether a stream of this source can have this name."""
        return any(pattern.could_name(stream) for pattern in self._patterns)

    def topic_address(self, topic: str) -> TopicAddress | None:
        """Resolve a topic; None if none of the source's templates matches."""
        try:
            return self._topic_addresses[topic]
        except KeyError:
            address = self._resolve_topic(topic)
            if len(topic) < _LONGEST_CACHED:
                if len(self._topic_addresses) >= _CACHED:
                    self._topic_addresses.clear()
                self._topic_addresses[topic] = address
            return address

    def _resolve_topic(self, topic: str) -> TopicAddress | None:
        for template, pattern in zip(self.templates, self._patterns, strict=True):
            captures = template.match(topic)
            if captures is not None:
                is_named = all(name in captures for name in pattern.names)
                column = None
                if CHANNEL in captures:
                    column = self._columns.get(captures[CHANNEL], -1)
                elif len(self._columns) == 1:
                    column = 0
                return TopicAddress(
                    captures, pattern.stream(captures) if is_named else None, self._labelled(captures), column, pattern
                )
        return None

    def value_address(
        self, topic: str, address: TopicAddress, name: str, tags: Mapping[str, str] | None = None, tags_key: str = ""
    ) -> ValueAddress | None:
        """Resolve the name of a value inside a payload; None if the source doesn't map it.

        Args:
            topic: Topic of the message.
            address: Address that the topic gives.
            name: Name of the value.
            tags: Further names and values that the payload gives for it.
            tags_key: The tags as one text, which is their key in the cache.

        Raises:
            UnnameableError: The stream can't be named.
        """
        key = (topic, tags_key, name)
        try:
            return self._value_addresses[key]
        except KeyError:
            found = self._resolve_value(address, name, tags or {})
            if len(topic) + len(name) + len(tags_key) < _LONGEST_CACHED:
                if len(self._value_addresses) >= _CACHED:
                    self._value_addresses.clear()
                self._value_addresses[key] = found
            return found

    def _resolve_value(self, address: TopicAddress, name: str, tags: Mapping[str, str]) -> ValueAddress | None:
        found = self._names.match(name) if self._names is not None else None
        if found is None:
            return None
        captures = {**tags, **address.captures, **found}
        column = address.column if CHANNEL not in found else self._columns.get(found[CHANNEL])
        if column is None or column < 0:
            return None
        used = {
            part: value
            for part, value in captures.items()
            if part in address.pattern.names or (part in found and part != CHANNEL)
        }
        for part, value in used.items():
            if not can_name(value):
                raise UnnameableError(f"{part} {value[:60]!r} can't be part of a stream's name")
        missing = [part for part in address.pattern.names if part not in captures]
        if missing:
            raise UnnameableError(f"{name[:60]!r} comes without {missing[0]!r}, which names its stream")
        labels = self._labelled({**address.captures, **used, **self._label_tags(tags)})
        return ValueAddress(address.pattern.stream(captures), labels, column)

    def _label_tags(self, tags: Mapping[str, str]) -> Mapping[str, str]:
        """Choose the tags that the source's `labels` list."""
        return {name: tags[name] for name in self._labels or () if name in tags}

    def _labelled(self, captures: Mapping[str, str]) -> Mapping[str, str]:
        return {
            name: value
            for name, value in captures.items()
            if name not in self._hidden and (self._labels is None or name in self._labels)
        }
