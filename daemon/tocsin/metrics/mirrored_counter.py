"""Counters of what somebody else counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Counter


class MirroredCounter:
    """A counter that follows a total which somebody else keeps."""

    def __init__(self, counter: Counter) -> None:
        """Begin at 0."""
        self._counter = counter
        self._last = 0

    def follow(self, total: int) -> None:
        """Be what the total is now."""
        self._counter.inc(max(0, total - self._last))
        self._last = total
