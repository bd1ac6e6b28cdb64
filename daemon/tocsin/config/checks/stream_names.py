"""Which sources can name the same stream: then their watches' alarms must have names of their own."""

from __future__ import annotations

import re

_CAPTURE = re.compile(r"\{[^{}]*\}")


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
