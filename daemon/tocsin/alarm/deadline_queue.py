"""What falls due for alarms, and when: one entry each, the next one."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.alarm.deadlines import Deadline

_Key = tuple[str, str]  # stream and alarm


class DeadlineQueue:
    """What falls due next, by alarm; the soonest is found at once."""

    def __init__(self) -> None:
        """Begin with nothing due."""
        self._heap: list[tuple[int, Deadline, _Key]] = []
        self._due: dict[_Key, tuple[int, Deadline]] = {}

    def put(self, key: _Key, due: tuple[int, Deadline] | None) -> None:
        """Take note of when what falls due next for an alarm; None if nothing does."""
        if due is None:
            self._due.pop(key, None)
        elif self._due.get(key) != due:
            self._due[key] = due
            heappush(self._heap, (*due, key))
            if len(self._heap) > 4 * len(self._due) + 1024:  # what no longer holds is left lying about
                self._heap = [(*due, key) for key, due in self._due.items()]
                heapify(self._heap)

    def take(self, now: int) -> tuple[int, Deadline, _Key] | None:
        """The first thing that has fallen due by now: when, what, and for which alarm; None if nothing has.

        It is not given again, even if the same is put again: what doesn't move an alarm would be due for ever.
        """
        while self._heap and self._heap[0][0] <= now:
            when, due, key = heappop(self._heap)
            if self._due.get(key) == (when, due):
                return when, due, key
        return None
