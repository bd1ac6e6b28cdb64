"""Inputs in the order in which they were applied, and snapshots of what they had made by some position.

"Append, get a position, read from a position; put and get a snapshot at a position": what is in an input or a snapshot
is the business of whoever applies it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

PART_BYTES = 1 << 18


class Input(msgspec.Struct, frozen=True, array_like=True):
    """One call that changed what the daemon knows.

    Attributes:
        kind: Which call.
        now: Its `now`, nanoseconds since 1970.
        body: Everything else of it, encoded.
    """

    kind: str
    now: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """The inputs of one commit.

    Attributes:
        position: Counts up from 1.
        last_event: The id of the last event once they had been applied.
        inputs: In order.
    """

    position: int
    last_event: int
    inputs: list[Input]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Input]).decode


def append(connection: sqlite3.Connection, position: int, last_event: int, inputs: Sequence[Input]) -> int:
    """Insert a row, in a transaction of the caller's; its size in bytes."""
    body = _encode(inputs)
    connection.execute("INSERT INTO journal VALUES (?, ?, ?)", (position, last_event, body))
    return len(body)


def read(connection: sqlite3.Connection, after: int) -> Iterator[Entry]:
    """The rows beyond a position."""
    for position, last_event, body in connection.execute(
        "SELECT position, last_event, body FROM journal WHERE position > ? ORDER BY position", (after,)
    ):
        yield Entry(position, last_event, _decode(body))


def last_position(connection: sqlite3.Connection) -> int:
    """The highest position there ever was; 0 if there was none."""
    return int(
        connection.execute(
            "SELECT max(ifnull((SELECT max(position) FROM journal), 0), "
            "ifnull((SELECT max(position) FROM snapshot_at), 0))"
        ).fetchone()[0]
    )


def size(connection: sqlite3.Connection) -> int:
    """Bytes in all rows."""
    return int(connection.execute("SELECT ifnull(sum(length(body)), 0) FROM journal").fetchone()[0])


def put_part(connection: sqlite3.Connection, position: int, part: int, body: bytes) -> None:
    """Write a part of a snapshot, which counts for nothing until `conclude`."""
    connection.execute("INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?)", (position, part, body))


def conclude(connection: sqlite3.Connection, position: int, made_at: int) -> None:
    """Make the snapshot at a position the one that counts, in a transaction of the caller's."""
    connection.execute("DELETE FROM snapshot_at")
    connection.execute("INSERT INTO snapshot_at VALUES (?, ?)", (position, made_at))


def latest(connection: sqlite3.Connection) -> tuple[int, int, bytes] | None:
    """Position, time and body of the snapshot that counts; None if there is none."""
    at = connection.execute("SELECT position, made_at FROM snapshot_at").fetchone()
    if at is None:
        return None
    parts = connection.execute("SELECT body FROM snapshot WHERE position = ? ORDER BY part", (at[0],))
    return int(at[0]), int(at[1]), b"".join(row[0] for row in parts)


def truncate(connection: sqlite3.Connection, most: int) -> int:
    """Remove up to so many rows that the snapshot covers, and parts of other snapshots; the bytes that went.

    In one transaction, but for parts beyond the snapshot's position: those are being written.
    """
    at = connection.execute("SELECT position FROM snapshot_at").fetchone()
    if at is None:
        return 0
    rows = connection.execute(
        "SELECT position, length(body) FROM journal WHERE position <= ? ORDER BY position LIMIT ?", (at[0], most)
    ).fetchall()
    parts = connection.execute(
        "SELECT position, part, length(body) FROM snapshot WHERE position < ? LIMIT ?", (at[0], most)
    ).fetchall()
    if not rows and not parts:
        return 0
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if rows:
            connection.execute("DELETE FROM journal WHERE position <= ?", (rows[-1][0],))
        connection.executemany("DELETE FROM snapshot WHERE position = ? AND part = ?", [part[:2] for part in parts])
    return sum(int(row[-1]) for row in (*rows, *parts))
