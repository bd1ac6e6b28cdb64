"""The tables of pending deliveries and dead letters: writes a queue's changes, reads the queue at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.delivery import DeadLetter, Delivery, DeliveryQueue, PendingDelivery
from tocsin.delivery.queue import MAX_DEAD_LETTERS

if TYPE_CHECKING:
    import sqlite3

    from tocsin.delivery import QueueChanges


def write(connection: sqlite3.Connection, changes: QueueChanges) -> None:
    """Write a queue's changes, in a transaction of the caller's."""
    connection.executemany(
        "INSERT INTO delivery (id, sink, key, event_id, body, replaces, attempts, next_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (p.id, d.sink, d.key, d.event_id, d.body, d.replaces, p.attempts, p.next_at)
            for p in changes.added.values()
            for d in [p.delivery]
        ],
    )
    connection.executemany(
        "UPDATE delivery SET attempts = ?, next_at = ? WHERE id = ?",
        [(p.attempts, p.next_at, p.id) for p in changes.postponed.values()],
    )
    connection.executemany("DELETE FROM delivery WHERE id = ?", [(i,) for i in changes.removed])
    if changes.dead:
        connection.executemany(
            "INSERT INTO dead_letter (id, sink, key, event_id, body, attempts, died_at, reason) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (p.id, d.sink, d.key, d.event_id, d.body, p.attempts, dead.died_at, dead.reason)
                for dead in changes.dead
                for p in [dead.pending]
                for d in [p.delivery]
            ],
        )
        connection.execute(
            "DELETE FROM dead_letter WHERE id <= (SELECT id FROM dead_letter ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (MAX_DEAD_LETTERS,),
        )


def load(connection: sqlite3.Connection, max_per_sink: int) -> DeliveryQueue:
    """Read the queue of pending deliveries."""
    rows = connection.execute(
        "SELECT id, sink, key, event_id, body, replaces, attempts, next_at FROM delivery ORDER BY id"
    )
    pending = [
        PendingDelivery(number, Delivery(sink, key, event_id, body, bool(replaces)), attempts, next_at)
        for number, sink, key, event_id, body, replaces, attempts, next_at in rows
    ]
    (last_dead,) = connection.execute("SELECT ifnull(max(id), 0) FROM dead_letter").fetchone()
    queue = DeliveryQueue(pending, max_per_sink=max_per_sink, first_id=last_dead + 1)
    queue.dead_letters = dict(connection.execute("SELECT sink, count(*) FROM dead_letter GROUP BY sink").fetchall())
    return queue


def dead_letters(connection: sqlite3.Connection) -> list[DeadLetter]:
    """Read the dead letters, the oldest first."""
    rows = connection.execute(
        "SELECT id, sink, key, event_id, body, attempts, died_at, reason FROM dead_letter ORDER BY id"
    )
    return [
        DeadLetter(
            PendingDelivery(number, Delivery(sink, key, event_id, body), attempts, removed=True), died_at, reason
        )
        for number, sink, key, event_id, body, attempts, died_at, reason in rows
    ]
