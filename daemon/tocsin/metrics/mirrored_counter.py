"""Counters that follow totals kept elsewhere, such as in a queue or a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

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


class MirroredCounters:
    """A mirrored counter for each value of a label."""

    def __init__(self, counter: Counter) -> None:
        """Begin without a label."""
        self._counter = counter
        self._by_label: dict[str, MirroredCounter] = {}

    def add(self, label: str) -> None:
        """Create the series of a label, at 0, unless it exists."""
        if label not in self._by_label:
            self._by_label[label] = MirroredCounter(self._counter.labels(label))

    def follow(self, totals: Mapping[str, int]) -> None:
        """Increase the counters of labels that have been added."""
        for label, total in totals.items():
            self._by_label[label].follow(total)
