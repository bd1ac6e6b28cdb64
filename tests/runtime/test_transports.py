"""The same requests through three transports of a real daemon: MQTT, HTTP and the command line, by the same rules."""

from __future__ import annotations

import json
import re
import signal
import time
import uuid

import aiomqtt
import configurations
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from processes import Daemon, call, tocsin, until

SHOWN = ("transition", "state", "actor", "comment")


class Mqtt:
    """`<base>/request/<verb>`, by an independent client."""

    name = "mqtt"

    def __init__(self, client):
        self._client = client

    async def ask(self, verb, **body):
        await self.send(verb, json.dumps(body))
        return await self.answer()

    async def send(self, verb, payload, **more):
        await self._client.publish(f"tocsin/request/{verb}", payload, qos=1, **more)

    async def answer(self):
        message = await self.message()
        assert not message.retain
        return json.loads(message.payload)

    async def message(self):
        return await anext(self._client.messages)


class Http:
    """`POST /api/v1/commands/<verb>`."""

    name = "http"

    def __init__(self, daemon):
        self._daemon = daemon

    async def ask(self, verb, **body):
        status, answer = call(self._daemon, "POST", f"/api/v1/commands/{verb}", body)
        if status == 200:
            return answer
        assert (answer["status"], status >= 400) == (status, True)
        return {**answer, "status": "error", "error": answer["detail"]}


class CommandLine:
    """`tocsin alarms …`."""

    name = "cli"

    def __init__(self, daemon):
        self._daemon = daemon

    async def ask(self, verb, **body):
        words = [verb]
        if "stream" in body:
            words += [f"{body['stream']}/{body['alarm']}"] if "alarm" in body else [body["stream"]]
        words += [str(body[name]) for name in ("verdict",) if name in body]
        if verb == "annotate":
            words += [body.get("comment", "")]
        elif "comment" in body:
            words += ["--reason", body["comment"]]
        for name, option in (("actor", "--actor"), ("transaction", "--transaction"), ("occurrence", "--occurrence")):
            words += [option, str(body[name])] if name in body else []
        words += ["--for", f"{body['for_s']} s"] if "for_s" in body else []
        words += [word for name, value in body.get("labels", {}).items() for word in ("--label", f"{name}={value}")]
        done = tocsin("alarms", *words, "--json", "--http", f"127.0.0.1:{self._daemon.port}")
        if done.returncode == 0:
            return json.loads(done.stdout)
        assert done.returncode == 3, done.stderr
        assert done.stdout == ""
        return {"status": "error", "error": done.stderr.partition("error: ")[2].rstrip("\n")}


@pytest.fixture
async def ward(mosquitto, tmp_path):
    """A daemon, its broker, and a client that hears the answers."""
    broker = mosquitto()
    file = configurations.write(tmp_path, broker={"port": broker.port})
    daemon = Daemon(tmp_path, file)
    daemon.ready()
    try:
        async with aiomqtt.Client(broker.host, broker.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
            await client.subscribe("tocsin/response/#", qos=1)
            yield daemon, client
    finally:
        daemon.clean_up()


async def raise_alarms(daemon, client, *streams):
    for stream in streams:
        await client.publish(f"vitals/{stream}", json.dumps({"t": int(time.time()) - 5, "hr": 150, "spo2": 20}), qos=1)
        await client.publish(f"vitals/{stream}", json.dumps({"t": int(time.time()) - 3, "hr": 150, "spo2": 20}), qos=1)
    up = {f"{stream}/hr-high" for stream in streams}
    until(lambda: up <= {alarm["id"] for alarm in call(daemon, "GET", "/api/v1/alarms")[1]["alarms"]})


def asks(verb, actor, expected, **more):
    """A verb, the body beside the stream, and what comes of it: transition, state, actor, comment; or an error."""
    return verb, {"alarm": "hr-high", "actor": actor, **more}, expected


def comes(transition, state, actor, comment=None):
    return [(transition, state, actor, comment)]


NAMED = "^alarm '{stream}/hr-high': "
TABLE = [
    asks("acknowledge", "joy", "^alarm '{stream}/hr-hi'.*", alarm="hr-hi"),
    asks("acknowledge", "joy", NAMED + ".*77", occurrence=77),
    asks("reset", "joy", NAMED + r"cannot reset .*unacknowledged.* \(legal: .*acknowledge"),
    asks("acknowledge", " ", NAMED + ".*actor"),
    asks("shelve", "joy", NAMED + r"cannot shelve: there is no reason \(give a comment\)", for_s=60),
    asks("shelve", "joy", NAMED + ".*90000.*legal", for_s=90_000, comment="x"),
    asks("unshelve", "joy", NAMED + ".*legal"),
    asks("shelve", "joy", comes("shelve", "unacknowledged", "joy", "washing"), for_s=60, comment="washing"),
    asks("acknowledge", "sam", comes("acknowledge", "acknowledged", "sam"), transaction="{transport}-1"),
    # Again, and nothing happens: the answer is the first one's.
    asks("acknowledge", "sam", comes("acknowledge", "acknowledged", "sam"), transaction="{transport}-1"),
    asks("reset", "sam", "^transaction '{transport}-1' was another command", transaction="{transport}-1"),
    asks("unshelve", "joy", comes("unshelve", "acknowledged", "joy")),
    asks("remove-from-service", "tech", comes("remove-from-service", "acknowledged", "tech", "probe"), comment="probe"),
    asks("return-to-service", "tech", comes("return-to-service", "acknowledged", "tech")),
    asks("annotate", "joy", comes("annotate", "acknowledged", "joy", "he ran"), comment="he ran"),
    asks("mark", "joy", comes("mark", "acknowledged", "joy"), verdict="false"),
    asks("mark", "joy", "^mark: .*maybe", verdict="maybe"),
    ("test", {"stream": "test-{transport}", "actor": "tech"}, comes("raise", "unacknowledged", "tech")),
]


async def test_the_same_requests_have_the_same_answers(ward):
    daemon, client = ward
    for transport in (Mqtt(client), Http(daemon), CommandLine(daemon)):
        stream = f"icu/{transport.name}"
        await raise_alarms(daemon, client, stream)
        for verb, asked, expected in TABLE:
            body = {name: v.format(transport=transport.name) if isinstance(v, str) else v for name, v in asked.items()}
            reply = await transport.ask(verb, **{"stream": stream, **body})
            case = f"{transport.name}: {verb} {body}: {reply}"
            if isinstance(expected, str):
                assert reply["status"] == "error", case
                assert re.search(expected.format(stream=stream, transport=transport.name), reply["error"]), case
            else:
                assert reply["status"] == "ok", case
                assert [tuple(e[name] for name in SHOWN) for e in reply["data"]["events"]] == expected, case
                if "transaction" in body:
                    assert reply["transaction"] == body["transaction"]
        status, listed = call(daemon, "GET", f"/api/v1/alarms?stream={stream}")
        assert (status, [(a["id"], a["state"], a["acknowledged_by"]) for a in listed["alarms"]]) == (
            200,
            [(f"{stream}/hr-high", "acknowledged", "sam")],
        )


async def test_mqtt_5_answers_where_it_is_asked_to_and_with_the_askers_mark(ward):
    daemon, client = ward
    await raise_alarms(daemon, client, "icu/1")
    await client.subscribe("nurse/7/#", qos=1)
    mqtt = Mqtt(client)
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic, properties.CorrelationData = "nurse/7/answers", b"\x00\xff7"
    await mqtt.send("list", "{}", properties=properties)
    message = await mqtt.message()
    assert str(message.topic) == "nurse/7/answers"
    assert message.properties.CorrelationData == b"\x00\xff7"
    assert [a["id"] for a in json.loads(message.payload)["data"]["alarms"]] == ["icu/1/hr-high"]

    # Not where its word would be taken for an alarm's.
    properties.ResponseTopic = "tocsin/alarm/icu/1/hr-high"
    await mqtt.send("list", "{}", properties=properties)
    message = await mqtt.message()
    assert str(message.topic) == "tocsin/response/list"
    assert message.properties.CorrelationData == b"\x00\xff7"


NOT_UNDERSTOOD = [
    ("dance", b"{}", "unknown-verb", r"^no verb 'dance' \(legal: acknowledge, "),
    ("list", b"{", "malformed", "^list: "),
    ("list", b"[" * 50_000, "malformed", "^list: "),
    ("acknowledge", b'{"stream": "a", "alarm": "b"}', "malformed", "missing required field `actor`"),
    ("acknowledge", b'{"stream": "a", "alarm": "b", "actor": "x", "urgent": 1}', "malformed", "no field `urgent`"),
    ("history", b'{"limit": 0}', "malformed", r"limit"),
    ("history", b"{}", "no-store", r"set store\.folder"),
]


async def test_what_cannot_be_understood_is_answered_too(ward):
    mqtt = Mqtt(ward[1])
    for verb, payload, code, error in NOT_UNDERSTOOD:
        await mqtt.send(verb, payload)
        reply = await mqtt.answer()
        assert (reply["status"], reply["code"]) == ("error", code)
        assert re.search(error, reply["error"])


async def test_a_retained_command_is_an_old_one(mosquitto, tmp_path):
    broker = mosquitto()
    file = configurations.write(tmp_path, broker={"port": broker.port})
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe("tocsin/response/#", qos=1)
        body = {"actor": "joy", "transaction": "kept"}
        await client.publish("tocsin/request/test", json.dumps(body), qos=1, retain=True)
        daemon = Daemon(tmp_path, file)
        try:
            reply = json.loads((await anext(client.messages)).payload)
            assert (reply["status"], reply["code"], reply["transaction"]) == ("error", "retained", "kept")
            daemon.ready()
            assert call(daemon, "GET", "/api/v1/alarms")[1] == {"alarms": []}
        finally:
            daemon.clean_up()


async def test_http_answers_faults_with_problems(ward):
    daemon, client = ward
    await raise_alarms(daemon, client, "icu/1")
    command = {"stream": "icu/1", "alarm": "hr-high", "actor": "joy"}
    for path, body, headers, status, code in (
        ("acknowledge", {**command, "alarm": "x"}, {}, 404, "unknown-alarm"),
        ("reset", command, {}, 409, "illegal"),
        ("shelve", {**command, "for_s": 1}, {}, 422, "missing-reason"),
        ("acknowledge", b"{", {}, 400, "malformed"),
        ("acknowledge", b" " * 4_200_000, {}, 413, "too-large"),
        ("acknowledge", command, {"Content-Type": "text/plain"}, 415, "content-type"),
        ("acknowledge", command, {"Content-Type": "application/x-www-form-urlencoded"}, 415, "content-type"),
        ("acknowledge", command, {"Origin": "http://evil.example"}, 403, "forbidden"),
        ("acknowledge", command, {"Host": "evil.example"}, 403, "forbidden"),
        ("dance", command, {}, 404, "unknown-verb"),
        ("list", {}, {}, 404, "unknown-verb"),
    ):
        found, problem = call(daemon, "POST", f"/api/v1/commands/{path}", body, **headers)
        assert (found, problem["status"], problem["code"]) == (status, status, code), problem
        assert problem["kind"] == "application/problem+json"
        assert problem["detail"]
    for path, status, code in (
        ("alarms/icu/1/nothing", 404, "unknown-alarm"),
        ("alarms?priority=urgent", 400, "malformed"),
        ("alarms?colour=red", 400, "malformed"),
        ("history?since=yesterday", 400, "malformed"),
        ("history", 501, "no-store"),
    ):
        found, problem = call(daemon, "GET", f"/api/v1/{path}")
        assert (found, problem["code"]) == (status, code), problem
    for path in ("alarms/icu/1/hr-high", "alarms/icu%2F1%2Fhr-high"):
        status, alarm = call(daemon, "GET", f"/api/v1/{path}")
        assert (status, alarm["id"], alarm["state"]) == (200, "icu/1/hr-high", "unacknowledged")
    assert call(daemon, "POST", "/api/v1/commands/acknowledge", command)[0] == 200
    for query, ids in (
        ("state=acknowledged", ["icu/1/hr-high"]),
        ("state=unacknowledged", []),
        ("stream=icu/*&priority=high&category=physiological", ["icu/1/hr-high"]),
        ("stream=ward/*", []),
        ("alarm=hr-*&all=true", ["icu/1/hr-high"]),
    ):
        assert [alarm["id"] for alarm in call(daemon, "GET", f"/api/v1/alarms?{query}")[1]["alarms"]] == ids, query
    # What was refused by the commands themselves; the rest never came so far.
    assert daemon.metric('tocsin_requests_total{status="error"}') == 5
    assert daemon.metric('tocsin_requests_total{status="ok"}') >= 8


async def test_a_token_for_the_commands_and_the_command_line_finds_it(mosquitto, tmp_path):
    broker = mosquitto()
    token = uuid.uuid4().hex
    (tmp_path / "token").write_text(f"{token}\n")
    file = configurations.write(tmp_path, broker={"port": broker.port}, http={"token_file": "token"})
    daemon = Daemon(tmp_path, file)
    try:
        daemon.ready()
        here = f"127.0.0.1:{daemon.port}"
        body = {"actor": "joy"}
        assert call(daemon, "POST", "/api/v1/commands/test", body)[0] == 401
        assert call(daemon, "GET", "/api/v1/alarms")[0] == 401
        assert call(daemon, "POST", "/api/v1/commands/test", body, Authorization=f"Bearer {token}")[0] == 200
        assert daemon.get("/metrics")[0] == 200

        refused = tocsin("alarms", "list", "--http", here)
        assert refused.returncode == 1
        assert refused.stderr.splitlines()[0].startswith("error: a token is needed")
        for words in (["--config", file], ["--token-file", tmp_path / "token"]):
            listed = tocsin("alarms", "list", "--json", "--http", here, *words)
            assert (listed.returncode, set(json.loads(listed.stdout))) == (0, {"alarms"}), listed.stderr
        assert tocsin("reload", file, "--http", here).returncode == 0
        assert tocsin("reload", file, "--http", here, "--token-file", file).returncode == 1
    finally:
        daemon.clean_up()


async def test_what_was_done_is_known_after_a_crash_and_looked_up_on_the_command_line(mosquitto, tmp_path):
    broker = mosquitto()
    file = configurations.write(tmp_path, broker={"port": broker.port}, store={"folder": "store"})
    daemon = Daemon(tmp_path, file)
    try:
        daemon.ready()
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await raise_alarms(daemon, client, "icu/1", "ward/2")
        one = {"stream": "icu/1", "alarm": "hr-high", "actor": "joy"}
        other = {**one, "stream": "ward/2"}
        for verb, body in (
            ("acknowledge", {**one, "transaction": "a"}),
            ("mark", {**one, "verdict": "false", "comment": "cold finger"}),
            ("shelve", {**other, "for_s": 600, "comment": "washing"}),
            ("set-limit", {**other, "limit": 110}),
        ):
            assert call(daemon, "POST", f"/api/v1/commands/{verb}", body)[0] == 200
        daemon.end(signal.SIGKILL)
        daemon = Daemon(tmp_path, file)
        daemon.ready()

        states = {a["id"]: (a["state"], a["annunciated"]) for a in call(daemon, "GET", "/api/v1/alarms")[1]["alarms"]}
        assert states == {"icu/1/hr-high": ("acknowledged", True), "ward/2/hr-high": ("unacknowledged", False)}
        again = call(daemon, "POST", "/api/v1/commands/acknowledge", {**one, "transaction": "a"})
        assert [event["transition"] for event in again[1]["data"]["events"]] == ["acknowledge"]
        stream = call(daemon, "GET", "/api/v1/streams/ward/2")[1]
        assert stream["watches"][0]["limits"] == {"hr-high": 110.0}

        looked_up(daemon, tmp_path)
    finally:
        daemon.clean_up()


def looked_up(daemon, folder):
    here = ("--http", f"127.0.0.1:{daemon.port}")

    def command(*words):
        done = tocsin("alarms", *words, *here)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def history(*words):
        events = [json.loads(line) for line in command("history", "--json", *words).splitlines()]
        return [(event["stream"], event["transition"]) for event in events]

    everything = [
        ("icu/1", "raise"), ("ward/2", "raise"), ("icu/1", "acknowledge"), ("icu/1", "mark"), ("ward/2", "shelve"),
    ]  # fmt: skip
    assert sorted(history()[:2]) + history()[2:] == everything
    assert history("--stream", "icu/*", "--actor", "joy", "--since", "1h") == everything[2:4]
    assert history("--verdict", "false") == [("icu/1", "mark")]
    assert history("--until", "1h") == []
    assert history("--limit", "1") == [("ward/2", "shelve")]
    page = call(daemon, "GET", "/api/v1/history?limit=2")[1]
    rest = call(daemon, "GET", f"/api/v1/history?limit=10&before={page['before']}")[1]
    assert ([len(page["events"]), len(rest["events"]), rest["before"]]) == [2, 3, None]

    command("history", "--csv", folder / "a.csv")
    assert len((folder / "a.csv").read_text().splitlines()) == 6
    shown = command("report", "--days", "1", "--by", "ward", "--html", folder / "report.html", "--json")
    assert json.loads(shown)["alarms"] == 2
    assert "<svg" in (folder / "report.html").read_text()
    command("labels", "--csv", folder / "labels.csv")
    lines = (folder / "labels.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["stream", "icu/1"]
    assert ",0,false,hr-high," in lines[1]
    assert "cold finger" in command("history", "--verdict", "false")
    assert "alarms per operator" in command("report", "--days", "1")
