"""The log of commands for streams: who asked what, when and why, and what came of it; appended, never changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from tocsin.engine.lifecycle.commands import CommandEntry

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class CommandLogQuery:
    """Which commands are wanted; what is left out restricts nothing.

    Attributes:
        since: From here on, nanoseconds since 1970.
        until: Before this.
        stream: Its name, or where it was transferred to; `*` stands for any text, `?` for one character.
        actor: Who asked.
        verb: What was asked.
        below_id: Ids below this: to go on where a page ended.
        limit: How many at most, the newest.
    """

    since: int | None = None
    until: int | None = None
    stream: str | None = None
    actor: str | None = None
    verb: str | None = None
    below_id: int | None = None
    limit: int | None = None


_INSERT = "INSERT INTO stream_command(at, actor, mark, verb, stream, to_stream, body) VALUES (?, ?, ?, ?, ?, ?, ?)"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(CommandEntry).decode


def append(connection: sqlite3.Connection, entries: Iterable[CommandEntry]) -> None:
    """Insert entries, in a transaction of the caller's."""
    connection.executemany(
        _INSERT,
        [(e.at, e.actor, e.transaction, e.verb, e.stream, e.arguments.get("to"), _encode(e).decode()) for e in entries],
    )


def read(connection: sqlite3.Connection, wanted: CommandLogQuery) -> list[CommandEntry]:
    """Find entries, the oldest first."""
    terms: list[str] = []
    values: list[int | str] = []
    for term, value in (
        ("at >= ?", wanted.since),
        ("at < ?", wanted.until),
        ("(stream GLOB ? OR to_stream GLOB ?)", wanted.stream),
        ("actor = ?", wanted.actor),
        ("verb = ?", wanted.verb),
        ("id < ?", wanted.below_id),
    ):
        if value is not None:
            terms.append(term)
            values += [value] * term.count("?")
    where = "WHERE " + " AND ".join(terms) if terms else ""
    limit = "" if wanted.limit is None else f"LIMIT {int(wanted.limit)}"
    rows = connection.execute(f"SELECT id, body FROM stream_command {where} ORDER BY id DESC {limit}", values)  # noqa: S608  (no text of the caller's)
    return [_entry(row) for row in reversed(rows.fetchall())]


def marked(connection: sqlite3.Connection, transaction: str) -> CommandEntry | None:
    """The command that was carried out under this mark; None if none was."""
    row = connection.execute(
        "SELECT id, body FROM stream_command WHERE mark = ? ORDER BY id DESC LIMIT 1", (transaction,)
    ).fetchone()
    return None if row is None else _entry(row)


def forget(connection: sqlite3.Connection, before: int | None, most: int) -> int:
    """Remove up to so many of the oldest entries from before a time, or of all; how many went. In one transaction."""
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


def _entry(row: tuple[int, str]) -> CommandEntry:
    return replace(_decode(row[1]), id=row[0])
