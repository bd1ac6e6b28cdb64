"""Topics with names for their levels, and the streams named after them."""

from __future__ import annotations

import re
from collections import Counter

MAX_LEVEL_CHARACTERS = 256  # of a level that becomes part of a stream's name: output topics, too, must end somewhere

_CAPTURE = re.compile(r"\{([^{}]*)\}")


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
            elif not _can_name(level):
                return None
            else:
                captures[name] = level
        return captures


class StreamPattern:
    """How a stream is named after a topic's captures.

    >>> StreamPattern("{ward}/{bed}", TopicTemplate("vitals/{ward}/{bed}")).stream({"ward": "icu", "bed": "bed-1"})
    'icu/bed-1'
    """

    def __init__(self, pattern: str, template: TopicTemplate) -> None:
        """Check a pattern against the template whose captures it uses.

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
        for name in _CAPTURE.findall(pattern):
            if name not in template.names:
                known = ", ".join(f"{{{n}}}" for n in template.names) or "none"
                raise ValueError(
                    f"stream pattern {pattern!r}: {{{name}}} is not in topic template {template.template!r} "
                    f"(it has: {known})"
                )

    def stream(self, captures: dict[str, str]) -> str:
        """Name the stream."""
        return _CAPTURE.sub(lambda found: captures[found[1]], self.pattern)


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


def _can_name(level: str) -> bool:
    """Whether a level of a topic may become part of a stream's name, and so of output topics and logs."""
    return 0 < len(level) <= MAX_LEVEL_CHARACTERS and level.isprintable() and "+" not in level and "#" not in level
