"""Templates of topics, stream names and value names."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_LEVEL_CHARACTERS = 256  # of a level that becomes part of a stream's name, which bounds output topics

_CAPTURE = re.compile(r"\{([^{}]*)\}")
_NOT_IN_LEVELS = re.compile(r"[+#/]")


class TopicTemplate:
    """Template of topics, with named levels.

    >>> template = TopicTemplate("vitals/{ward}/{bed}")
    >>> template.filter
    'vitals/+/+'
    >>> template.match("vitals/icu/bed-1")
    {'ward': 'icu', 'bed': 'bed-1'}
    >>> template.match("vitals/icu") is None
    True
    """

    def __init__(self, template: str) -> None:
        """Compile a template.

        Args:
            template: Levels separated by `/`; a level is plain text or one `{name}`.

        Raises:
            ValueError: A level is wrong; the text names it and its fault.
        """
        if not template:
            raise ValueError("topic template '' is empty: write one such as 'vitals/{ward}/{bed}'")
        self.template = template
        self._levels = template.split("/")
        self._names = [_name_of_level(level, template) for level in self._levels]
        counts = Counter(name for name in self._names if name is not None)
        for name, count in counts.items():
            if count > 1:
                raise ValueError(f"topic template {template!r}: {{{name}}} stands there {count} times: name each once")
        self.names = tuple(counts)
        self.filter = "/".join(
            level if name is None else "+" for level, name in zip(self._levels, self._names, strict=True)
        )

    def __repr__(self) -> str:
        """Template as written."""
        return f"TopicTemplate({self.template!r})"

    def match(self, topic: str) -> dict[str, str] | None:
        """Match a topic: its named levels, or None.

        A level that is empty, too long or has a control character doesn't match: it can't be part of a stream's name.
        """
        levels = topic.split("/")
        if len(levels) != len(self._levels):
            return None
        captures = {}
        for level, plain, name in zip(levels, self._levels, self._names, strict=True):
            if name is None:
                if level != plain:
                    return None
            elif not can_name(level):
                return None
            else:
                captures[name] = level
        return captures


class StreamPattern:
    """Pattern that names streams by captures.

    >>> StreamPattern("{ward}/{bed}", TopicTemplate("vitals/{ward}/{bed}")).stream({"ward": "icu", "bed": "bed-1"})
    'icu/bed-1'
    """

    def __init__(self, pattern: str, template: TopicTemplate, others: Iterable[str] | None = ()) -> None:
        """Compile a pattern.

        Args:
            pattern: Text with `{name}`s.
            template: Template of the topic, with the captures.
            others: Further legal names; None: any, where payloads have tags.

        Raises:
            ValueError: A level is empty or has a wildcard, or a name is not legal.
        """
        self.pattern = pattern
        if any(_CAPTURE.sub("x", level) == "" for level in pattern.split("/")):
            raise ValueError(f"stream pattern {pattern!r} has an empty level: streams are levels of output topics")
        plain = _CAPTURE.sub("", pattern)
        if any(c in "{}+#" or not c.isprintable() for c in plain):
            raise ValueError(
                f"stream pattern {pattern!r}: '+', '#', control characters and lone braces can't be in a stream's name"
            )
        self.names = tuple(_CAPTURE.findall(pattern))
        for name in self.names:
            if others is not None and name not in template.names and name not in others:
                known = ", ".join(f"{{{n}}}" for n in template.names) or "none"
                raise ValueError(
                    f"stream pattern {pattern!r}: {{{name}}} is not in topic template {template.template!r} "
                    f"(it has: {known})"
                )

    def stream(self, captures: Mapping[str, str]) -> str:
        """Name the stream.

        Raises:
            KeyError: A capture is missing.
        """
        return _CAPTURE.sub(lambda found: captures[found[1]], self.pattern)

    def could_name(self, stream: str) -> bool:
        """Whether a stream of this pattern can have a name.

        >>> pattern = StreamPattern("{ward}/{bed}", TopicTemplate("vitals/{ward}/{bed}"))
        >>> pattern.could_name("icu/bed-3"), pattern.could_name("pump-7")
        (True, False)
        """
        parts = _CAPTURE.split(self.pattern)[::2]  # the plain text between the captures
        return re.fullmatch("[^/]+".join(map(re.escape, parts)), stream) is not None


class NameTemplate:
    """Template of value names inside payloads, such as those of SenML records or Sparkplug metrics.

    >>> NameTemplate("urn:dev:ow:{device}:{channel}").match("urn:dev:ow:10e2073a01080063:temp")
    {'device': '10e2073a01080063', 'channel': 'temp'}
    >>> NameTemplate("{bed}/{channel}").match("temp") is None
    True
    """

    def __init__(self, template: str) -> None:
        """Compile a template.

        Args:
            template: Text with `{name}`s. Each matches one or more characters other than `/` up to the text that
                follows; a template of a single `{name}` matches a whole name, with slashes.

        Raises:
            ValueError: The template is wrong; the text has its fault.
        """
        self.template = template
        self.names = tuple(_CAPTURE.findall(template))
        plain = _CAPTURE.split(template)[::2]
        for name in self.names:
            if not name.isidentifier() or self.names.count(name) > 1:
                raise ValueError(
                    f"name template {template!r}: {name!r} must be a name (letters, digits and _), and stand there once"
                )
        if not self.names or any("{" in text or "}" in text for text in plain):
            raise ValueError(f"name template {template!r}: write text with {{name}}s, such as '{{bed}}/{{channel}}'")
        if "" in plain[1:-1]:
            raise ValueError(f"name template {template!r}: put some text between two {{name}}s")
        self._pattern = re.compile("".join(_parts(template)), re.DOTALL)

    def match(self, name: str) -> dict[str, str] | None:
        """Match a name: its named parts, or None."""
        found = self._pattern.fullmatch(name)
        return None if found is None else found.groupdict()


def _parts(template: str) -> list[str]:
    """Regular expressions of the parts of a name template.

    A capture can't contain the character that ends it, so there is no backtracking: matching takes linear time.
    """
    text_and_names = _CAPTURE.split(template)
    if text_and_names[0] == text_and_names[-1] == "" and len(text_and_names) == 3:  # noqa: PLR2004  (text, name, text)
        return [f"(?P<{text_and_names[1]}>.+)"]
    parts = [re.escape(text_and_names[0])]
    for name, text in zip(text_and_names[1::2], text_and_names[2::2], strict=True):
        parts += [f"(?P<{name}>[^/{re.escape(text[:1])}]+)", re.escape(text)]
    return parts


def _name_of_level(level: str, template: str) -> str | None:
    """Name of a level; None for plain text."""
    if level == "":
        raise ValueError(f"topic template {template!r} has an empty level")
    if "+" in level or "#" in level:
        raise ValueError(f"topic template {template!r}: level {level!r} has a wildcard: write {{name}} instead")
    if not level.isprintable():
        raise ValueError(f"topic template {template!r}: level {level!r} has a control character")
    if "{" not in level and "}" not in level:
        return None
    found = _CAPTURE.fullmatch(level)
    if found is None:
        raise ValueError(f"topic template {template!r}: level {level!r} must be plain text or one whole {{name}}")
    if not found[1].isidentifier():
        raise ValueError(f"topic template {template!r}: {found[1]!r} is no name: letters, digits and _ only")
    return found[1]


def can_name(level: str) -> bool:
    """Whether a level of a topic can be part of a stream's name, and so of output topics and logs."""
    return 0 < len(level) <= MAX_LEVEL_CHARACTERS and level.isprintable() and not _NOT_IN_LEVELS.search(level)
