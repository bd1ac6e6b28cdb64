"""From messages to alarms by way of sources: several patterns, watches and formats."""

from __future__ import annotations

import time

import configurations
import pytest

from tocsin.config import check
from tocsin.delivery import DeliveryWorker
from tocsin.ingest.formats.sparkplug_payload import Metric, Payload
from tocsin.ingest.reject_log import RejectLog
from tocsin.metrics.metrics import Metrics
from tocsin.mqtt.connection import Connection
from tocsin.mqtt.packets import PublishProperties
from tocsin.mqtt.settings import ConnectionSettings, Subscription
from tocsin.notify.mqtt import MqttSink
from tocsin.runtime.build import build_deployment, connection_settings, subscriptions
from tocsin.runtime.committer import Committer
from tocsin.runtime.core import Core
from tocsin.runtime.pipeline import Pipeline


class House:
    """A pipeline without a broker, and what it published."""

    def __init__(self, folder, monkeypatch, **changes):
        at_once = {"watches": {"ward": {"frame_timeout_s": 0}}}  # a frame need not wait for its other channels
        self.checked = check(configurations.write(folder, **configurations.merged(at_once, changes)))
        assert self.checked.faults == []
        self.deployment = build_deployment(self.checked.config, self.checked.bundles)
        self.connection = Connection(ConnectionSettings("localhost", 1, "test"))
        self.metrics = Metrics("0", *self.deployment.metric_labels())
        committer = Committer(None, bytes, self.metrics.store)
        # The lambda: what is published here is set below.
        sink = MqttSink("tocsin", lambda *message, **how: self.connection.publish(*message, **how))  # noqa: PLW0108
        committer.add_sink(sink)
        DeliveryWorker(sink, committer.deliveries, self.metrics.store.attempted).start()
        self._pipeline = Pipeline(Core(self.deployment), self.connection, committer, self.metrics, RejectLog())
        self.published = []
        monkeypatch.setattr(
            self.connection, "publish", lambda topic, payload, **how: self.published.append((topic, payload, how))
        )

    async def receives(self, *messages):
        """Topics and payloads, perhaps with a content type; what is published then."""
        self.published.clear()
        for topic, payload, *kind in messages:
            properties = PublishProperties(kind[0], None, None) if kind else None
            self.connection.received(topic, payload, 0, retain=False, properties=properties)
        self._pipeline.stop()
        await self._pipeline.run()
        return [topic for topic, _, _ in self.published]

    def figure(self, name):
        return next(
            float(line.split()[-1]) for line in self.metrics.render().decode().splitlines() if line.startswith(name)
        )


async def test_one_stream_is_fed_by_several_sources_and_topics(tmp_path, monkeypatch):
    sources = [
        {"topic": ["ecg/{bed}", "monitor/{bed}"]},
        {"topic": "oximeter/{bed}/{channel}", "format": "plain", "channels": {"spo2": {"field": "sat", "unit": "1"}}},
    ]
    house = House(tmp_path, monkeypatch, sources=sources)
    now_s = int(time.time())
    published = await house.receives(
        ("ecg/7", b'{"hr":130,"t":%d}' % (now_s - 2)),
        ("monitor/7", b'{"hr":131,"t":%d}' % (now_s - 1)),
        ("oximeter/7/sat", b"0.97"),
    )
    assert "tocsin/alarm/7/hr-high" in published
    assert len(house.deployment.runtimes["ward"].engine.table) == 1
    assert house.figure("tocsin_readings_accepted_total") == 3
    assert set(subscriptions(house.deployment.sources, house.checked.config)) >= {
        Subscription("ecg/+", 1),
        Subscription("monitor/+", 1),
        Subscription("oximeter/+/+", 1),
    }


async def test_several_watches_take_one_source(tmp_path, monkeypatch):
    second = {
        "model": "toy",
        "frame_timeout_s": 0,
        "alarms": {"hr-very-high": {"above": {"channel": "hr", "limit": 200}}},
    }
    house = House(
        tmp_path,
        monkeypatch,
        sources=[{"topic": "vitals/{bed}", "watch": ["ward", "second"]}],
        watches={"second": second},
    )
    published = await house.receives(("vitals/7", b'{"hr":210,"spo2":97}'), ("vitals/8", b'{"hr":150,"spo2":97}'))
    alarms = {topic for topic in published if topic.startswith("tocsin/alarm/") and "/hr-" in topic}
    assert alarms == {"tocsin/alarm/7/hr-high", "tocsin/alarm/8/hr-high", "tocsin/alarm/7/hr-very-high"}
    assert house.figure("tocsin_readings_accepted_total") == 2
    assert [len(s.engine.table) for s in house.deployment.runtimes.values()] == [2, 2]


async def test_the_first_source_and_the_first_pattern_that_match_take_a_message(tmp_path, monkeypatch):
    sources = [
        {"topic": ["v/icu/{bed}", "v/{ward}/{bed}"], "stream": "first/{bed}"},
        {"topic": "v/{ward}/{bed}", "stream": "second/{bed}"},
        {"topic": "w/{bed}"},
    ]
    house = House(tmp_path, monkeypatch, sources=sources)
    await house.receives(("v/icu/1", b'{"hr":1}'), ("v/er/2", b'{"hr":1}'), ("w/3", b'{"hr":1}'))
    assert sorted(house.deployment.runtimes["ward"].engine.table.names) == ["3", "first/1", "first/2"]


async def test_auto_reads_each_message_as_its_publisher_says(tmp_path, monkeypatch):
    house = House(tmp_path, monkeypatch, sources=[{"topic": "v/{bed}", "format": "auto"}])
    pack = b'[{"n":"hr","u":"Hz","v":2.5},{"n":"spo2","v":97}]'
    published = await house.receives(("v/7", pack, "application/senml+json"), ("v/8", b'{"hr":80}'))
    assert "tocsin/alarm/7/hr-high" in published
    assert "tocsin/alarm/8/hr-high" not in published


@pytest.mark.parametrize("host", [None, "tocsin"])
async def test_sparkplug_rebirths_are_asked_for_and_deaths_counted(tmp_path, monkeypatch, host):
    source = {"format": "sparkplug"} | ({"primary_host": host} if host else {})
    house = House(tmp_path, monkeypatch, sources=[source])
    ms = time.time_ns() // 1_000_000
    hr = Metric(name=b"hr", alias=1, datatype=10, double_value=150.0)

    def message(kind, seq, *metrics, device="/press"):
        payload = Payload(timestamp=ms, seq=seq, metrics=metrics)
        return f"spBv1.0/plant/{kind}/edge{device}", payload.SerializeToString()

    published = await house.receives(message("DDATA", 4, hr))
    assert published == ["spBv1.0/plant/NCMD/edge"]
    assert house.published[0][2] == {"qos": 0}
    assert house.figure("tocsin_rebirth_requests_total") == 1
    published = await house.receives(message("NBIRTH", 0, device=""), message("DBIRTH", 1, hr), message("DDEATH", 2))
    assert "tocsin/alarm/plant/edge/press/hr-high" in published
    assert house.figure("tocsin_stale_streams_total") == 1

    asked = connection_settings(house.checked.config, house.deployment.sources, tmp_path, "0", ms * 1_000_000)
    assert [(a.topic, a.online, a.offline) for a in asked.announcements] == (
        []
        if host is None
        else [
            (
                "spBv1.0/STATE/tocsin",
                b'{"online":true,"timestamp":%d}' % ms,
                b'{"online":false,"timestamp":%d}' % ms,
            )
        ]
    )
