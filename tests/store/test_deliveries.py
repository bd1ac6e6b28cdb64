"""Pending deliveries and dead letters across crashes, and in the file."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from numbered_deliveries import numbered, sent

from tocsin.store import Store, schema


def test_pending_deliveries_outlive_a_crash(store, reopened):
    queue = store.deliveries
    queue.add([numbered(1), numbered(2), numbered(3, "b"), numbered(4, "c", replaces=True)])
    store.commit([], [])
    first = queue.next("webhook", 0)
    queue.acknowledge(queue.next("webhook", 0))
    queue.postpone(first, until=50)
    queue.dead_letter(queue.next("webhook", 0), "refused", 7)
    store.commit([], [])
    queue.acknowledge(queue.next("webhook", 50))  # sent, and then killed before that was stored: sent again

    again = reopened(store)
    assert again.deliveries.dead_letters == {"webhook": 1}
    assert [(letter.pending.delivery.event_id, letter.reason, letter.died_at) for letter in again.dead_letters()] == [
        (4, "refused", 7)
    ]
    assert again.deliveries.next("webhook", 49) is None
    pending = again.deliveries.next("webhook", 50)
    assert (pending.delivery, pending.attempts) == (numbered(1), 1)
    again.deliveries.acknowledge(pending)
    assert sent(again.deliveries, now=50) == [2]
    again.close()
    assert reopened().deliveries.counts() == {}


def test_a_delivery_is_stored_in_columns_that_are_named_in_the_schema(store):
    store.deliveries.add([numbered(7, replaces=True)])
    store.deliveries.add([numbered(8)])
    store.commit([], [])
    rejected = store.deliveries.next("webhook", 0)
    store.deliveries.dead_letter(rejected, "410 Gone", 99)
    store.commit([], [])
    assert rows(store.file, "delivery") == [
        {
            "id": 2,
            "sink": "webhook",
            "key": "bed-1/spo2-low",
            "event_id": 8,
            "body": b"8",
            "replaces": 0,
            "attempts": 0,
            "next_at": 0,
        }
    ]
    assert rows(store.file, "dead_letter") == [
        {
            "id": 1,
            "sink": "webhook",
            "key": "bed-1/spo2-low",
            "event_id": 7,
            "body": b"7",
            "attempts": 0,
            "died_at": 99,
            "reason": "410 Gone",
        }
    ]


def test_deliveries_of_an_older_format_are_migrated(tmp_path, monkeypatch):
    """An imagined older format had other names, and no attempts."""
    with Store.open(tmp_path) as store:
        store.deliveries.add([numbered(1), numbered(2, replaces=True)])
        store.commit([], [])
    with closing(sqlite3.connect(tmp_path / "tocsin.db")) as old:
        old.executescript(
            "CREATE TABLE backlog(number INTEGER PRIMARY KEY, receiver TEXT, topic TEXT, event INTEGER, content BLOB); "
            "INSERT INTO backlog SELECT id, sink, key, event_id, body FROM delivery; DROP TABLE delivery;"
        )

    def migrate(connection):
        connection.execute(
            "CREATE TABLE delivery(id INTEGER PRIMARY KEY, sink TEXT NOT NULL, key TEXT NOT NULL, "
            "event_id INTEGER NOT NULL, body BLOB NOT NULL, replaces INTEGER NOT NULL, "
            "attempts INTEGER NOT NULL DEFAULT 0, next_at INTEGER NOT NULL DEFAULT 0)"
        )
        connection.execute(
            "INSERT INTO delivery (id, sink, key, event_id, body, replaces) "
            "SELECT number, receiver, topic, event, content, 0 FROM backlog"
        )
        connection.execute("DROP TABLE backlog")

    monkeypatch.setattr(schema, "MIGRATIONS", {schema.FORMAT: migrate})
    monkeypatch.setattr(schema, "FORMAT", schema.FORMAT + 1)
    with Store.open(tmp_path) as store:
        assert sent(store.deliveries) == [1, 2]


def rows(file, table):
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608  (a name of this test's)
