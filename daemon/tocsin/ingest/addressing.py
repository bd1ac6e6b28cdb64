"""Whose a message is: from its topic, and from the names inside it, to a stream, its labels and a channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.ingest.source_settings import CHANNEL, NAMED, Format
from tocsin.ingest.topics import NameTemplate, StreamPattern, TopicTemplate, can_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.ingest.source_settings import SourceSettings

# Topics and names come from outside: whoever may publish could make up a million of them.
_CACHED = 100_000
KIND = "type"  # Sparkplug's level that says what a message is, and nothing about whose it is
_LONGEST_CACHED = 1_024


@dataclass(frozen=True, slots=True)
class TopicAddress:
    """What a topic says.

    Attributes:
        captures: All of them.
        stream: None where names inside the payload have to be known first.
        labels: Of the stream.
        column: Which of the source's fields `{channel}` names, or the only one; -1 if it is none of them; None if
            the topic doesn't say.
        pattern: Names streams.
    """

    captures: Mapping[str, str]
    stream: str | None
    labels: Mapping[str, str]
    column: int | None
    pattern: StreamPattern


@dataclass(frozen=True, slots=True)
class ValueAddress:
    """Where one value inside a payload goes: a stream, and a column of the source's fields."""

    stream: str
    labels: Mapping[str, str]
    column: int


class UnnameableError(Exception):
    """A stream would get a name that can't be part of a topic, or has no name."""


class Addressing:
    """Finds the place of topics, and the targets of names. It remembers them, and nothing about any stream.

    Attributes:
        templates: Of the topics, in the order in which they are tried.
    """

    def __init__(self, settings: SourceSettings) -> None:
        """Prepare for one source.

        Raises:
            ValueError: If a topic template, the stream pattern, or the name template is wrong.
        """
        self.templates = tuple(TopicTemplate(topic) for topic in settings.topics)
        self._names = NameTemplate(settings.name or f"{{{CHANNEL}}}") if settings.format in NAMED else None
        self._columns = {field.name: column for column, field in enumerate(settings.fields)}
        self._labels = settings.labels
        self._hidden = {CHANNEL, KIND} if settings.format is Format.SPARKPLUG else {CHANNEL}
        others: tuple[str, ...] | None = () if self._names is None else self._names.names
        if settings.format in {Format.INFLUX, Format.AUTO}:
            others = None  # tags can have any name
        named = () if self._names is None else self._names.names
        self._patterns = [
            StreamPattern(
                settings.stream
                or "/".join(
                    f"{{{name}}}" for name in dict.fromkeys((*template.names, *named)) if name not in self._hidden
                ),
                template,
                others,
            )
            for template in self.templates
        ]
        self._place_of: dict[str, TopicAddress | None] = {}
        self._target_of: dict[tuple[str, str, str], ValueAddress | None] = {}

    @property
    def label_names(self) -> tuple[str, ...]:
        """Every label that a stream may have."""
        named = () if self._names is None else self._names.names
        patterns = [name for pattern in self._patterns for name in pattern.names]
        captures = [name for template in self.templates for name in template.names]
        return tuple(self._labelled(dict.fromkeys((*captures, *named, *patterns, *(self._labels or ())), "")))

    def could_name(self, stream: str) -> bool:
        """Whether a stream of this source may be called so."""
        return any(pattern.could_name(stream) for pattern in self._patterns)

    def place(self, topic: str) -> TopicAddress | None:
        """What a topic says; None if none of the source's templates matches."""
        try:
            return self._place_of[topic]
        except KeyError:
            place = self._place(topic)
            if len(topic) < _LONGEST_CACHED:
                if len(self._place_of) >= _CACHED:
                    self._place_of.clear()
                self._place_of[topic] = place
            return place

    def _place(self, topic: str) -> TopicAddress | None:
        for template, pattern in zip(self.templates, self._patterns, strict=True):
            captures = template.match(topic)
            if captures is not None:
                known = all(name in captures for name in pattern.names)
                column = None
                if CHANNEL in captures:
                    column = self._columns.get(captures[CHANNEL], -1)
                elif len(self._columns) == 1:
                    column = 0
                return TopicAddress(
                    captures, pattern.stream(captures) if known else None, self._labelled(captures), column, pattern
                )
        return None

    def target(
        self, topic: str, place: TopicAddress, name: str, tags: Mapping[str, str] | None = None, tags_key: str = ""
    ) -> ValueAddress | None:
        """Where a value goes that a payload calls by a name; None if nobody asked for it.

        Args:
            topic: Of the message.
            place: What it says.
            name: Of the value.
            tags: What else the payload says of it.
            tags_key: The same as one text, to remember the answer by.

        Raises:
            UnnameableError: If its stream can't be named.
        """
        key = (topic, tags_key, name)
        try:
            return self._target_of[key]
        except KeyError:
            target = self._target(place, name, tags or {})
            if len(topic) + len(name) + len(tags_key) < _LONGEST_CACHED:
                if len(self._target_of) >= _CACHED:
                    self._target_of.clear()
                self._target_of[key] = target
            return target

    def _target(self, place: TopicAddress, name: str, tags: Mapping[str, str]) -> ValueAddress | None:
        found = self._names.match(name) if self._names is not None else None
        if found is None:
            return None
        captures = {**tags, **place.captures, **found}
        column = place.column if CHANNEL not in found else self._columns.get(found[CHANNEL])
        if column is None or column < 0:
            return None
        used = {
            part: value
            for part, value in captures.items()
            if part in place.pattern.names or (part in found and part != CHANNEL)
        }
        for part, value in used.items():
            if not can_name(value):
                raise UnnameableError(f"{part} {value[:60]!r} can't be part of a stream's name")
        missing = [part for part in place.pattern.names if part not in captures]
        if missing:
            raise UnnameableError(f"{name[:60]!r} comes without {missing[0]!r}, which names its stream")
        return ValueAddress(
            place.pattern.stream(captures), self._labelled({**place.captures, **used, **self._asked(tags)}), column
        )

    def _asked(self, tags: Mapping[str, str]) -> Mapping[str, str]:
        return {name: tags[name] for name in self._labels or () if name in tags}

    def _labelled(self, captures: Mapping[str, str]) -> Mapping[str, str]:
        return {
            name: value
            for name, value in captures.items()
            if name not in self._hidden and (self._labels is None or name in self._labels)
        }
