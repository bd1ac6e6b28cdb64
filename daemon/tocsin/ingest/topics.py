"""Topics with names for their levels, and the streams named after them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_LEVEL_CHARACTERS = 256  # of a level that becomes part of a stream's name: output topics, too, must end somewhere

_CAPTURE = re.compile(r"\{([^{}]*)\}")
_NOT_IN_LEVELS = re.compile(r"[+#/]")


class TopicTemplate:
    """A topic whose levels have names.

    >>> template = TopicTemplate("vitals/{ward}/{bed}")
    >>> template.filter
    'vitals/+/+'
    >>> template.match("vitals/icu/bed-1")
    {'ward': 'icu', 'bed': 'bed-1'}
    >>> template.match("vitals/icu") is None
    True
    """

    def __init__(self, template: str) -> None:
        """Check a template.

        Args:
            template: Levels separated by `/`; a level is plain text or one `{name}`.

        Raises:
            ValueError: It says which level of which template is wrong, and how.
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
        """Show the template as written."""
        return f"TopicTemplate({self.template!r})"

    def match(self, topic: str) -> dict[str, str] | None:
        """Read the named levels from a topic; None if the topic is another one.

        A level that is empty, endless or carries a control character matches nothing: no stream could be named so.
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
    """How a stream is named after a topic's captures.

    >>> StreamPattern("{ward}/{bed}", TopicTemplate("vitals/{ward}/{bed}")).stream({"ward": "icu", "bed": "bed-1"})
    'icu/bed-1'
    """

    def __init__(self, pattern: str, template: TopicTemplate, others: Iterable[str] | None = ()) -> None:
        """Check a pattern against the template whose captures it uses.

        Args:
            pattern: Text and `{name}`s.
            template: Of the topic.
            others: Further names that it may use; None for any, where only payloads tell.

        Raises:
            ValueError: For an empty or wildcard level, or a name that the template doesn't have.
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
            KeyError: A name of the pattern is not among the captures.
        """
        return _CAPTURE.sub(lambda found: captures[found[1]], self.pattern)

    def could_name(self, stream: str) -> bool:
        """Whether a stream may be called so.

        >>> pattern = StreamPattern("{ward}/{bed}", TopicTemplate("vitals/{ward}/{bed}"))
        >>> pattern.could_name("icu/bed-3"), pattern.could_name("pump-7")
        (True, False)
        """
        parts = _CAPTURE.split(self.pattern)[::2]  # the plain text between the captures
        return re.fullmatch("[^/]+".join(map(re.escape, parts)), stream) is not None


class NameTemplate:
    """A name inside a payload, such as a SenML record's or a Sparkplug metric's, parts of which have names.

    >>> NameTemplate("urn:dev:ow:{device}:{channel}").match("urn:dev:ow:10e2073a01080063:temp")
    {'device': '10e2073a01080063', 'channel': 'temp'}
    >>> NameTemplate("{bed}/{channel}").match("temp") is None
    True
    """

    def __init__(self, template: str) -> None:
        """Check a template.

        Args:
            template: Text with `{name}`s, each of which stands for one or more characters up to the text that
                follows, and never for a `/`; one that is nothing but a `{name}` takes a whole name, slashes and all.

        Raises:
            ValueError: It says what is wrong with which template.
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
        """Read the named parts; None if the name is another one."""
        found = self._pattern.fullmatch(name)
        return None if found is None else found.groupdict()


def _parts(template: str) -> list[str]:
    """Regular expressions for the parts of a name template.

    No capture can hold the character that ends it: there is one way to match, and a long name takes no longer than
    it has characters.
    """
    text_and_names = _CAPTURE.split(template)
    if text_and_names[0] == text_and_names[-1] == "" and len(text_and_names) == 3:  # noqa: PLR2004  (text, name, text)
        return [f"(?P<{text_and_names[1]}>.+)"]
    parts = [re.escape(text_and_names[0])]
    for name, text in zip(text_and_names[1::2], text_and_names[2::2], strict=True):
        parts += [f"(?P<{name}>[^/{re.escape(text[:1])}]+)", re.escape(text)]
    return parts


def _name_of_level(level: str, template: str) -> str | None:
    """A level's name; None for plain text."""
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
    """Whether a level of a topic, or what stands for one, may be part of a stream's name, and so of topics and logs."""
    return 0 < len(level) <= MAX_LEVEL_CHARACTERS and level.isprintable() and not _NOT_IN_LEVELS.search(level)
