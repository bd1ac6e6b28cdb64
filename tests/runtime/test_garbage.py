"""Garbage on the wire is counted and logged, and changes nothing."""

from __future__ import annotations

import re
from collections import Counter

from listening import a_while_ago, listening, publish
from processes import until

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

    lines = re.findall(r"WARNING rejected \((\w+)\) on \S+(?: \(stream (\S+)\))?: ", daemon.errors)
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
    assert re.search(r"rejected \(implausible\) on .*\(stream icu/a\): hr=999 is not in 0\.\.300 /min", daemon.errors)
