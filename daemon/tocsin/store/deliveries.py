"""What somebody is still to be told: in order per key, at least once, until it is settled or buried.

All of it is in memory; what changed since it was last written down is `pending`, for the store's next commit. Without a
store it works the same, until the process ends.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

MAX_DEAD_LETTERS = 10_000


@dataclass(frozen=True, slots=True)
class Owed:
    """Something to tell.

    Attributes:
        sink: Who tells it, such as `mqtt`.
        key: What is told of one key stays in order; usually stream and alarm.
        event_id: Of the event; lets receivers drop doubles.
        body: What to tell, as the sink encodes it.
        merges: Whether it takes the place of what its sink has not yet begun to tell of this key: a state, not news.
    """

    sink: str
    key: str
    event_id: int
    body: bytes
    merges: bool = False


@dataclass(slots=True, eq=False)
class Delivery:
    """Something owed, on its way.

    Attributes:
        id: Counts up in the order in which things came to be owed.
        owed: What.
        attempts: How often it was tried and postponed.
        next_at: Not to be tried before; nanoseconds since 1970.
    """

    id: int
    owed: Owed
    attempts: int = 0
    next_at: int = 0
    in_hand: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What nobody could be told.

    Attributes:
        delivery: It.
        died_at: When it was given up, nanoseconds since 1970.
        reason: Why.
    """

    delivery: Delivery
    died_at: int
    reason: str


@dataclass(slots=True)
class Pending:
    """What the file doesn't know yet of the deliveries."""

    new: dict[int, Delivery] = field(default_factory=dict)
    changed: dict[int, Delivery] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.new or self.changed or self.gone or self.dead)


class _Line:
    """What one sink owes."""

    def __init__(self) -> None:
        self.by_key: dict[str, deque[Delivery]] = {}
        self.waiting: dict[int, Delivery] = {}  # by id: what is not in hand
        self.news: dict[int, Delivery] = {}  # of that, what is no state
        self.in_hand = 0
        self._heads: list[tuple[int, int, Delivery]] = []  # a heap of what may be tried: the first of each key

    def __len__(self) -> int:
        return len(self.waiting) + self.in_hand

    def append(self, delivery: Delivery) -> None:
        queue = self.by_key.setdefault(delivery.owed.key, deque())
        queue.append(delivery)
        self._wait(delivery)
        if len(queue) == 1:
            self.offer(delivery.owed.key)

    def offer(self, key: str) -> None:
        """Let the first of a key be tried."""
        queue = self.by_key.get(key)
        if queue and not queue[0].in_hand:
            heapq.heappush(self._heads, (queue[0].next_at, queue[0].id, queue[0]))

    def first(self) -> Delivery | None:
        """What is to be tried next, be it time or not."""
        while self._heads:
            next_at, _, delivery = self._heads[0]
            if not (delivery.gone or delivery.in_hand or delivery.next_at != next_at):
                return delivery
            heapq.heappop(self._heads)
        return None

    def take(self, delivery: Delivery) -> None:
        delivery.in_hand = True
        self.in_hand += 1
        self._wait_no_more(delivery)

    def put_back(self, delivery: Delivery) -> None:
        if delivery.in_hand:
            delivery.in_hand = False
            self.in_hand -= 1
            self._wait(delivery)
        self.offer(delivery.owed.key)

    def remove(self, delivery: Delivery) -> None:
        delivery.gone = True
        if delivery.in_hand:
            self.in_hand -= 1
        else:
            self._wait_no_more(delivery)
        key = delivery.owed.key
        queue = self.by_key[key]
        was_first = queue[0] is delivery
        queue.remove(delivery)
        if not queue:
            del self.by_key[key]
        elif was_first:
            self.offer(key)

    def _wait(self, delivery: Delivery) -> None:
        self.waiting[delivery.id] = delivery
        if not delivery.owed.merges:
            self.news[delivery.id] = delivery

    def _wait_no_more(self, delivery: Delivery) -> None:
        del self.waiting[delivery.id]
        self.news.pop(delivery.id, None)


class Deliveries:
    """Everything owed, by sink."""

    def __init__(self, owed: Iterable[Delivery] = (), *, max_per_sink: int = 100_000, first_id: int = 1) -> None:
        """Begin with what is owed from before.

        Args:
            owed: In the order of their ids.
            max_per_sink: When more waits, the oldest news goes, and is counted. States stay: there are as many as keys.
            first_id: Of what comes next; higher than any there is.
        """
        self._max_per_sink = max_per_sink
        self._next_id = first_id
        self._lines: dict[str, _Line] = {}
        self._listeners: dict[str, Callable[[], None]] = {}
        self.pending = Pending()
        self.dropped: dict[str, int] = {}
        self.dead: dict[str, int] = {}
        for delivery in owed:
            self._line(delivery.owed.sink).append(delivery)
            self._next_id = max(self._next_id, delivery.id + 1)

    def waiting(self) -> dict[str, int]:
        """How much each sink owes, what it has in hand included."""
        return {sink: len(line) for sink, line in self._lines.items()}

    def listen(self, sink: str, wake: Callable[[], None]) -> None:
        """Be called by `wake` whenever a sink owes something; at once if it does already."""
        self._listeners[sink] = wake
        if len(self._line(sink)):
            wake()

    def owe(self, owed: Iterable[Owed]) -> None:
        """Add what is to be told; `wake` tells the sinks of it."""
        for one in owed:
            line = self._line(one.sink)
            if one.merges:
                self._merge(line, one.key)
            delivery = Delivery(self._next_id, one)
            self._next_id += 1
            line.append(delivery)
            self.pending.new[delivery.id] = delivery
            while len(line.waiting) > self._max_per_sink and line.news:
                self._remove(next(iter(line.news.values())))
                self.dropped[one.sink] = self.dropped.get(one.sink, 0) + 1

    def wake(self) -> None:
        """Tell the sinks that owe something: after the commit, so that nothing is told that a crash could undo."""
        for sink, wake in self._listeners.items():
            if self._line(sink).waiting:
                wake()

    def next(self, sink: str, now: int) -> Delivery | None:
        """Take in hand the oldest that may be tried now: the first of its key, and no other of that key in hand.

        Whoever takes it settles, postpones or buries it.
        """
        line = self._line(sink)
        delivery = line.first()
        if delivery is None or delivery.next_at > now:
            return None
        line.take(delivery)
        return delivery

    def next_at(self, sink: str) -> int | None:
        """When `next` will have something, 0 for at once; None while all that waits is behind what is in hand."""
        delivery = self._line(sink).first()
        return None if delivery is None else delivery.next_at

    def take(self, sink: str, most: int) -> list[Delivery]:
        """Take so many in hand, in order: for a sink that keeps the order by itself and postpones none."""
        line = self._line(sink)
        taken = list(islice(line.waiting.values(), most))
        for delivery in taken:
            line.take(delivery)
        return taken

    def settle(self, delivery: Delivery) -> None:
        """It has been told, or need not be any more."""
        self._remove(delivery)

    def postpone(self, delivery: Delivery, until: int) -> None:
        """It could not be told; try again at `until`, nanoseconds since 1970. Its key waits for it."""
        if delivery.gone:
            return
        delivery.attempts += 1
        delivery.next_at = until
        if delivery.id not in self.pending.new:
            self.pending.changed[delivery.id] = delivery
        self._line(delivery.owed.sink).put_back(delivery)

    def bury(self, delivery: Delivery, reason: str, now: int) -> None:
        """It can't be told, ever: keep it among the dead letters, and go on with its key."""
        if delivery.gone:
            return
        self._remove(delivery)
        sink = delivery.owed.sink
        self.dead[sink] = self.dead.get(sink, 0) + 1
        self.pending.dead.append(DeadLetter(delivery, now, reason))
        del self.pending.dead[:-MAX_DEAD_LETTERS]

    def written(self, pending: Pending) -> None:
        """What was pending is in the file."""
        if pending is self.pending:
            self.pending = Pending()

    def _line(self, sink: str) -> _Line:
        return self._lines.setdefault(sink, _Line())

    def _merge(self, line: _Line, key: str) -> None:
        for delivery in list(line.by_key.get(key, ())):
            if delivery.owed.merges and not delivery.in_hand:
                self._remove(delivery)

    def _remove(self, delivery: Delivery) -> None:
        if delivery.gone:
            return
        self._line(delivery.owed.sink).remove(delivery)
        self.pending.changed.pop(delivery.id, None)
        if self.pending.new.pop(delivery.id, None) is None:
            self.pending.gone.append(delivery.id)


def write(connection: sqlite3.Connection, pending: Pending) -> None:
    """Bring the file up to what is pending, in a transaction of the caller's."""
    connection.executemany(
        "INSERT INTO owed VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (d.id, d.owed.sink, d.owed.key, d.owed.event_id, d.owed.body, d.owed.merges, d.attempts, d.next_at)
            for d in pending.new.values()
        ],
    )
    connection.executemany(
        "UPDATE owed SET attempts = ?, next_at = ? WHERE id = ?",
        [(d.attempts, d.next_at, d.id) for d in pending.changed.values()],
    )
    connection.executemany("DELETE FROM owed WHERE id = ?", [(i,) for i in pending.gone])
    if pending.dead:
        connection.executemany(
            "INSERT INTO dead_letter VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (d.id, d.owed.sink, d.owed.key, d.owed.event_id, d.owed.body, d.attempts, dead.died_at, dead.reason)
                for dead in pending.dead
                for d in [dead.delivery]
            ],
        )
        connection.execute(
            "DELETE FROM dead_letter WHERE id <= (SELECT id FROM dead_letter ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (MAX_DEAD_LETTERS,),
        )


def load(connection: sqlite3.Connection, max_per_sink: int) -> Deliveries:
    """What the file says is owed."""
    rows = connection.execute("SELECT id, sink, key, event_id, body, merges, attempts, next_at FROM owed ORDER BY id")
    owed = [
        Delivery(number, Owed(sink, key, event_id, body, bool(merges)), attempts, next_at)
        for number, sink, key, event_id, body, merges, attempts, next_at in rows
    ]
    (dead,) = connection.execute("SELECT ifnull(max(id), 0) FROM dead_letter").fetchone()
    deliveries = Deliveries(owed, max_per_sink=max_per_sink, first_id=dead + 1)
    deliveries.dead = dict(connection.execute("SELECT sink, count(*) FROM dead_letter GROUP BY sink").fetchall())
    return deliveries


def dead_letters(connection: sqlite3.Connection) -> list[DeadLetter]:
    """What was buried, the oldest first."""
    rows = connection.execute(
        "SELECT id, sink, key, event_id, body, attempts, died_at, reason FROM dead_letter ORDER BY id"
    )
    return [
        DeadLetter(Delivery(number, Owed(sink, key, event_id, body), attempts, gone=True), died_at, reason)
        for number, sink, key, event_id, body, attempts, died_at, reason in rows
    ]
