"""The journal and its snapshots: what was committed is there, and it doesn't grow without end."""

from __future__ import annotations

import os
import sqlite3

import pytest
from alarm_events import event

from tocsin.store import JournalCommit, Retention, Store

FOR_EVER = Retention(days=10**5, max_bytes=10**12)


def entries(number):
    return [number.to_bytes() + os.urandom(20), b""]


def tidied(store):
    while store.tidy(FOR_EVER, 1):
        pass


def test_what_was_committed_is_read_back_in_order(store, reopened):
    given = [entries(number) for number in range(5)]
    store.commit(given[0], [event(id=7)])
    for one in given[1:]:
        store.commit(one, [])
    again = reopened(store)
    assert list(again.journal(0)) == [JournalCommit(i + 1, 7, one) for i, one in enumerate(given)]
    assert [commit.position for commit in again.journal(3)] == [4, 5]
    assert again.position == 5
    assert again.snapshot() is None


@pytest.mark.parametrize("size", [0, 1, 1 << 18, (1 << 18) * 3 + 17])
def test_a_snapshot_takes_the_place_of_the_entries_before_it(store, reopened, size):
    for number in range(4):
        store.commit(entries(number), [])
    body = os.urandom(size)
    store.write_snapshot(3, body, 99)
    tidied(store)
    assert store.journal_bytes < 200
    again = reopened(store)
    assert again.snapshot() == (3, body)
    assert again.snapshot_at == 99
    assert [commit.position for commit in again.journal(3)] == [4]


def test_a_snapshot_may_be_part_of_a_commit(store, reopened):
    store.commit(entries(1), [])
    store.write_snapshot(1, b"old", 1)
    store.commit(entries(2), [event(id=3)], snapshot=b"new", now=2)
    tidied(store)
    again = reopened(store)
    position, body = again.snapshot()
    assert body == b"new"
    assert list(again.journal(position)) == []
    again.commit(entries(3), [])
    assert [commit.last_event for commit in again.journal(position)] == [3]


def test_positions_are_never_given_twice(store, reopened):
    store.commit(entries(1), [])
    store.write_snapshot(1, b"x", 1)
    tidied(store)
    again = reopened(store)
    again.commit(entries(2), [])
    assert [commit.position for commit in again.journal(0)] == [2]


def test_a_snapshot_that_was_not_finished_counts_for_nothing(store, reopened, monkeypatch):
    store.commit(entries(1), [])
    store.write_snapshot(1, b"first", 1)
    store.commit(entries(2), [])
    with monkeypatch.context() as patch:
        patch.setattr(
            "tocsin.store.journal.conclude", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("full"))
        )
        with pytest.raises(sqlite3.OperationalError):
            store.write_snapshot(2, os.urandom(10**6), 2)
    again = reopened(store)
    assert again.snapshot() == (1, b"first")
    again.write_snapshot(2, b"second", 3)
    assert again.snapshot() == (2, b"second")


def test_a_commit_is_all_or_nothing(store, reopened):
    store.commit(entries(1), [event(id=1)])
    with pytest.raises(sqlite3.IntegrityError):
        store.commit(entries(2), [event(id=2), event(id=1)])
    assert store.position == 1
    store.commit(entries(3), [event(id=2)])
    again = reopened(store)
    assert [commit.position for commit in again.journal(0)] == [1, 2]
    assert again.log_events == 2


def test_a_full_disk_fails_the_commit_and_loses_nothing(tmp_path):
    with Store.open(tmp_path / "store") as store:
        store.commit(entries(1), [event(id=1)])
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]  # noqa: SLF001
        store._connection.execute(f"PRAGMA max_page_count = {pages}")  # noqa: SLF001  (SQLite's own full disk)
        with pytest.raises(sqlite3.OperationalError, match="full"):
            store.commit([os.urandom(10**6)], [event(id=2)])
        store._connection.execute("PRAGMA max_page_count = 1000000")  # noqa: SLF001
        store.commit([b"x"], [event(id=2)])
        assert store.log_events == 2
        assert len(list(store.journal(0))) == 2
