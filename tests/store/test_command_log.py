"""The log of commands for streams, and what is kept of streams that were given up."""

from __future__ import annotations

import sqlite3

import pytest
from alarm_events import event

from tocsin.engine.lifecycle.commands import CommandEntry
from tocsin.store import AlarmLogQuery, CommandLogQuery, Retention
from tocsin.store.evicted import Evicted

DAY_NS = 86_400 * 10**9


def entry(at=10, stream="icu/1", verb="discharge", actor="joy", transaction=None, **arguments):
    return CommandEntry(at, actor, "home", transaction, verb, stream, arguments, "digest", ["ward"], [7])


@pytest.fixture
def logged(store):
    store.commit(
        [],
        [],
        commands=[
            entry(10, "icu/1", "admit", transaction="a", labels={"nurse": "sam"}),
            entry(20, "icu/1", "transfer", to="ward/7"),
            entry(30, "icu/2", actor="sam"),
        ],
    )
    return store


@pytest.mark.parametrize(
    ("wanted", "times"),
    [
        (CommandLogQuery(), [10, 20, 30]),
        (CommandLogQuery(since=20), [20, 30]),
        (CommandLogQuery(until=20), [10]),
        (CommandLogQuery(stream="icu/*"), [10, 20, 30]),
        (CommandLogQuery(stream="ward/7"), [20]),
        (CommandLogQuery(stream="icu/1", actor="joy", verb="admit"), [10]),
        (CommandLogQuery(actor="sam"), [30]),
        (CommandLogQuery(limit=1, below_id=3), [20]),
    ],
)
def test_it_is_searched_by_what_people_ask(logged, wanted, times):
    assert [found.at for found in logged.commands(wanted)] == times


def test_it_outlives_the_daemon_whole(logged, reopened):
    again = reopened(logged)
    found = again.command_marked("a")
    assert (found.id, found.comment, found.arguments) == (1, "home", {"labels": {"nurse": "sam"}})
    assert (found.watches, found.events) == (["ward"], [7])
    assert again.command_marked("b") is None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE stream_command SET actor = 'sam'",
        "DELETE FROM stream_command WHERE id = 2",
        "REPLACE INTO stream_command SELECT id, 0, actor, mark, verb, stream, to_stream, body FROM stream_command",
        "UPDATE stream_command_retention SET before = -1",
        "DELETE FROM stream_command_retention",
    ],
)
def test_nothing_in_it_changes(logged, change):
    with sqlite3.connect(logged.file) as other, pytest.raises(sqlite3.IntegrityError):
        other.execute(change)
    other.close()
    assert len(logged.commands(CommandLogQuery())) == 3


def test_what_is_too_old_goes_and_its_number_is_not_given_again(logged):
    logged.tidy(Retention(days=1, max_bytes=1 << 30), now=20 + DAY_NS)
    assert [found.at for found in logged.commands(CommandLogQuery())] == [20, 30]
    logged.tidy(Retention(days=1, max_bytes=1 << 30), now=3 * DAY_NS)
    assert logged.commands(CommandLogQuery()) == []
    logged.commit([], [], commands=[entry(40)])
    assert [found.id for found in logged.commands(CommandLogQuery())] == [4]


def states(evicted, *streams):
    return [evicted.find("ward", stream) for stream in streams]


def test_states_of_evicted_streams_are_committed_with_the_rest(store, reopened):
    store.evicted.add("ward", "a", b"1", 10)
    store.evicted.add("ward", "b", b"2", 20)
    assert states(store.evicted, "a", "b", "c") == [b"1", b"2", None]
    store.commit([], [])
    store.evicted.forget("ward", "a")
    store.evicted.add("ward", "b", b"3", 30)
    assert states(store.evicted, "a", "b") == [None, b"3"]
    again = reopened(store)  # which was not committed
    assert states(again.evicted, "a", "b") == [b"1", b"2"]
    again.evicted.forget("ward", "a")
    again.commit([], [])
    assert states(reopened(again).evicted, "a", "b") == [None, b"2"]


def test_the_oldest_goes_by_age_and_by_size(store):
    evicted = Evicted(store._connection, max_age_ns=100, max_bytes=10)  # noqa: SLF001
    for at, stream in enumerate("abc", 1):
        evicted.add("ward", stream, b"xxxx", 10 * at)
    assert states(evicted, *"abc") == [None, b"xxxx", b"xxxx"]
    evicted.add("ward", "b", b"xxx", 40)  # evicted again: it is the newest now
    evicted.expire(130)
    assert len(evicted) == 2
    evicted.expire(131)
    assert states(evicted, *"bc") == [b"xxx", None]


def test_every_field_of_an_entry_has_the_key_that_format_1_gave_it(logged, tmp_path):
    """Literal keys: a renamed attribute leaves the log as it is."""
    logged.close()
    with sqlite3.connect(tmp_path / "store" / "tocsin.db") as file:
        (body,) = file.execute("SELECT body FROM stream_command ORDER BY id").fetchone()
    assert body == (
        '{"at":10,"actor":"joy","comment":"home","transaction":"a","verb":"admit","stream":"icu/1",'
        '"arguments":{"labels":{"nurse":"sam"}},"digest":"digest","watches":["ward"],"events":[7],"id":0}'
    )


def test_entries_and_events_of_an_older_format_are_migrated(logged, reopened, tmp_path, monkeypatch):
    """A made-up format 0, which called the actor `who` and the reason `why`."""
    logged.commit([], [event(id=1, reason="SpO2 84 %", actor="joy")])
    before = logged.commands(CommandLogQuery()), logged.history(AlarmLogQuery())
    logged.close()
    rename = """UPDATE {table} SET body =
        replace(replace(body, '"{actor}":', '"{who}":'), '"{reason}":', '"{why}":')"""

    def renamed(connection, **keys):
        for table in ("event", "stream_command"):
            trigger = f"{table}_is_unchanged"
            made = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (trigger,)).fetchone()[0]
            connection.execute(f"DROP TRIGGER {trigger}")
            connection.execute(rename.format(table=table, **keys))
            connection.execute(made)

    with sqlite3.connect(tmp_path / "store" / "tocsin.db") as file:
        renamed(file, actor="actor", who="who", reason="reason", why="why")
        file.execute("PRAGMA user_version = 0")
    migrate = {0: lambda connection: renamed(connection, actor="who", who="actor", reason="why", why="reason")}
    monkeypatch.setattr("tocsin.store.schema.MIGRATIONS", migrate)
    again = reopened()
    assert (again.commands(CommandLogQuery()), again.history(AlarmLogQuery())) == before
