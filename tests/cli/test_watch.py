"""`tocsin watch`: what a nurse at a terminal sees, and what a program reads."""

from __future__ import annotations

import json
import signal

import aiomqtt
import alarm_events
import pytest
from processes import Running

from tocsin.alarm import Transition
from tocsin.engine.events import Evidence
from tocsin.notify.mqtt_messages import alarm_state, alarm_transition, status_payload

T = 1_767_225_600 * 10**9


def event(transition, stream="icu/a", alarm="hr-high", reason="hr 131 /min is above 120"):
    evidence = (Evidence("hr", "/min", 131.0, None, None, None),)
    report = {"stream": stream, "alarm": alarm, "reason": reason, "evidence": evidence, "model": "toy/1 0123"}
    return alarm_events.event(transition, t=T, since=T, raised_at=T, **report)


RAISED, CLEARED = event(Transition.RAISE), event(Transition.CLEAR, reason="hr 90 /min, no longer above 120")


@pytest.fixture
def watching(mosquitto, tmp_path):
    """Start `tocsin watch`; the broker's retained messages first."""
    broker = mosquitto()
    started = []

    async def start(*words, retained=()):
        async with aiomqtt.Client(broker.host, broker.port) as client:
            for message in retained:
                await client.publish(message.topic, message.payload, qos=1, retain=message.retain)
            await client.publish("tocsin/status", status_payload("online", "0.1.0", T), qos=1, retain=True)
        watch = Running(tmp_path, "watch", "--broker", f"mqtt://{broker.host}:{broker.port}", *words)
        started.append(watch)
        watch.says("online")
        return watch

    async def publish(*messages):
        async with aiomqtt.Client(broker.host, broker.port) as client:
            for topic, payload, retain in messages:
                await client.publish(topic, payload, qos=1, retain=retain)

    start.publish = publish
    yield start
    for watch in started:
        watch.clean_up()


def wire(message):
    return message.topic, message.payload, message.retain


UP = "2026-01-01T00:00:00.000Z  icu/b            up        high   hr-high              hr 131 /min is above 120"
RAISE = "2026-01-01T00:00:00.000Z  icu/a            raise     high   hr-high              hr 131 /min is above 120"
CLEAR = (
    "2026-01-01T00:00:00.000Z  icu/a            clear     high   hr-high              hr 90 /min, no longer above 120"
)


async def test_what_is_up_and_then_what_moves(watching):
    up = event(Transition.RAISE, stream="icu/b")
    normal = event(Transition.CLEAR, stream="icu/c")
    watch = await watching(retained=[alarm_state("tocsin", up), alarm_state("tocsin", normal)])
    watch.says("icu/b")
    for moved in (RAISED, CLEARED):
        await watching.publish(wire(alarm_transition("tocsin", moved)), wire(alarm_state("tocsin", moved)))
    watch.says("no longer above 120")
    lines = watch.output.splitlines()
    assert sorted(lines[:2]) == [UP, "daemon online (Tocsin 0.1.0)"]
    assert lines[2:] == [RAISE, CLEAR]


async def test_json_is_what_was_published_one_object_a_line(watching):
    up, normal = event(Transition.RAISE, stream="icu/b"), event(Transition.CLEAR, stream="icu/c")
    watch = await watching("--json", retained=[alarm_state("tocsin", up), alarm_state("tocsin", normal)])
    await watching.publish(
        ("tocsin/event/x/y", b"not JSON", False),
        wire(alarm_transition("tocsin", RAISED)),
        wire(alarm_state("tocsin", RAISED)),
    )
    watch.says('"raise"')
    lines = watch.output.splitlines()
    assert sorted(lines[:2]) == sorted(
        [alarm_state("tocsin", up).payload.decode(), status_payload("online", "0.1.0", T).decode()]
    )
    assert [json.loads(line) for line in lines[2:]] == [json.loads(alarm_transition("tocsin", RAISED).payload)]
    assert "tocsin/event/x/y: not a message of Tocsin: b'not JSON'" in watch.errors


async def test_ctrl_c_is_how_it_ends(watching):
    watch = await watching()
    assert watch.end(signal.SIGINT) == 0
    assert watch.errors == ""


@pytest.mark.parametrize("json_lines", [[], ["--json"]])
async def test_nothing_that_is_published_breaks_it(watching, json_lines):
    watch = await watching(*json_lines)
    whole = json.loads(alarm_transition("tocsin", RAISED).payload)
    await watching.publish(
        *(
            (f"tocsin/{topic}", payload, False)
            for topic in ("event/a/b", "status")
            for payload in (
                b"", b"\xff", b"null", b"[]", b"1", b'"x"', b"{}", b"[" * 100_000,
                json.dumps(whole | {"stream": None, "state": None}).encode(),
                json.dumps(whole | {"priority": []}).encode(),
            )
        ),
        ("tocsin/event/a/b", json.dumps(whole | {"reason": "red \x1b[31m\nfake line"}).encode(), False),
        wire(alarm_transition("tocsin", event(Transition.RAISE, reason="the last one"))),
    )  # fmt: skip
    watch.says("the last one")
    assert "\x1b" not in watch.output
    assert not [line for line in watch.output.splitlines() if line.startswith("fake line")]
    assert watch.process.poll() is None
    assert watch.end(signal.SIGINT) == 0
    assert "Traceback" not in watch.errors
