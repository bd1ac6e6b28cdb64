"""When the disk fails alarms go on; what counts as stored is on the disk."""

from __future__ import annotations

import json
import sqlite3
import time

import configurations
import pytest

from tocsin.config import check
from tocsin.delivery import DeliveryWorker
from tocsin.ingest.reject_log import RejectLog
from tocsin.metrics.metrics import Metrics
from tocsin.mqtt.connection import Connection
from tocsin.mqtt.settings import ConnectionSettings
from tocsin.notify.mqtt import MqttSink
from tocsin.runtime.build import build_deployment
from tocsin.runtime.committer import Committer
from tocsin.runtime.core import Core
from tocsin.runtime.journal_entries import ReadingsEntry, TickEntry, decode
from tocsin.runtime.pipeline import Pipeline
from tocsin.runtime.recovery import recover
from tocsin.runtime.snapshots import encode_snapshot
from tocsin.store import AlarmLogQuery, Store

S = 10**9


class House:
    """A daemon without a broker: what it publishes and acknowledges is noted."""

    def __init__(self, folder, monkeypatch):
        asked = {
            "broker": {"receive_maximum": 8},
            "watches": {"ward": {"frame_timeout_s": 0, "alarms": {"odd": {"anomaly": {"threshold": 1000}}}}},
        }
        checked = check(configurations.write(folder, **asked))
        assert not checked.faults
        self.make = lambda: build_deployment(checked.config, checked.bundles)
        made = self.make()
        self.folder, self.moment, self.acknowledged, self.published = folder, 0.0, 0, []
        self.metrics = Metrics("0", *made.metric_labels())
        self.connection = Connection(ConnectionSettings("localhost", 1, "test"))
        self.store = Store.open(folder / "state")
        core = Core(made)
        self.committer = Committer(
            self.store, lambda: encode_snapshot(core), self.metrics.store, monotonic=lambda: self.moment
        )
        # The lambda: what is published here is set below.
        sink = MqttSink("tocsin", lambda *message, **how: self.connection.publish(*message, **how))  # noqa: PLW0108
        self.committer.add_sink(sink)
        DeliveryWorker(sink, self.committer.deliveries, self.metrics.store.attempted).start()
        self.pipeline = Pipeline(core, self.connection, self.committer, self.metrics, RejectLog())
        self.pipeline.begin(made, [])
        self.core = core
        self._t = (int(time.time()) - 100) * 1000
        monkeypatch.setattr(self.connection, "acknowledge", lambda batch: self._count(len(batch)))
        monkeypatch.setattr(
            self.connection, "publish", lambda topic, _, settled, **__: (self.published.append(topic), settled())
        )

    def _count(self, messages):
        self.acknowledged += messages

    async def hears(self, *pulses):
        """One turn."""
        for hr in pulses:
            self._t += 1000
            payload = json.dumps({"t": self._t, "hr": hr, "spo2": 97}).encode()
            self.connection.received("vitals/icu/a", payload, 1, retain=False)
        await self.pipeline._step(0)  # noqa: SLF001  (one step of its loop, no more)

    def fill_disk(self, *, full):
        connection = self.store._connection  # noqa: SLF001
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages if full else 10**6}")  # SQLite's own full disk

    def figure(self, name):
        lines = self.metrics.render().decode().splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


@pytest.fixture
def house(tmp_path, monkeypatch):
    made = House(tmp_path, monkeypatch)
    yield made
    made.store.close()


async def test_what_is_acknowledged_or_published_is_stored(house):
    await house.hears(80, 130)
    assert house.acknowledged == 2
    assert len(house.published) == 2
    assert [event.transition for event in house.store.history(AlarmLogQuery())] == ["raise"]
    assert len(list(house.store.journal(0))) == 1
    await house.hears()  # what the broker has taken is written down
    kept = len(list(house.store.journal(0)))
    for _ in range(20):
        await house.hears()  # nothing but the passing of time: that waits for company
    assert len(list(house.store.journal(0))) == kept
    await house.hears(90)
    (commit,) = list(house.store.journal(0))[kept:]
    assert [type(decode(body)) for body in commit.entries] == [TickEntry] * 20 + [ReadingsEntry, TickEntry]


async def filled(house):
    """Turn after turn, until the disk is full in truth: SQLite has some pages to spare."""
    house.fill_disk(full=True)
    for _ in range(200):
        await house.hears(80)
        if house.committer.problem is not None:
            return
    raise AssertionError("never full")


async def test_a_full_disk_stops_no_alarm_and_is_reported(house):
    await filled(house)
    before = house.acknowledged
    assert "database or disk is full" in house.committer.problem
    house.published.clear()
    await house.hears(130)
    assert house.published == ["tocsin/event/icu/a/hr-high", "tocsin/alarm/icu/a/hr-high"]
    assert house.acknowledged == before, "acknowledged though it is not stored"

    for _ in range(6):  # the broker would send no more at eight
        await house.hears(130)
    assert house.acknowledged > before
    assert house.figure("tocsin_store_unstored_messages_total") == house.acknowledged - before

    house.fill_disk(full=False)
    house.moment += 1
    held = house.acknowledged
    await house.hears(80)
    assert house.committer.problem is None
    assert house.acknowledged > held
    assert [event.transition for event in house.store.history(AlarmLogQuery())] == ["raise", "clear"]
    recovered = recover(house.store, house.make, house.folder, time.time_ns())
    assert recovered.core.export()["alarms"] == house.core.export()["alarms"]


async def test_when_too_much_is_not_stored_a_snapshot_takes_its_place(house, monkeypatch):
    monkeypatch.setattr("tocsin.runtime.committer._MAX_UNSTORED_BYTES", 2000)
    await filled(house)
    for _ in range(40):
        await house.hears(130)
    house.fill_disk(full=False)
    house.moment += 1
    await house.hears(130)
    assert house.committer.problem is None
    position, _ = house.store.snapshot()
    assert list(house.store.journal(position)) == []
    recovered = recover(house.store, house.make, house.folder, time.time_ns())
    assert recovered.core.registry.last_id == house.core.registry.last_id
    assert len(house.store.history(AlarmLogQuery())) == house.core.registry.last_id


async def test_failures_are_counted_and_retried_no_more_than_once_a_second(house, monkeypatch):
    tries = []

    def fail(*_, **__):
        tries.append(house.moment)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(house.store, "commit", fail)
    for _ in range(30):
        house.moment += 0.1
        await house.hears(80)
    assert len(tries) in {3, 4}
    assert house.figure("tocsin_store_commit_failures_total") == len(tries)
