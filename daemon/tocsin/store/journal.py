"""Journal of applied entries in order, and snapshots of the state at a position of it.

Entries and snapshots are bytes here: the runtime encodes and applies them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

PART_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class JournalCommit:
    """The journal entries of one commit.

    Attributes:
        position: Number of the commit, from 1.
        last_event: Id of the last alarm event after the entries.
        entries: Encoded entries in order.
    """

    position: int
    last_event: int
    entries: list[bytes]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[bytes]).decode


def append(connection: sqlite3.Connection, position: int, last_event: int, entries: Sequence[bytes]) -> int:
    """Insert a commit's entries, in a transaction of the caller's; returns their size in bytes."""
    body = _encode(entries)
    connection.execute("INSERT INTO journal VALUES (?, ?, ?)", (position, last_event, body))
    return len(body)


def read(connection: sqlite3.Connection, after: int) -> Iterator[JournalCommit]:
    """Read the commits after a position, in order."""
    for position, last_event, body in connection.execute(
        "SELECT position, last_event, body FROM journal WHERE position > ? ORDER BY position", (after,)
    ):
        yield JournalCommit(position, last_event, _decode(body))


def last_position(connection: sqlite3.Connection) -> int:
    """The highest position that was ever used; 0 if none was."""
    return int(
        connection.execute(
            "SELECT max(ifnull((SELECT max(position) FROM journal), 0), "
            "ifnull((SELECT max(position) FROM snapshot_at), 0))"
        ).fetchone()[0]
    )


def size(connection: sqlite3.Connection) -> int:
    """Size of all entries in bytes."""
    return int(connection.execute("SELECT ifnull(sum(length(body)), 0) FROM journal").fetchone()[0])


def put_part(connection: sqlite3.Connection, position: int, part: int, body: bytes) -> None:
    """Write a part of a snapshot, which is not valid before `conclude`."""
    connection.execute("INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?)", (position, part, body))


def conclude(connection: sqlite3.Connection, position: int, made_at: int) -> None:
    """Make the snapshot at a position the valid one, in a transaction of the caller's."""
    connection.execute("DELETE FROM snapshot_at")
    connection.execute("INSERT INTO snapshot_at VALUES (?, ?)", (position, made_at))


def latest(connection: sqlite3.Connection) -> tuple[int, int, bytes] | None:
    """Position, time and body of the valid snapshot; None if there is none."""
    at = connection.execute("SELECT position, made_at FROM snapshot_at").fetchone()
    if at is None:
        return None
    parts = connection.execute("SELECT body FROM snapshot WHERE position = ? ORDER BY part", (at[0],))
    return int(at[0]), int(at[1]), b"".join(row[0] for row in parts)


def truncate(connection: sqlite3.Connection, max_rows: int) -> int:
    """Remove rows that the valid snapshot covers, and parts of older snapshots, in one transaction.

    Parts beyond the valid snapshot's position stay: they are being written.

    Args:
        connection: Connection to the file.
        max_rows: How many rows, and how many parts, are removed at most.

    Returns:
        Removed bytes.
    """
    at = connection.execute("SELECT position FROM snapshot_at").fetchone()
    if at is None:
        return 0
    rows = connection.execute(
        "SELECT position, length(body) FROM journal WHERE position <= ? ORDER BY position LIMIT ?", (at[0], max_rows)
    ).fetchall()
    parts = connection.execute(
        "SELECT position, part, length(body) FROM snapshot WHERE position < ? LIMIT ?", (at[0], max_rows)
    ).fetchall()
    if not rows and not parts:
        return 0
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if rows:
            connection.execute("DELETE FROM journal WHERE position <= ?", (rows[-1][0],))
        connection.executemany("DELETE FROM snapshot WHERE position = ? AND part = ?", [part[:2] for part in parts])
    return sum(int(row[-1]) for row in (*rows, *parts))
