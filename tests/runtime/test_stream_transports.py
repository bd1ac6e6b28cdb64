"""Streams that people begin, pause, move, set and carry away, through the transports of a real daemon."""

from __future__ import annotations

import json
import re
import signal
import time

import aiomqtt
import configurations
from processes import Daemon, call, tocsin, until


async def ask(client, verb, **body):
    """Over MQTT."""
    await client.publish(f"tocsin/request/{verb}", json.dumps({"actor": "joy", **body}), qos=1)
    return json.loads((await anext(client.messages)).payload)


async def read(client, stream, hr, seconds):
    """One reading a second."""
    start = int(time.time()) - seconds
    for t in range(start, start + seconds):
        await client.publish(f"vitals/{stream}", json.dumps({"t": t, "hr": hr, "spo2": 20}), qos=1)


def known(daemon, pattern="*"):
    streams = call(daemon, "GET", f"/api/v1/streams?stream={pattern}")[1]["streams"]
    return {entry["stream"]: entry["watches"][0] | {"labels": entry["labels"]} for entry in streams}


def alarms(daemon, query=""):
    return [(a["id"], a["state"]) for a in call(daemon, "GET", f"/api/v1/alarms{query}")[1]["alarms"]]


async def test_a_stream_from_its_admission_to_another_daemon(mosquitto, tmp_path):
    broker = mosquitto()
    file = configurations.write(tmp_path, broker={"port": broker.port}, store={"folder": "store"})
    daemon = Daemon(tmp_path, file)
    try:
        daemon.ready()
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await client.subscribe("tocsin/response/#", qos=1)
            moved = await begins_pauses_and_moves(client, daemon)
            await refusals(client, daemon)
            await is_carried_away(daemon, tmp_path)
            before = await is_looked_up(client, daemon)
            daemon.end(signal.SIGKILL)
            daemon = Daemon(tmp_path, file).ready()
            assert await is_looked_up(client, daemon) == before
            # Nor does a restart let it be done twice.
            assert (
                await ask(client, "transfer", stream="icu/1", to="ward/7", comment="better", transaction="t") == moved
            )
            again = await ask(client, "discharge", stream="icu/2", transaction="t")
            assert again["code"] == "other-command"
            assert set(known(daemon)) == {"icu/2"}
    finally:
        daemon.clean_up()


async def is_looked_up(client, daemon):
    """Who had what done, through three transports."""
    everything = call(daemon, "GET", "/api/v1/stream-history")[1]["commands"]
    logged = [(entry["verb"], entry["stream"], entry["actor"], entry["comment"]) for entry in reversed(everything)]
    assert logged == [
        ("admit", "icu/1", "joy", None),
        ("set-limit", "icu/1", "joy", None),
        ("transfer", "icu/1", "joy", "better"),
        ("standby", "ward/7", "joy", None),
        ("resume", "ward/7", "joy", None),
        ("set-profile", "ward/7", "joy", None),
        ("import-stream", "icu/2", "joy", None),
        ("discharge", "ward/7", "joy", "home"),
    ]
    moved, carried = everything[5], everything[1]
    assert (moved["arguments"], moved["transaction"], moved["watches"]) == ({"to": "ward/7"}, "t", ["ward"])
    assert len(moved["events"]) == 1
    assert re.fullmatch("sha256:[0-9a-f]{64}", carried["arguments"]["memory"])
    asked = {"stream": "icu/*", "limit": 1}
    await client.publish("tocsin/request/stream-history", json.dumps(asked), qos=1)
    page = json.loads((await anext(client.messages)).payload)["data"]
    assert page == {"commands": [carried], "before": carried["id"]}
    here = ("--http", f"127.0.0.1:{daemon.port}")
    listed = tocsin("streams", "history", "--stream", "ward/7", "--since", "1h", "--json", *here)
    assert [json.loads(line)["verb"] for line in listed.stdout.splitlines()] == [logged[i][0] for i in (2, 3, 4, 5, 7)]
    shown = tocsin("streams", "history", "--actor", "joy", "--verb", "set-limit", *here)
    assert (shown.returncode, "alarm=hr-high, limit=90" in shown.stdout, "icu/2" in shown.stdout) == (0, True, False)
    return everything


async def begins_pauses_and_moves(client, daemon):
    reply = await ask(client, "admit", stream="icu/1", labels={"nurse": "sam"}, profile={"oxygen": 1}, transaction="a")
    assert (reply["status"], reply["transaction"]) == ("ok", "a"), reply
    watch = known(daemon)["icu/1"]
    assert (watch["admitted"], watch["labels"], watch["profile"]) == (True, {"nurse": "sam"}, {"oxygen": 1.0})

    assert (await ask(client, "set-limit", stream="icu/1", alarm="hr-high", limit=90))["status"] == "ok"
    await read(client, "icu/1", 100, seconds=3)
    until(lambda: alarms(daemon) == [("icu/1/hr-high", "unacknowledged")])
    assert known(daemon)["icu/1"]["limits"] == {"hr-high": 90.0}

    shelving = {"stream": "icu/1", "alarm": "hr-high", "for_s": 600, "comment": "washing"}
    assert (await ask(client, "shelve", **shelving))["status"] == "ok"
    reply = await ask(client, "transfer", stream="icu/1", to="ward/7", comment="better", transaction="t")
    assert [e["transition"] for e in reply["data"]["events"]] == ["end"]
    assert set(known(daemon)) == {"ward/7"}
    assert known(daemon)["ward/7"]["limits"] == {"hr-high": 90.0}
    assert alarms(daemon, "?all=true") == []  # nor is an alarm of the next stay in icu/1 shelved
    # Again: the same answer, and no second patient is moved.
    assert await ask(client, "transfer", stream="icu/1", to="ward/7", comment="better", transaction="t") == reply
    assert "transfer Transfer(stream='icu/1', to='ward/7') by joy: better" in daemon.errors

    assert (await ask(client, "standby", stream="ward/7"))["status"] == "ok"
    assert known(daemon)["ward/7"]["standby"] is True
    assert (await ask(client, "resume", stream="ward/7"))["status"] == "ok"
    assert (await ask(client, "set-profile", stream="ward/7", values={"oxygen": None}))["status"] == "ok"
    assert known(daemon)["ward/7"]["profile"] == {}
    return reply


async def refusals(client, daemon):
    for verb, body, code, error in (
        ("discharge", {"stream": "icu/9"}, "unknown-stream", "^stream 'icu/9': is not known"),
        ("resume", {"stream": "ward/7"}, "illegal", "^stream 'ward/7': cannot resume"),
        ("set-limit", {"stream": "ward/7", "alarm": "x", "limit": 1}, "unknown-alarm", r"legal: hr-high"),
        ("set-limit", {"stream": "ward/7", "alarm": "hr-high", "limit": 999}, "illegal", "999 is not plausible"),
        ("transfer", {"stream": "ward/7", "to": "ward/8", "transaction": "t"}, "other-command", "another command"),
        # What is published under such a name would end the connection.
        ("admit", {"stream": "icu/#"}, "illegal-value", "^admit: stream 'icu/#' can't be a stream's name"),
        ("admit", {"stream": "icu//1"}, "illegal-value", "can't be a stream's name"),
        ("transfer", {"stream": "ward/7", "to": "a\u0000b"}, "illegal-value", "can't be a stream's name"),
        ("test", {"stream": "x" * 70_000}, "illegal-value", "can't be a stream's name"),
        ("import-stream", {"stream": "icu/1", "memory": "bm90aGluZw=="}, "illegal-value", "damaged, or no export"),
    ):
        reply = await ask(client, verb, **body)
        assert (reply["status"], reply["code"]) == ("error", code), reply
        assert re.search(error, reply["error"]), reply
    assert call(daemon, "GET", "/api/v1/streams/icu/9")[0] == 404
    assert set(known(daemon)) == {"ward/7"}


async def is_carried_away(daemon, folder):
    def streams(*words):
        return tocsin("streams", *words, "--http", f"127.0.0.1:{daemon.port}")

    frames = known(daemon)["ward/7"]["frames"]
    exported = streams("export", "ward/7", "--out", folder / "bed.npz")
    assert exported.returncode == 0, exported.stderr
    assert streams("import", "icu/2", folder / "bed.npz", "--actor", "joy").returncode == 0
    found = known(daemon)["icu/2"]
    assert (found["limits"], found["frames"]) == ({"hr-high": 90.0}, frames)
    assert streams("discharge", "ward/7", "--actor", "joy", "--reason", "home").returncode == 0
    shown = streams("list")
    assert (shown.returncode, "icu/2" in shown.stdout, "ward/7" in shown.stdout) == (0, True, False)
    gone = streams("show", "ward/7")
    assert (gone.returncode, gone.stderr.startswith("error: stream 'ward/7': is not known")) == (3, True)


async def test_who_was_given_up_comes_back_with_limits_and_frames_but_the_next_patient_does_not(mosquitto, tmp_path):
    broker = mosquitto()
    file = configurations.write(
        tmp_path,
        broker={"port": broker.port},
        store={"folder": "store"},
        watches={"ward": {"evict_after_s": 1}},
    )
    daemon = Daemon(tmp_path, file)
    try:
        daemon.ready()
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await client.subscribe("tocsin/response/#", qos=1)
            for bed in ("icu/1", "icu/2"):
                await read(client, bed, 80, seconds=3)
                until(lambda bed=bed: bed in known(daemon))
                assert (await ask(client, "set-limit", stream=bed, alarm="hr-high", limit=100))["status"] == "ok"
            until(lambda: not known(daemon))
            daemon.end(signal.SIGKILL)
            daemon = Daemon(tmp_path, file).ready()
            # A command finds who was given up, too; and what has been discharged is gone.
            assert (await ask(client, "discharge", stream="icu/2"))["status"] == "ok"
            for bed in ("icu/1", "icu/2"):
                await read(client, bed, 80, seconds=1)
            found = until(lambda: len(known(daemon)) == 2 and known(daemon))
            assert {bed: watch["limits"] for bed, watch in found.items()} == {"icu/1": {"hr-high": 100.0}, "icu/2": {}}
            assert daemon.metric("tocsin_streams_returned_total") == 2
    finally:
        daemon.clean_up()
