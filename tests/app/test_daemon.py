"""The daemon as a process of its own, against a real broker: what goes in by MQTT, what comes out."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from contextlib import asynccontextmanager
from datetime import datetime

import aiomqtt
import pytest

import tocsin as package
import toy_bundle
from processes import WAIT_S, Daemon, tocsin, until

# As the toy, but what it remembers shows: the score is the mean of what was observed plus the number of steps.
REMEMBERING = toy_bundle.GRAPH.replace("    score = Squeeze(ratio, axis)\n", "").replace(
    "    state_out =", "    carried = Add(ratio, more)\n    score = Squeeze(carried, axis)\n    state_out ="
)

CONFIGURATION = """\
broker: {{host: 127.0.0.1, port: {port}, version: "{version}"{broker}}}
sources: [{{topic: "vitals/{{ward}}/{{bed}}"}}]
watches:
  ward:
    model: toy
    max_streams: 100000
    alarms:
      hr-high: {{above: {{channel: hr, limit: 120, deadband: 5}}, priority: high}}
      spo2-low: {{below: {{channel: spo2, limit: 85}}, priority: medium, on_delay_s: 2 s}}
publish: {{scores: {scores}}}
http: {{port: {http}}}
"""


@pytest.fixture
def configuration(tmp_path):
    """Write a configuration for a broker's port."""
    toy_bundle.write(tmp_path / "toy", toy_bundle.serialised(REMEMBERING))

    def write(port, *, scores="false", http=0, version="5", broker=""):
        file = tmp_path / "tocsin.yaml"
        file.write_text(
            CONFIGURATION.format(port=port, scores=scores, http=http, version=version, broker=broker and f", {broker}")
        )
        return file

    return write


@pytest.fixture
def run(tmp_path):
    """Start daemons; none outlives the test."""
    daemons = []

    def start(configuration, **more):
        daemons.append(Daemon(tmp_path, configuration, **more))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.clean_up()


class Listener:
    """An independent subscriber to all that Tocsin says."""

    def __init__(self, client):
        self._client = client
        self.heard = []

    async def until(self, is_last):
        """Collect messages up to one; all that were heard so far."""
        async with asyncio.timeout(WAIT_S):
            async for message in self._client.messages:
                said = (str(message.topic), json.loads(message.payload), bool(message.retain))
                self.heard.append(said)
                if is_last(*said[:2]):
                    break
        return self.heard

    async def until_status(self, state):
        return await self.until(lambda topic, body: topic == "tocsin/status" and body["state"] == state)


@asynccontextmanager
async def listening(broker):
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe("tocsin/#", qos=1)
        yield Listener(client)


async def publish(broker, *messages):
    async with aiomqtt.Client(broker.host, broker.port) as client:
        for topic, payload in messages:
            await client.publish(topic, payload if isinstance(payload, bytes) else json.dumps(payload), qos=1)


def a_while_ago():
    """Milliseconds: a whole second, half a minute ago."""
    return (int(time.time()) - 30) * 1000


def iso(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(ms // 1000))


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
    told = [(topic, body) for topic, body, _ in heard if "status" not in topic]
    assert [topic for topic, _ in told] == ["tocsin/event/icu/a/hr-high", "tocsin/alarm/icu/a/hr-high"] * 2

    common = {
        "stream": "icu/a",
        "alarm": "hr-high",
        "priority": "high",
        "category": "physiological",
        "model": None,  # a limit rings by itself
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
        (1, told[0], "raise", t + 1000, 131.5, 116.25, "hr 131.5 /min is above 120"),
        (2, told[2], "clear", t + 3000, 114.0, 109.5, "hr 114 /min, no longer above 120"),
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
        assert (body.pop("explanation"), body.pop("frames")) == (None, None)  # no model rang
        assert body == common | {"transition": transition, "t": iso(ms), "t_ns": ms * 10**6, "reason": reason}
    for (_, body), active in ((told[1], True), (told[3], False)):
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

    # Whoever comes later is told how things are, and not what happened.
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

        # Nobody says goodbye for a process that was killed; its will does.
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
    """Each bed rings once, though the daemon is stopped and started again in the middle of it."""
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
        rung = [topic for topic, _, _ in heard if topic.startswith("tocsin/event/")]
        assert 0 < len(rung) < beds, "stopped before or after the interesting moment"
        run(file)
        await publishing
        while len(rung) < beds:
            heard = await listener.until(lambda topic, _: topic.startswith("tocsin/event/"))
            rung = [topic for topic, _, _ in heard if topic.startswith("tocsin/event/")]
        online = [i for i, (topic, body, _) in enumerate(heard) if body.get("state") == "online"]
        assert online[-1] >= before
    assert sorted(rung) == sorted(f"tocsin/event/icu/{bed}/hr-high" for bed in range(beds))


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


T_2100 = 4_102_444_800_000
GARBAGE = {
    "not_json": [b"", b"{", b"hello", b"\xff\xfe\x00", b"[" * 5000, b'{"t":1', b'{"hr":80}x'],
    "wrong_shape": [b"1", b'"x"', b"null", b"true", b"[1]", b"[[]]"],
    "wrong_type": [b'{"hr":"80"}', b'{"hr":true}', b'{"hr":{}}', b'{"spo2":[97]}'],
    "not_finite": [
        b'{"hr":NaN}', b'{"hr":Infinity}', b'{"hr":-Infinity}', b'{"hr":1e999}', b'{"hr":-1e999}',
        b'{"hr":' + b"9" * 400 + b"}",
    ],
    "implausible": [b'{"hr":301}', b'{"hr":-0.5}', b'{"spo2":1e30}'],
    "time": [
        b'{"t":%d,"hr":80,"spo2":97}' % T_2100, b'{"t":1,"hr":80,"spo2":97}', b'{"t":-5,"hr":80}', b'{"t":0,"hr":80}',
        b'{"t":"noon","hr":80}', b'{"t":"2100-01-01T00:00:00Z","hr":80}', b'{"t":"1970-01-01T00:00:00Z","hr":80}',
        b'{"t":"2026-01-01T00:00:00","hr":80}', b'{"t":true,"hr":80}', b'{"t":{},"hr":80}', b'{"t":1e300,"hr":80}',
        b'{"t":' + b"9" * 30 + b',"hr":80}', b'{"t":1e999,"hr":80}',
    ],
    "empty": [b"{}", b"[{}]", b'{"heartrate":80}'],
    "too_large": [b" " * 2**20, b'{"hr":80,"x":"' + b"x" * 2**20 + b'"}'],
}  # fmt: skip


async def test_garbage_is_counted_and_logged_and_changes_nothing(mosquitto, configuration, run):
    """Two beds get the same readings, one of them all kinds of garbage in between: equal scores to the bit."""
    broker = mosquitto()
    daemon = run(configuration(broker.port, scores="true")).ready()
    garbage = [payload for payloads in GARBAGE.values() for payload in payloads]
    t, messages = a_while_ago(), []
    for i in range(20):
        good = {"t": t + 1000 * i, "hr": 80 + 3 * i, "spo2": 97 - i}
        messages += [("vitals/icu/clean", good), ("vitals/icu/dirty", good)]
        messages += [("vitals/icu/dirty", payload) for payload in garbage[i * 3 : i * 3 + 3]]
    assert len(garbage) <= 60
    messages += [("vitals//dirty", {"t": t, "hr": 80}), ("vitals/icu/dirty", b"{")]  # a second one of its kind
    scores = {"icu/clean": [], "icu/dirty": []}
    async with listening(broker) as listener:
        await publish(broker, *messages)
        until(lambda: daemon.metric("tocsin_messages_received_total") == len(messages))
        await publish(broker, ("vitals/icu/last", {"t": t, "hr": 80, "spo2": 97}))
        for topic, body, _ in await listener.until(lambda topic, _: topic == "tocsin/score/icu/last"):
            if topic in {"tocsin/score/icu/clean", "tocsin/score/icu/dirty"}:
                scores[topic.removeprefix("tocsin/score/")].append(body)
    assert len(scores["icu/clean"]) == 20
    assert [round(body["score"], 3) for body in scores["icu/clean"]][:3] == [89.5, 91.5, 93.5]
    assert scores["icu/dirty"] == scores["icu/clean"]

    expected = {reason: len(payloads) for reason, payloads in GARBAGE.items()} | {"topic": 1}
    expected["not_json"] += 1
    for reason, count in expected.items():
        assert daemon.metric(f'tocsin_rejects_total{{reason="{reason}"}}') == count, reason
    assert daemon.metric("tocsin_readings_accepted_total") == 41
    assert daemon.metric("tocsin_streams") == 3

    lines = re.findall(r"WARNING refused \((\w+)\) on \S+(?: \(stream (\S+)\))?: ", daemon.errors)
    assert set(Counter(lines).values()) == {1}, "more than a line a minute"
    assert {reason for reason, _ in lines} == set(expected)
    assert {stream for _, stream in lines} == {"icu/dirty", ""}
    assert daemon.end() == 0
    assert "Traceback" not in daemon.errors


async def test_one_wrong_value_leaves_the_others(mosquitto, configuration, run):
    broker = mosquitto()
    daemon = run(configuration(broker.port, scores="true")).ready()
    t = a_while_ago()
    async with listening(broker) as listener:
        await publish(broker, ("vitals/icu/a", {"t": t, "hr": 999, "spo2": 97}))
        heard = await listener.until(lambda topic, _: topic == "tocsin/score/icu/a")
    _, body, _ = heard[-1]
    assert {name: entry["value"] for name, entry in body["channels"].items()} == {"hr": None, "spo2": 97.0}
    assert body["score"] == 98
    assert re.search(r"refused \(implausible\) on .*\(stream icu/a\): hr=999 is not in 0\.\.300 /min", daemon.errors)


async def test_libraries_keep_quiet(mosquitto, configuration, run):
    broker = mosquitto()
    daemon = run(configuration(broker.port)).ready()
    daemon.get("/metrics")
    assert daemon.end() == 0
    said = [line.split(" ", 2)[2] for line in daemon.errors.splitlines()]
    assert said == [
        f"Tocsin {package.__version__}: http://127.0.0.1:{daemon.port}/metrics",
        "store: none is configured, so a restart forgets streams, alarms and their history",
        "watch ward: toy/1",
        f"connected to mqtt://127.0.0.1:{broker.port} as 'tocsin'",
        "stopping: finishing what has been received",
        "stopped",
    ]


def test_a_port_in_use(configuration):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        file = configuration(1, http=port)
        done = tocsin("run", file)
    assert done.returncode == 1
    hint = "is another daemon running, or the address not this machine's?"
    assert done.stderr.splitlines() == [
        f"error: can't listen on 127.0.0.1:{port} (Address already in use): {hint}",
        f"remedy: set http.port in {file}, or TOCSIN_HTTP__PORT",
    ]


def test_a_password_file_that_is_missing_or_no_text(configuration, tmp_path):
    file = configuration(1, broker="username: nurse, password_file: secret")
    done = tocsin("run", file)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].endswith("broker.password_file: file 'secret' does not exist")
    (tmp_path / "secret").write_bytes(b"hunter2\xff")
    done = tocsin("run", file)
    assert done.returncode == 1
    assert done.stderr == f"error: password file {tmp_path / 'secret'} is not UTF-8\n"


async def test_a_password_from_a_file(mosquitto, configuration, run, tmp_path):
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto_passwd is not installed")
    await asyncio.to_thread(
        subprocess.run, ["mosquitto_passwd", "-c", "-b", tmp_path / "users", "nurse", "hunter2"], check=True
    )
    broker = mosquitto("allow_anonymous false", f"password_file {tmp_path / 'users'}")
    (tmp_path / "secret").write_text("hunter2\n")
    daemon = run(configuration(broker.port, broker="username: nurse, password_file: secret")).ready()
    assert daemon.end() == 0
    assert "hunter2" not in daemon.errors
    # A wrong one is told, and tried again: somebody may mend the broker's side.
    (tmp_path / "secret").write_text("wrong")
    daemon = run(configuration(broker.port, broker="username: nurse, password_file: secret"))
    daemon.says(r"ERROR mqtt://127.0.0.1:\d+ refuses this client")
    assert daemon.get("/-/ready")[0] == 503
    assert daemon.end() == 0
