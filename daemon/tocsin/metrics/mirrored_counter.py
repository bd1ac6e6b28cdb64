"""A counter that follows a total kept elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Counter


class MirroredCounter:
    """A Prometheus counter that is set to a total which only grows."""

    def __init__(self, counter: Counter) -> None:
        """Begin at 0."""
        self._counter = counter
        self._last = 0

    def follow(self, total: int) -> None:
        """Increase the counter to the total."""
        self._counter.inc(max(0, total - self._last))
        self._last = total
