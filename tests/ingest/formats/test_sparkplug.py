"""Sparkplug B, by payloads that an independent library made, and by what its sessions come to."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import pytest
from decoded import reasons, rows

from tocsin.ingest.decoder import Decoder
from tocsin.ingest.formats.sparkplug import MAX_NODES, TOPICS
from tocsin.ingest.message import Message
from tocsin.ingest.source_settings import FieldSettings, SourceSettings

S = 1_000_000_000
MS = 1_000_000
NOW = 1_764_000_000 * S
# By pysparkplug 0.6.1: births with the types of their metrics, data without, as the specification has it.
MADE = json.loads((Path(__file__).parents[1] / "payloads" / "sparkplug.json").read_text(encoding="utf-8"))
FIELDS = tuple(FieldSettings(name, name) for name in ("hr", "spo2", "on", "count"))
NODE, DEVICE = "spBv1.0/plant/{}/press", "spBv1.0/plant/{}/press/pump-1"


def decoder(**changes):
    return Decoder(SourceSettings(TOPICS, **({"stream": None, "fields": FIELDS, "format": "sparkplug"} | changes)))


def made(name, *, at=NOW):
    return Message(MADE[name]["topic"], bytes.fromhex(MADE[name]["hex"]), at)


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def metric(name=None, alias=None, t=None, datatype=None, **value):
    """A metric by hand: Protocol Buffers' wire format."""
    out = b""
    if name is not None:
        out += b"\x0a" + varint(len(name.encode())) + name.encode()
    out += b"".join(
        varint(number << 3) + varint(n) for number, n in ((2, alias), (3, t), (4, datatype)) if n is not None
    )
    for kind, v in value.items():
        number = {"null": 7, "int": 10, "long": 11, "float": 12, "double": 13, "boolean": 14, "string": 15}[kind]
        if kind in {"float", "double"}:
            out += varint(number << 3 | (5 if kind == "float" else 1)) + struct.pack(
                "<f" if kind == "float" else "<d", v
            )
        elif kind == "string":
            out += varint(number << 3 | 2) + varint(len(v)) + v.encode()
        else:
            out += varint(number << 3) + varint(v)
    return out


def message(kind, device=None, seq=None, metrics=(), t=NOW // MS, *, at=NOW, node="press"):
    body = (b"" if t is None else b"\x08" + varint(t)) + b"".join(b"\x12" + varint(len(m)) + m for m in metrics)
    body += b"" if seq is None else b"\x18" + varint(seq)
    topic = f"spBv1.0/plant/{kind}/{node}" + (f"/{device}" if device else "")
    return Message(topic, body, at)


HR = {"name": "hr", "alias": 1, "datatype": 3}
BIRTHS = [
    message("NBIRTH", seq=0, metrics=[metric("bdSeq", datatype=4, long=3)]),
    message("DBIRTH", "pump-1", 1, [metric(**HR, int=70)]),
]


def born(*more, **changes):
    d = decoder(**changes)
    first = d.decode([*BIRTHS, *more], NOW)
    assert first.rejects == []
    return d


def data(seq, value=71, device="pump-1", alias=1, **more):
    return message("DDATA", device, seq, [metric(alias=alias, int=value)], **more)


def test_a_session_that_an_independent_library_made():
    d = decoder()
    decoded = d.decode([made(n) for n in ("nbirth", "dbirth", "ddata", "ddata-null")], NOW + 5 * S)
    assert decoded.rejects == []
    assert decoded.requests == []
    assert decoded.readings.channels == ["hr", "spo2", "on", "count"]
    assert rows(decoded) == [
        ("plant/press/pump-1", NOW, [-72.0, 97.25, 1.0, float(2**40)]),
        ("plant/press/pump-1", NOW + 900 * MS, [-71.0, 96.5, None, None]),  # Int16, by the birth
        ("plant/press/pump-1", NOW + 1900 * MS, [None] * 4),
    ]
    assert decoded.readings.labels == [{"group": "plant", "edge": "press", "device": "pump-1"}]
    after = d.decode([made("ddeath"), made("ndeath")], NOW + 5 * S)
    # ndata, of seq 4, was left out above
    assert [r for r, _ in reasons(after)] == ["session"]


def test_metrics_of_a_node_and_names_that_name_streams():
    d = decoder(name="{room}/{channel}", fields=(FieldSettings("t", "temp"),), stream="{room}")
    decoded = d.decode([made(n) for n in ("nbirth", "dbirth", "ddata", "ddata-null", "ndata")], NOW + 5 * S)
    assert decoded.rejects == []
    assert rows(decoded) == [("room", NOW, [21.5]), ("room", NOW + 3 * S, [22.25])]
    assert d.decode([made("ddeath"), made("ndeath-old")], NOW).stale == []
    assert d.decode([made("ndeath")], NOW).stale == ["room"]


def test_the_death_of_a_device_makes_its_streams_stale_and_no_others():
    d = born(message("DBIRTH", "pump-2", 2, [metric("hr", 2, datatype=3, int=60)]))
    gone = d.decode([message("DDEATH", "pump-1", 3)], NOW)
    assert (gone.stale, gone.rejects, len(gone.readings)) == (["plant/press/pump-1"], [], 0)
    assert rows(d.decode([data(4, 61, "pump-2", 2)], NOW)) == [("plant/press/pump-2", NOW, [61.0, None, None, None])]


def test_the_death_of_a_node_makes_all_of_its_streams_stale():
    d = born(message("DBIRTH", "pump-2", 2, [metric("hr", 2, datatype=3, int=60)]))
    gone = d.decode([message("NDEATH", metrics=[metric("bdSeq", datatype=4, long=3)])], NOW)
    assert gone.stale == ["plant/press/pump-1", "plant/press/pump-2"]
    late = d.decode([data(3)], NOW)
    assert [r for r, _ in reasons(late)] == ["session"]


def test_who_is_born_again_in_the_same_batch_is_not_stale():
    d = born()
    birth = message("DBIRTH", "pump-1", 3, [metric("hr", 1, datatype=3, int=60)])
    assert d.decode([message("DDEATH", "pump-1", 2), birth], NOW).stale == []
    assert d.decode([message("DDEATH", "pump-1", 4)], NOW).stale == ["plant/press/pump-1"]


def test_the_will_of_an_earlier_session_makes_no_stream_stale():
    d = born()
    old = d.decode([message("NDEATH", metrics=[metric("bdSeq", datatype=4, long=2)])], NOW)
    assert (old.stale, old.rejects) == ([], [])
    assert len(d.decode([data(2)], NOW).readings) == 1


def test_a_gap_asks_for_a_rebirth_and_nothing_is_taken_before_it():
    d = born()
    gap = d.decode([data(3), data(4)], NOW)
    assert len(gap.readings) == 0
    assert [(r, reject.count) for (r, _), reject in zip(reasons(gap), gap.rejects, strict=True)] == [
        ("session", 1),
        ("session", 1),
    ]
    assert "seq 3 follows 1: a message was lost" in gap.rejects[0].detail
    assert [request.topic for request in gap.requests] == ["spBv1.0/plant/NCMD/press"]
    again = d.decode([*BIRTHS, data(2)], NOW)
    assert again.rejects == []
    assert [values[0] for _, _, values in rows(again)] == [70.0, 71.0]


def test_a_rebirth_request_is_what_the_specification_asks_for():
    (request,) = decoder().decode([data(1)], NOW).requests
    expected = metric("Node Control/Rebirth", t=NOW // MS, datatype=11, boolean=1)
    assert request.payload == b"\x08" + varint(NOW // MS) + b"\x12" + varint(len(expected)) + expected


def test_a_node_is_asked_at_most_once_in_ten_seconds():
    d = decoder()
    asked = [len(d.decode([data(1, at=NOW + k * S)], NOW + k * S).requests) for k in (0, 1, 9, 10, 11, 21)]
    assert asked == [1, 0, 0, 1, 0, 1]


def test_sequence_numbers_go_round():
    d = born()
    decoded = d.decode([data(n % 256, n) for n in range(2, 600)], NOW)
    assert decoded.rejects == []
    assert len(decoded.readings) == 598


def test_a_device_or_a_metric_that_was_not_born_asks_for_a_rebirth():
    d = born()
    assert [r for r, _ in reasons(d.decode([data(2, device="pump-9")], NOW))] == ["session"]
    unknown = d.decode([data(3, alias=99, at=NOW + 20 * S)], NOW + 20 * S)
    assert "metric 99 is in no birth" in unknown.rejects[0].detail
    assert len(unknown.requests) == 1


def test_after_another_birth_an_alias_means_what_that_birth_says():
    d = born()
    births = [
        message("NBIRTH", seq=0),
        message("DBIRTH", "pump-1", 1, [metric("spo2", 1, datatype=10, double=97.0)]),
    ]
    decoded = d.decode([*births, message("DDATA", "pump-1", 2, [metric(alias=1, double=96.0)])], NOW)
    assert [values[:2] for _, _, values in rows(decoded)] == [[None, 97.0], [None, 96.0]]


@pytest.mark.parametrize(
    ("datatype", "value", "expected"),
    [
        (1, {"int": 0xFF}, -1.0),  # Int8
        (1, {"int": 0xFFFFFFFF}, -1.0),  # sign-extended, as some write it
        (2, {"int": 0xFFB8}, -72.0),
        (3, {"int": 0xFFFFFFFF}, -1.0),
        (4, {"long": 2**64 - 5}, -5.0),
        (5, {"int": 0xFF}, 255.0),  # UInt8
        (7, {"int": 0xFFFFFFFF}, 4294967295.0),
        (8, {"long": 2**64 - 1}, float(2**64 - 1)),
        (9, {"float": 0.5}, 0.5),
        (10, {"double": -0.25}, -0.25),
        (11, {"boolean": 1}, 1.0),
        (3, {"null": 1}, None),
    ],
)
def test_values_of_every_type_that_is_a_number(datatype, value, expected):
    d = decoder()
    metrics = [metric("hr", datatype=datatype, **value)]
    decoded = d.decode([BIRTHS[0], message("DBIRTH", "pump-1", 1, metrics)], NOW)
    assert decoded.rejects == []
    assert rows(decoded) == [("plant/press/pump-1", NOW, [expected, None, None, None])]


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        ({"string": "on"}, "wrong_type", "hr: not a number (type 12)"),
        ({}, "wrong_type", "hr: not a number"),
        ({"double": math.nan}, "not_finite", "hr: nan"),
        ({"float": math.inf}, "not_finite", "hr: inf"),
        ({"int": 1, "t": 2**63}, "time", "can't be a time"),
        ({"int": 1, "t": 5}, "time", "before 2000"),
        ({"int": 1, "t": NOW // MS + 70_000}, "time", "ahead of now"),
    ],
)
def test_values_that_cannot_be_used(value, reason, detail):
    decoded = decoder().decode([BIRTHS[0], message("DBIRTH", "p", 1, [metric("hr", datatype=12, **value)])], NOW)
    assert len(decoded.readings) == 0
    assert [(r, detail in d) for r, d in reasons(decoded)] == [(reason, True)]


def test_without_any_time_the_arrival_is_taken():
    decoded = born().decode([data(2, t=None, at=NOW - 7)], NOW)
    assert [t for _, t, _ in rows(decoded)] == [NOW - 7]


def test_other_hosts_commands_are_not_for_us_and_other_topics_are_refused():
    d = decoder()
    quiet = d.decode([message("NCMD", metrics=[metric("x", int=1)]), message("DCMD", "pump-1")], NOW)
    assert (quiet.rejects, quiet.requests, len(quiet.readings)) == ([], [], 0)
    odd = d.decode([message("NBORN"), message("DDATA"), message("NDATA", "pump-1")], NOW)
    assert [r for r, _ in reasons(odd)] == ["topic"] * 3
    assert odd.requests == []


def test_bytes_that_are_no_payload():
    decoded = born().decode([Message(DEVICE.format("DDATA"), b"\xff\xff", NOW)], NOW)
    assert [r for r, _ in reasons(decoded)] == ["unreadable"]


def test_nodes_without_end_do_not_grow_the_memory(monkeypatch):
    monkeypatch.setattr("tocsin.ingest.formats.sparkplug.MAX_NODES", 50)
    assert MAX_NODES > 50
    d = decoder()
    births = [
        message("NBIRTH", seq=0, metrics=[metric(f"m{k}", k + 1) for k in range(5)], node=f"n{i}") for i in range(500)
    ]
    d.decode(births, NOW)
    sessions = d._reader.sessions  # noqa: SLF001  (what it remembers is what this is about)
    assert len(sessions.nodes) == 50
    assert sessions.metrics == 50 * 11


def test_metrics_without_end_do_not_grow_the_memory(monkeypatch):
    monkeypatch.setattr("tocsin.ingest.formats.sparkplug.MAX_METRICS", 5)
    d = decoder()
    many = message("NBIRTH", seq=0, metrics=[metric(f"m{k}") for k in range(6)])
    decoded = d.decode([many, message("NDATA", seq=1, metrics=[metric("m1", int=1)])], NOW)
    assert "metrics" in decoded.rejects[0].detail
    assert [r for r, _ in reasons(decoded)] == ["session", "session"]
    assert d._reader.sessions.metrics == 0  # noqa: SLF001  (as above)


def test_devices_and_streams_without_end_do_not_grow_the_memory(monkeypatch):
    monkeypatch.setattr("tocsin.ingest.formats.sparkplug.MAX_METRICS", 20)
    d = decoder(name="{channel}@{bed}", stream="{bed}")
    seen = []
    for k in range(50):
        births = [message("NBIRTH", seq=0)]
        births += [message("DBIRTH", f"d{k}-{n}", n + 1, [metric(f"hr@{k}-{n}", int=1)]) for n in range(9)]
        decoded = d.decode(births, NOW)
        (node,) = d._reader.sessions.nodes.values()  # noqa: SLF001  (as above)
        seen.append((len(node.metrics), len(node.streams)))
        assert len(decoded.readings) == 9
    assert set(seen) == {(10, 10)}
