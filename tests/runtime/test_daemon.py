"""The daemon as a process of its own, against a real broker: what goes in by MQTT, what comes out."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from datetime import datetime

import pytest
from listening import a_while_ago, iso, listening, publish
from processes import WAIT_S, until

import tocsin as package


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_an_alarm_rises_and_clears_on_the_wire(mosquitto, configuration, run, version):
    broker = mosquitto()
    daemon = run(configuration(broker.port, version=version)).ready()
    t = a_while_ago()
    async with listening(broker) as listener:
        for values in ([80, 131.5], [118, 114]):  # 118: within the deadband
            for hr in values:
                await publish(broker, ("vitals/icu/a", {"t": t, "hr": hr, "spo2": 97}))
                t += 1000
            heard = await listener.until(lambda topic, _: topic.startswith("tocsin/alarm"))
    t -= 4000
    published = [(topic, body) for topic, body, _ in heard if "status" not in topic]
    assert [topic for topic, _ in published] == ["tocsin/event/icu/a/hr-high", "tocsin/alarm/icu/a/hr-high"] * 2

    common = {
        "stream": "icu/a",
        "alarm": "hr-high",
        "priority": "high",
        "category": "physiological",
        "model": None,  # a limit needs no model
        "watch": "ward",
        "actor": None,
        "comment": None,
        "transaction": None,
        "verdict": None,
        "test": False,
    }
    of_states = {
        *("state", "active", "acknowledged", "uncertain", "annunciated", "shelved", "suppressed_by", "out_of_service"),
        *("acknowledged_by", "acknowledged_at", "acknowledged_at_ns", "first_up", "chattering", "stale"),
    }

    def evidence(hr):
        return [
            {"channel": "hr", "unit": "/min", "value": hr, "mean": None, "scale": None, "contribution": None},
            {"channel": "spo2", "unit": "%", "value": 97.0, "mean": None, "scale": None, "contribution": None},
        ]

    for number, (_, body), transition, ms, hr, score, reason in (
        (1, published[0], "raise", t + 1000, 131.5, 116.25, "hr 131.5 /min is above 120"),
        (2, published[2], "clear", t + 3000, 114.0, 109.5, "hr 114 /min, no longer above 120"),
    ):
        raised_at_ns = body.pop("raised_at_ns")
        assert abs(raised_at_ns / 1e9 - time.time()) < WAIT_S
        assert (body.pop("id"), body.pop("occurrence")) == (number, 1)
        moment = datetime.fromisoformat(body.pop("raised_at"))
        assert moment.timestamp() == pytest.approx(raised_at_ns / 1e9, abs=0.001)
        seen = body.pop("evidence")
        assert [entry | {"mean": None, "scale": None} for entry in seen] == evidence(hr)
        since = body.pop("since_ns")
        assert body.pop("since") == iso(since // 10**6)
        assert since == (t + 1000) * 10**6
        assert body.pop("score") == score
        assert body.pop("fleeting") is (transition == "clear")  # two seconds
        assert body.pop("labels").keys() <= {"ward", "bed"}
        status = {name: body.pop(name) for name in of_states}
        assert (status["annunciated"], status["first_up"]) == (transition == "raise",) * 2
        assert (body.pop("explanation"), body.pop("frames")) == (None, None)  # no model raised it
        assert body == common | {"transition": transition, "t": iso(ms), "t_ns": ms * 10**6, "reason": reason}
    for (_, body), active in ((published[1], True), (published[3], False)):
        assert (body["active"], body["state"], body["uncertain"]) == (
            active,
            "unacknowledged" if active else "normal",
            False,
        )
    assert (
        daemon.metric(
            'tocsin_events_total{alarm="hr-high",category="physiological",priority="high",transition="raise"}'
        )
        == 1
    )
    assert daemon.metric("tocsin_readings_accepted_total") == 4
    assert daemon.metric("tocsin_streams") == 1

    # A later subscriber gets the retained state, and no event.
    async with listening(broker) as late:
        heard = await late.until(lambda topic, _: topic.startswith("tocsin/alarm"))
    retained = {topic: retain for topic, _, retain in heard}
    assert retained.pop("tocsin/status", True)
    assert retained == {"tocsin/alarm/icu/a/hr-high": True}


async def test_it_says_online_and_offline(mosquitto, configuration, run):
    broker = mosquitto()
    async with listening(broker) as listener:
        daemon = run(configuration(broker.port))
        await listener.until_status("online")
        assert daemon.end(signal.SIGTERM) == 0
        async with asyncio.timeout(2):  # it says so itself: its will would come after 5 s
            heard = await listener.until_status("offline")
        states = [body["state"] for topic, body, _ in heard if topic == "tocsin/status"]
        assert states == ["online", "offline"]
        for _, body, _ in heard:
            assert set(body) == {"state", "version", "since", "since_ns"}
            assert body["version"] == package.__version__
        assert "Traceback" not in daemon.errors
        assert re.search(r"INFO stopped$", daemon.errors, re.MULTILINE)

        # The will says that a killed process is offline.
        daemon = run(configuration(broker.port, version="3.1.1"))
        await listener.until_status("online")
        daemon.end(signal.SIGKILL)
        await listener.until_status("offline")


async def test_ctrl_c_is_a_clean_end_too(mosquitto, configuration, run):
    broker = mosquitto()
    daemon = run(configuration(broker.port)).ready()
    assert daemon.end(signal.SIGINT) == 0
    assert "Traceback" not in daemon.errors


async def test_sigterm_loses_nothing_and_doubles_nothing(mosquitto, configuration, run):
    """Each bed raises one alarm, though the daemon is stopped and started again in the middle of it."""
    broker = mosquitto("max_queued_messages 0")
    file, beds, t = configuration(broker.port), 2000, a_while_ago()
    daemon = run(file).ready()
    async with listening(broker) as listener:
        publishing = asyncio.create_task(
            publish(broker, *((f"vitals/icu/{bed}", {"t": t, "hr": 200, "spo2": 97}) for bed in range(beds)))
        )
        await listener.until(lambda topic, _: topic.startswith("tocsin/event/"))
        await asyncio.to_thread(daemon.end, signal.SIGTERM)
        assert daemon.process.returncode == 0
        heard = await listener.until_status("offline")
        before = len(heard)
        raised = [topic for topic, _, _ in heard if topic.startswith("tocsin/event/")]
        assert 0 < len(raised) < beds, "stopped before or after the interesting moment"
        run(file)
        await publishing
        while len(raised) < beds:
            heard = await listener.until(lambda topic, _: topic.startswith("tocsin/event/"))
            raised = [topic for topic, _, _ in heard if topic.startswith("tocsin/event/")]
        online = [i for i, (topic, body, _) in enumerate(heard) if body.get("state") == "online"]
        assert online[-1] >= before
    assert sorted(raised) == sorted(f"tocsin/event/icu/{bed}/hr-high" for bed in range(beds))


async def test_a_broker_that_comes_late_and_one_that_restarts(mosquitto, configuration, run):
    broker = mosquitto()
    broker.stop()
    daemon = run(configuration(broker.port))
    status, body = daemon.get("/-/ready")
    assert status == 503
    assert re.search(r"not connected yet|no connection to mqtt://127.0.0.1:\d+", body)
    assert daemon.get("/-/healthy") == (200, "healthy\n")
    assert daemon.metric("tocsin_mqtt_connected") == 0

    broker.start()
    daemon.ready()
    assert daemon.metric("tocsin_mqtt_connected") == 1
    t = a_while_ago()
    await publish(broker, ("vitals/icu/a", {"t": t, "hr": 131, "spo2": 97}))
    until(lambda: daemon.metric("tocsin_readings_accepted_total") == 1)

    broker.kill()
    until(lambda: daemon.get("/-/ready")[0] == 503)
    broker.start()
    daemon.ready()
    async with listening(broker) as listener:
        await publish(broker, ("vitals/icu/a", {"t": t + 1000, "hr": 90, "spo2": 97}))
        heard = await listener.until(lambda topic, _: topic == "tocsin/event/icu/a/hr-high")
    # It knew across the restart that this alarm was up.
    assert heard[-1][1]["transition"] == "clear"
    assert daemon.metric("tocsin_mqtt_connects_total") == 2
    assert daemon.end() == 0
