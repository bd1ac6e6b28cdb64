"""The alarm log: everything is in it, nothing in it changes, and it is searched by what people ask."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from alarm_events import event

from tocsin.alarm import Transition
from tocsin.alarm.status import Shelving
from tocsin.engine.events import Category, Evidence, Priority, Report
from tocsin.store import AlarmLogQuery, Retention, Store

DAY_NS = 86_400 * 10**9


def kept(store, *events):
    store.commit([], events)
    return events


def rich(number):
    """An event with everything in it."""
    plain = event(Transition.UNCERTAIN, id=number, t=10 * number, raised_at=10 * number + 1, since=10)
    return replace(
        plain,
        labels={"ward": "icu", "bed": 'a "quoted" one'},
        status=replace(plain.status, shelved=Shelving("nurse", "known", 99, once=True), suppressed_by=("spo2-absent",)),
        report=Report(
            "SpO2 84 % is below 85 – ↓",
            score=1.25,
            evidence=(Evidence("spo2", "%", 84.0, None, None, 0.5), Evidence("hr", "/min", None, 80.5, 1.0, None)),
            model="ward-vitals/1 0123456789ab",
        ),
        actor="nurse",
        comment="seen",
        transaction="4711",
    )


def test_what_was_logged_is_read_back_whole(store):
    events = kept(store, rich(1), event(id=2, labels={}))
    assert store.history(AlarmLogQuery()) == list(events)


def test_a_score_of_numpy_is_a_number_like_any_other(store):
    kept(store, event(score=np.float32(0.5)))
    assert store.history(AlarmLogQuery())[0].report.score == 0.5


def test_it_outlives_the_daemon(store, reopened):
    events = kept(store, rich(1))
    again = reopened(store)
    assert again.history(AlarmLogQuery()) == list(events)
    assert again.last_event == 1


@pytest.fixture
def ward(store):
    """Twelve events of three beds: ids 1 to 12, t ten times that."""
    made = []
    for number in range(1, 13):
        bed = number % 3
        transition = Transition.RAISE if number <= 6 else Transition.CLEAR
        made.append(
            event(
                transition,
                id=number,
                t=10 * number,
                raised_at=10 * number,
                stream=f"icu/{bed}" if bed else "ward-7/x",
                labels={"ward": "icu" if bed else "ward-7"},
                alarm="spo2-low" if number % 2 else "hr-high",
                priority=Priority.HIGH if number % 2 else Priority.LOW,
                category=Category.TECHNICAL if number == 5 else Category.PHYSIOLOGICAL,
                occurrence=number if number <= 6 else number - 6,
                actor="nurse" if number == 7 else None,
            )
        )
    return kept(store, *made)


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (AlarmLogQuery(), range(1, 13)),
        (AlarmLogQuery(since=30, until=60), [3, 4, 5]),
        (AlarmLogQuery(stream="icu/1"), [1, 4, 7, 10]),
        (AlarmLogQuery(stream="icu/*"), [1, 2, 4, 5, 7, 8, 10, 11]),
        (AlarmLogQuery(labels={"ward": "ward-7"}), [3, 6, 9, 12]),
        (AlarmLogQuery(labels={"ward": "ward-7", "bed": "1"}), []),
        (AlarmLogQuery(alarm="hr-*"), [2, 4, 6, 8, 10, 12]),
        (AlarmLogQuery(priority=Priority.LOW, transition=Transition.CLEAR), [8, 10, 12]),
        (AlarmLogQuery(category=Category.TECHNICAL), [5]),
        (AlarmLogQuery(occurrence=2), [2, 8]),
        (AlarmLogQuery(actor="nurse"), [7]),
        (AlarmLogQuery(limit=2), [11, 12]),
        (AlarmLogQuery(limit=2, below_id=11), [9, 10]),
        (AlarmLogQuery(stream="'; DROP TABLE event; --"), []),
    ],
)
@pytest.mark.usefixtures("ward")
def test_history_is_found_by(store, wanted, ids):
    assert [found.id for found in store.history(wanted)] == list(ids)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET actor = 'another nurse' WHERE id = 7",
        "DELETE FROM event WHERE id = 7",
        "DELETE FROM event",
        "INSERT OR REPLACE INTO event SELECT * FROM event WHERE id = 7",
        "UPDATE labels SET body = '{}'",
        "DELETE FROM labels",
        "DELETE FROM retention",
        "INSERT INTO retention VALUES (1000)",
    ],
)
@pytest.mark.usefixtures("ward")
def test_nothing_in_it_can_be_changed(store, statement):
    before = store.history(AlarmLogQuery())
    with sqlite3.connect(store.file) as other, pytest.raises(sqlite3.IntegrityError, match=r"append-only|only moves"):
        other.execute(statement)
    other.close()
    assert store.history(AlarmLogQuery()) == before


@pytest.mark.usefixtures("ward")
def test_retention_by_age_takes_the_oldest_and_nothing_else(store):
    retention = Retention(days=1, max_bytes=10**9)
    while store.tidy(retention, DAY_NS + 50):
        pass
    assert [found.id for found in store.history(AlarmLogQuery())] == list(range(5, 13))
    with sqlite3.connect(store.file) as other:  # what retention has left is as safe as before
        for statement in ("DELETE FROM event WHERE id = 5", "UPDATE retention SET before = 1"):
            with pytest.raises(sqlite3.IntegrityError):
                other.execute(statement)
    other.close()


def test_ids_go_on_when_retention_has_taken_all(store, reopened):
    kept(store, event(id=41))
    while store.tidy(Retention(days=1, max_bytes=10**9), 2 * DAY_NS):
        pass
    assert store.history(AlarmLogQuery()) == []
    assert store.last_event == 41
    assert reopened(store).last_event == 41


def test_retention_by_size_goes_in_small_steps_until_it_fits(tmp_path):
    with Store.open(tmp_path / "store") as store:
        kept(store, *(event(id=number, reason="x" * 2000) for number in range(1, 3001)))
        retention, sizes = Retention(days=10**5, max_bytes=3_000_000), []
        while store.tidy(retention, 1):
            sizes.append(store.log_events)
        assert len(sizes) > 2, "not in steps"
        left = [found.id for found in store.history(AlarmLogQuery())]
        assert left == list(range(3001 - len(left), 3001))
        assert 400 <= len(left) < 1500
