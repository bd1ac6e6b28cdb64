"""Log of commands for streams: actor, time, reason and effect of each, append-only and searchable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import field

from tocsin.engine.lifecycle.commands import CommandEntry

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class CommandLogQuery:
    """Filter of commands; None means no restriction.

    Attributes:
        since: Least time, nanoseconds since 1970.
        until: Commands before this time.
        stream: Pattern of the stream's name, or of a transfer's new name; `*` matches any text, `?` one character.
        actor: The person or program that gave the command.
        verb: The command's verb.
        below_id: Ids below this, to continue where a page ended.
        limit: Greatest number of commands, the newest.
    """

    since: int | None = None
    until: int | None = None
    stream: str | None = None
    actor: str | None = None
    verb: str | None = None
    below_id: int | None = None
    limit: int | None = None


_INSERT = "INSERT INTO stream_command(at, actor, mark, verb, stream, to_stream, body) VALUES (?, ?, ?, ?, ?, ?, ?)"


class StoredCommand(msgspec.Struct, frozen=True):
    """The stored form of an entry: a literal key for every field."""

    at: int = field(name="at")
    actor: str = field(name="actor")
    comment: str | None = field(name="comment")
    transaction: str | None = field(name="transaction")
    verb: str = field(name="verb")
    stream: str = field(name="stream")
    arguments: dict[str, Any] = field(name="arguments")
    digest: str = field(name="digest")
    watches: list[str] = field(name="watches")
    events: list[int] = field(name="events")
    id: int = field(name="id", default=0)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(StoredCommand).decode


def append(connection: sqlite3.Connection, entries: Iterable[CommandEntry]) -> None:
    """Insert entries, within the caller's transaction."""
    connection.executemany(
        _INSERT,
        [
            (e.at, e.actor, e.transaction, e.verb, e.stream, e.arguments.get("to"), _encode(_stored(e)).decode())
            for e in entries
        ],
    )


def read(connection: sqlite3.Connection, query: CommandLogQuery) -> list[CommandEntry]:
    """Find entries, the oldest first."""
    terms: list[str] = []
    values: list[int | str] = []
    for term, value in (
        ("at >= ?", query.since),
        ("at < ?", query.until),
        ("(stream GLOB ? OR to_stream GLOB ?)", query.stream),
        ("actor = ?", query.actor),
        ("verb = ?", query.verb),
        ("id < ?", query.below_id),
    ):
        if value is not None:
            terms.append(term)
            values += [value] * term.count("?")
    where = "WHERE " + " AND ".join(terms) if terms else ""
    limit = "" if query.limit is None else f"LIMIT {int(query.limit)}"
    rows = connection.execute(f"SELECT id, body FROM stream_command {where} ORDER BY id DESC {limit}", values)  # noqa: S608  (no text of the caller's)
    return [_entry(row) for row in reversed(rows.fetchall())]


def of_transaction(connection: sqlite3.Connection, transaction: str) -> CommandEntry | None:
    """The entry of a transaction; None if the log has none."""
    row = connection.execute(
        "SELECT id, body FROM stream_command WHERE mark = ? ORDER BY id DESC LIMIT 1", (transaction,)
    ).fetchone()
    return None if row is None else _entry(row)


def forget(connection: sqlite3.Connection, before: int | None, most: int) -> int:
    """Remove the oldest entries, in one transaction.

    Args:
        connection: The store.
        before: Entries from before this time are removed, nanoseconds since 1970; None: all.
        most: Greatest number of entries to remove.

    Returns:
        The number of removed entries.
    """
    rows = connection.execute("SELECT id, at FROM stream_command ORDER BY id LIMIT ?", (most,)).fetchall()
    going = [row[0] for row in rows if before is None or row[1] < before]
    if not going:
        return 0
    end = going[-1] + 1
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE stream_command_retention SET before = max(before, ?)", (end,))
        connection.execute("DELETE FROM stream_command WHERE id < ?", (end,))
    return len(going)


def _stored(entry: CommandEntry) -> StoredCommand:
    return StoredCommand(
        at=entry.at,
        actor=entry.actor,
        comment=entry.comment,
        transaction=entry.transaction,
        verb=entry.verb,
        stream=entry.stream,
        arguments=entry.arguments,
        digest=entry.digest,
        watches=entry.watches,
        events=entry.events,
        id=entry.id,
    )


def _entry(row: tuple[int, str]) -> CommandEntry:
    number, body = row
    stored = _decode(body)
    return CommandEntry(
        at=stored.at,
        actor=stored.actor,
        comment=stored.comment,
        transaction=stored.transaction,
        verb=stored.verb,
        stream=stored.stream,
        arguments=stored.arguments,
        digest=stored.digest,
        watches=stored.watches,
        events=stored.events,
        id=number,
    )
