"""Alarm log: every transition of every alarm, append-only and searchable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.alarm import serialization

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from tocsin.alarm.events import Event


@dataclass(frozen=True, slots=True)
class AlarmLogQuery:
    """Filter of events; None and empty mean no restriction.

    Attributes:
        since: Least `t`, nanoseconds since 1970.
        until: Events before this `t`.
        stream: Pattern of the stream's name; `*` matches any text, `?` one character.
        labels: Labels that the stream must have.
        alarm: Pattern of the alarm's name.
        priority: Priority after the event.
        category: Category of the alarm.
        transition: The transition.
        occurrence: The id of the event that raised the occurrence.
        actor: The person or program that gave the command.
        verdict: The verdict of a mark.
        below_id: Ids below this, to continue where a page ended.
        limit: Greatest number of events, the newest.
    """

    since: int | None = None
    until: int | None = None
    stream: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    alarm: str | None = None
    priority: str | None = None
    category: str | None = None
    transition: str | None = None
    occurrence: int | None = None
    actor: str | None = None
    verdict: str | None = None
    below_id: int | None = None
    limit: int | None = None


_INSERT = """INSERT INTO event(
    id, t, raised_at, stream, alarm, priority, category, transition, occurrence, actor, verdict, labels, body
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_ORDER = "ORDER BY id DESC"

_labels = msgspec.json.Encoder(order="sorted")


def append(connection: sqlite3.Connection, events: Iterable[Event]) -> None:
    """Insert events, within the caller's transaction."""
    ids: dict[str, int] = {}
    rows = []
    for event in events:
        labels = _labels.encode(dict(event.labels)).decode()
        if labels not in ids:
            ids[labels] = _labels_id(connection, labels)
        body = serialization.encode_event(event).decode()
        rows.append(
            (
                event.id,
                event.t,
                event.raised_at,
                event.stream,
                event.alarm,
                str(event.status.priority),
                str(event.category),
                str(event.transition),
                event.occurrence,
                event.actor,
                None if event.verdict is None else str(event.verdict),
                ids[labels],
                body,
            )
        )
    connection.executemany(_INSERT, rows)


def _labels_id(connection: sqlite3.Connection, labels: str) -> int:
    found = connection.execute("SELECT id FROM labels WHERE body = ?", (labels,)).fetchone()
    if found is None:
        return int(connection.execute("INSERT INTO labels(body) VALUES (?)", (labels,)).lastrowid or 0)
    return int(found[0])


def read(connection: sqlite3.Connection, query: AlarmLogQuery) -> list[Event]:
    """Find events, the oldest first."""
    where, values = _where(query)
    limit = "" if query.limit is None else f"LIMIT {int(query.limit)}"
    rows = connection.execute(f"SELECT body FROM event {where} {_ORDER} {limit}", values)  # noqa: S608  (no text of the caller's)
    return [serialization.decode_event(row[0]) for row in reversed(rows.fetchall())]


def after(connection: sqlite3.Connection, event_id: int) -> list[Event]:
    """The events with higher ids, the oldest first."""
    rows = connection.execute("SELECT body FROM event WHERE id > ? ORDER BY id", (event_id,))
    return [serialization.decode_event(row[0]) for row in rows]


def numbered(connection: sqlite3.Connection, ids: Iterable[int]) -> list[Event]:
    """The events with these ids that are not removed yet, the oldest first."""
    rows = (connection.execute("SELECT body FROM event WHERE id = ?", (number,)).fetchone() for number in sorted(ids))
    return [serialization.decode_event(row[0]) for row in rows if row is not None]


def last_id(connection: sqlite3.Connection) -> int:
    """The highest id that was ever logged; 0 if there is none."""
    return int(
        connection.execute(
            "SELECT max((SELECT before - 1 FROM retention), (SELECT ifnull(max(id), 0) FROM event))"
        ).fetchone()[0]
    )


def _where(query: AlarmLogQuery) -> tuple[str, list[Any]]:
    terms: list[str] = []
    values: list[Any] = []

    def add(term: str, *given: object) -> None:
        terms.append(term)
        values.extend(given)

    for term, value in (
        ("t >= ?", query.since),
        ("t < ?", query.until),
        ("stream GLOB ?", query.stream),
        ("alarm GLOB ?", query.alarm),
        ("priority = ?", query.priority),
        ("category = ?", query.category),
        ("transition = ?", query.transition),
        ("occurrence = ?", query.occurrence),
        ("actor = ?", query.actor),
        ("verdict = ?", query.verdict),
        ("id < ?", query.below_id),
    ):
        if value is not None:
            add(term, str(value) if isinstance(value, str) else value)
    for name, value in query.labels.items():
        # Quoted: a label's name may hold anything.
        add("labels IN (SELECT id FROM labels WHERE json_extract(body, ?) = ?)", f'$."{name}"', value)
    return ("WHERE " + " AND ".join(terms) if terms else ""), values


def forget(connection: sqlite3.Connection, before: int, most: int) -> int:
    """Remove the oldest events, in one transaction.

    Args:
        connection: The store.
        before: Events with lower ids are removed.
        most: Greatest number of events to remove.

    Returns:
        The number of removed events.
    """
    ids = connection.execute("SELECT id FROM event WHERE id < ? ORDER BY id LIMIT ?", (before, most)).fetchall()
    if not ids:
        return 0
    end = ids[-1][0] + 1
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE retention SET before = max(before, ?)", (end,))
        connection.execute("DELETE FROM event WHERE id < ?", (end,))
    return len(ids)


def older_than(connection: sqlite3.Connection, raised_at: int) -> int:
    """The id of the first event that was processed at or after a time: ids count up with the time of processing."""
    row = connection.execute(
        "SELECT id FROM event WHERE id > (SELECT before - 1 FROM retention) AND raised_at >= ? ORDER BY id LIMIT 1",
        (raised_at,),
    ).fetchone()
    return int(row[0]) if row is not None else last_id(connection) + 1
