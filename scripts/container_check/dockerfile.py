"""Parser of a Dockerfile and a .dockerignore."""

from __future__ import annotations

import re


def steps(text: str) -> list[tuple[str, str]]:
    r"""Split a Dockerfile into instructions and their arguments.

    >>> steps("FROM a AS b\n# no step\nRUN c \\\n    && d\n")
    [('FROM', 'a AS b'), ('RUN', 'c && d')]
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    cut = (line.partition(" ") for line in joined.splitlines())
    return [(name.upper(), rest.strip()) for name, _, rest in cut]


class Ignored:
    """.dockerignore: the last pattern that matches a path, or a folder above it, decides."""

    def __init__(self, text: str) -> None:
        r"""Read the patterns.

        >>> ignored = Ignored("*\n!models\n**/*.pyc")
        >>> [path in ignored for path in ("secret", "models/a/model.onnx", "models/a/b.pyc")]
        [True, False, True]
        """
        lines = [line.strip() for line in text.splitlines()]
        self._rules = [
            (line.startswith("!"), re.compile(_as_expression(line.removeprefix("!").strip("/"))))
            for line in lines
            if line and not line.startswith("#")
        ]

    def __contains__(self, path: str) -> bool:
        """Whether a path is excluded from the build."""
        parts = path.split("/")
        above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        decided = [kept for kept, rule in self._rules if any(rule.fullmatch(one) for one in above)]
        return bool(decided) and not decided[-1]


def _as_expression(pattern: str) -> str:
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.sub(r"\*\*/|\*\*|\*|\?|[^*?]+", lambda m: known.get(m[0], re.escape(m[0])), pattern)
