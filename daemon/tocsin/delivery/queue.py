"""The queue of pending deliveries: in order per key, at least once, until acknowledged or made a dead letter.

The queue is in memory. `changes` holds what differs from the store since the last commit; without a store, pending
deliveries last until the process ends.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tocsin.delivery.sink import Delivery

MAX_DEAD_LETTERS = 10_000


@dataclass(slots=True, eq=False)
class PendingDelivery:
    """A delivery that has not been acknowledged.

    Attributes:
        id: Counts up in the order in which deliveries are added.
        delivery: The payload and its receiver.
        attempts: How often it failed and was postponed.
        next_at: Not sent before; nanoseconds since 1970.
        in_flight: Whether a worker is sending it.
        removed: Whether the queue has let go of it.
    """

    id: int
    delivery: Delivery
    attempts: int = 0
    next_at: int = 0
    in_flight: bool = False
    removed: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that was given up.

    Attributes:
        pending: The delivery and its attempts.
        died_at: Nanoseconds since 1970.
        reason: One line for a person.
    """

    pending: PendingDelivery
    died_at: int
    reason: str


@dataclass(slots=True)
class QueueChanges:
    """The changes of a queue that are not stored yet.

    Attributes:
        added: By id.
        postponed: By id; stored ones whose attempts and time have changed.
        removed: Ids of stored ones.
        dead: New dead letters.
    """

    added: dict[int, PendingDelivery] = field(default_factory=dict)
    postponed: dict[int, PendingDelivery] = field(default_factory=dict)
    removed: list[int] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything to store."""
        return bool(self.added or self.postponed or self.removed or self.dead)


class _SinkQueue:
    """The pending deliveries of one sink."""

    def __init__(self) -> None:
        self.by_key: dict[str, deque[PendingDelivery]] = {}
        self.waiting: dict[int, PendingDelivery] = {}  # by id: those not in flight
        self.droppable: dict[int, PendingDelivery] = {}  # of those waiting, the ones that are no state
        self.in_flight = 0
        self._heads: list[tuple[int, int, PendingDelivery]] = []  # a heap of what may be sent: the first of each key

    def __len__(self) -> int:
        return len(self.waiting) + self.in_flight

    def append(self, pending: PendingDelivery) -> None:
        queue = self.by_key.setdefault(pending.delivery.key, deque())
        queue.append(pending)
        self._add_waiting(pending)
        if len(queue) == 1:
            self.offer(pending.delivery.key)

    def offer(self, key: str) -> None:
        """Put the first delivery of a key on the heap, unless it is in flight."""
        queue = self.by_key.get(key)
        if queue and not queue[0].in_flight:
            heapq.heappush(self._heads, (queue[0].next_at, queue[0].id, queue[0]))

    def first(self) -> PendingDelivery | None:
        """The next delivery to send, due or not."""
        while self._heads:
            next_at, _, pending = self._heads[0]
            if not (pending.removed or pending.in_flight or pending.next_at != next_at):
                return pending
            heapq.heappop(self._heads)
        return None

    def take(self, pending: PendingDelivery) -> None:
        pending.in_flight = True
        self.in_flight += 1
        self._remove_waiting(pending)

    def put_back(self, pending: PendingDelivery) -> None:
        if pending.in_flight:
            pending.in_flight = False
            self.in_flight -= 1
            self._add_waiting(pending)
        self.offer(pending.delivery.key)

    def remove(self, pending: PendingDelivery) -> None:
        pending.removed = True
        if pending.in_flight:
            self.in_flight -= 1
        else:
            self._remove_waiting(pending)
        key = pending.delivery.key
        queue = self.by_key[key]
        was_first = queue[0] is pending
        queue.remove(pending)
        if not queue:
            del self.by_key[key]
        elif was_first:
            self.offer(key)

    def _add_waiting(self, pending: PendingDelivery) -> None:
        self.waiting[pending.id] = pending
        if not pending.delivery.replaces:
            self.droppable[pending.id] = pending

    def _remove_waiting(self, pending: PendingDelivery) -> None:
        del self.waiting[pending.id]
        self.droppable.pop(pending.id, None)


class DeliveryQueue:
    """The pending deliveries of all sinks.

    Attributes:
        changes: Not stored yet.
        dropped: By sink, how many were dropped because too many were pending.
        dead_letters: By sink, how many became dead letters.
    """

    def __init__(
        self, pending: Iterable[PendingDelivery] = (), *, max_per_sink: int = 100_000, first_id: int = 1
    ) -> None:
        """Begin with what was pending before a restart.

        Args:
            pending: In the order of their ids.
            max_per_sink: When more deliveries wait, the oldest is dropped and counted. States are never dropped: there
                are as many as keys.
            first_id: The next id, higher than any used before.
        """
        self._max_per_sink = max_per_sink
        self._next_id = first_id
        self._sinks: dict[str, _SinkQueue] = {}
        self._listeners: dict[str, Callable[[], None]] = {}
        self.changes = QueueChanges()
        self.dropped: dict[str, int] = {}
        self.dead_letters: dict[str, int] = {}
        for one in pending:
            self._sink(one.delivery.sink).append(one)
            self._next_id = max(self._next_id, one.id + 1)

    def counts(self) -> dict[str, int]:
        """The number of pending deliveries by sink, those in flight included."""
        return {sink: len(queue) for sink, queue in self._sinks.items()}

    def listen(self, sink: str, wake: Callable[[], None]) -> None:
        """Call `wake` whenever the sink has something to send; at once if it has."""
        self._listeners[sink] = wake
        if len(self._sink(sink)):
            wake()

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Add deliveries; nothing is sent before `wake`."""
        for delivery in deliveries:
            queue = self._sink(delivery.sink)
            if delivery.replaces:
                self._replace(queue, delivery.key)
            pending = PendingDelivery(self._next_id, delivery)
            self._next_id += 1
            queue.append(pending)
            self.changes.added[pending.id] = pending
            while len(queue.waiting) > self._max_per_sink and queue.droppable:
                self._remove(next(iter(queue.droppable.values())))
                self.dropped[delivery.sink] = self.dropped.get(delivery.sink, 0) + 1

    def wake(self) -> None:
        """Call the listeners of sinks with waiting deliveries.

        Called after the commit, so that nothing is sent that a crash could undo.
        """
        for sink, wake in self._listeners.items():
            if self._sink(sink).waiting:
                wake()

    def next(self, sink: str, now: int) -> PendingDelivery | None:
        """Put the oldest delivery that is due in flight: the first of its key, while no other of that key is.

        The caller acknowledges it, postpones it, or makes it a dead letter.
        """
        queue = self._sink(sink)
        pending = queue.first()
        if pending is None or pending.next_at > now:
            return None
        queue.take(pending)
        return pending

    def next_at(self, sink: str) -> int | None:
        """When `next` returns something, 0 for now; None while all that waits is behind what is in flight."""
        pending = self._sink(sink).first()
        return None if pending is None else pending.next_at

    def take(self, sink: str, limit: int, now: int) -> list[PendingDelivery]:
        """Put up to `limit` due deliveries in flight, in order, of any keys: for a sink that keeps the order."""
        queue = self._sink(sink)
        taken = list(islice((pending for pending in queue.waiting.values() if pending.next_at <= now), max(0, limit)))
        for pending in taken:
            queue.take(pending)
        return taken

    def acknowledge(self, pending: PendingDelivery) -> None:
        """Remove a delivery: it arrived, or is not needed any more."""
        self._remove(pending)

    def postpone(self, pending: PendingDelivery, until: int) -> None:
        """Count a failed attempt; the next one is at `until`, nanoseconds since 1970. Its key waits for it."""
        if pending.removed:
            return
        pending.attempts += 1
        pending.next_at = until
        if pending.id not in self.changes.added:
            self.changes.postponed[pending.id] = pending
        self._sink(pending.delivery.sink).put_back(pending)

    def dead_letter(self, pending: PendingDelivery, reason: str, now: int) -> None:
        """Give up a delivery, keep it among the dead letters, and continue with its key."""
        if pending.removed:
            return
        self._remove(pending)
        sink = pending.delivery.sink
        self.dead_letters[sink] = self.dead_letters.get(sink, 0) + 1
        self.changes.dead.append(DeadLetter(pending, now, reason))
        del self.changes.dead[:-MAX_DEAD_LETTERS]

    def committed(self, changes: QueueChanges) -> None:
        """Forget changes that are stored."""
        if changes is self.changes:
            self.changes = QueueChanges()

    def _sink(self, sink: str) -> _SinkQueue:
        return self._sinks.setdefault(sink, _SinkQueue())

    def _replace(self, queue: _SinkQueue, key: str) -> None:
        for pending in list(queue.by_key.get(key, ())):
            if pending.delivery.replaces and not pending.in_flight:
                self._remove(pending)

    def _remove(self, pending: PendingDelivery) -> None:
        if pending.removed:
            return
        self._sink(pending.delivery.sink).remove(pending)
        self.changes.postponed.pop(pending.id, None)
        if self.changes.added.pop(pending.id, None) is None:
            self.changes.removed.append(pending.id)
