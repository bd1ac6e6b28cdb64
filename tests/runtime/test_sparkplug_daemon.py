"""Sparkplug B as a process, a real broker, and an edge node played by an independent client."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import aiomqtt
import configurations
import pytest
from mqtt_connections import next_on, until
from processes import Daemon

from tocsin.ingest.formats.sparkplug_payload import Metric, Payload

MADE = json.loads(
    (Path(__file__).parents[1] / "ingest" / "payloads" / "sparkplug.json").read_text(encoding="utf-8")
)  # by pysparkplug 0.6.1, in November 2025

ALARMS = ("gone", "hr-high")


@pytest.fixture
def daemon(tmp_path, mosquitto):
    broker = mosquitto()
    file = configurations.write(
        tmp_path,
        broker={"port": broker.port},
        sources=[{"format": "sparkplug", "primary_host": "tocsin"}],
        watches={"ward": {"frame_timeout_s": 0, "alarms": {"gone": {"silent": {"for_s": 3600}}}}},
    )
    made = Daemon(tmp_path, file).ready()
    made.broker = broker
    yield made
    made.clean_up()


async def test_a_node_is_asked_for_its_births_and_then_heard(daemon):
    ms = int(time.time() * 1000)

    def payload(seq, *metrics, later_ms=0):
        return Payload(timestamp=ms + later_ms, seq=seq, metrics=metrics).SerializeToString()

    hr = Metric(name=b"hr", alias=1, datatype=3, int_value=150)
    async with aiomqtt.Client(daemon.broker.host, daemon.broker.port) as node:
        await node.subscribe([("spBv1.0/STATE/tocsin", 1), ("spBv1.0/plant/NCMD/press", 1), ("tocsin/alarm/#", 1)])
        state = await next_on(node, "spBv1.0/STATE/tocsin")
        assert (state.retain, json.loads(state.payload)["online"]) == (True, True)
        await node.publish(MADE["ddata"]["topic"], bytes.fromhex(MADE["ddata"]["hex"]))
        asked = Payload.FromString((await next_on(node, "spBv1.0/plant/NCMD/press")).payload)
        assert [(m.name, m.boolean_value) for m in asked.metrics] == [(b"Node Control/Rebirth", True)]
        await node.publish("spBv1.0/plant/NBIRTH/press", payload(0))
        await node.publish("spBv1.0/plant/DBIRTH/press/pump-1", payload(1, hr))
        alarm = json.loads((await next_on(node, "tocsin/alarm/plant/press/pump-1/hr-high")).payload)
        assert alarm["active"]
        await node.publish("spBv1.0/plant/NDEATH/press", payload(0))
        shown = [json.loads((await next_on(node, f"tocsin/alarm/plant/press/pump-1/{a}")).payload) for a in ALARMS]
        assert [(a["active"], a["uncertain"]) for a in shown] == [(True, False), (True, True)]
        assert shown[0]["reason"] == "its source says that it is gone"
        await until(lambda: daemon.metric("tocsin_stale_streams_total") == 1)
        assert daemon.metric("tocsin_rebirth_requests_total") == 1
        await node.publish("spBv1.0/plant/NBIRTH/press", payload(0))
        await node.publish("spBv1.0/plant/DBIRTH/press/pump-1", payload(1, hr, later_ms=2000))
        back = [json.loads((await next_on(node, f"tocsin/alarm/plant/press/pump-1/{a}")).payload) for a in ALARMS]
        assert [(a["active"], a["uncertain"]) for a in back] == [(False, False), (True, False)]
        # Our own command came back, and was no fault.
        assert daemon.metric('tocsin_rejects_total{reason="session"}') == 1
        assert await asyncio.to_thread(daemon.end) == 0
        assert not json.loads((await next_on(node, "spBv1.0/STATE/tocsin")).payload)["online"]
