"""SenML by the examples of RFC 8428, and by packs that an independent encoder makes."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import cbor2
import numpy as np
import pytest
from decoded import reasons, rows
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest.decoder import Decoder
from tocsin.ingest.message import Message
from tocsin.ingest.source_settings import FieldSettings, SourceSettings

S = 1_000_000_000
NOW = 1_764_000_000 * S
FIELDS = (FieldSettings("voltage", "voltage", unit="V"), FieldSettings("current", "current", unit="A"))
BOTH = pytest.mark.parametrize("kind", ["senml-json", "senml-cbor"])

# Section 6, figure "CBOR Example": the pack of section 5.1.3 as bytes.
RFC_CBOR = bytes.fromhex(
    "87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b00106223614120050067766f6c74616765"
    "01615602fb405e066666666666a3006763757272656e74062402fb3ff3333333333333a3006763757272656e74062302fb3ff4cccccccccccd"
    "a3006763757272656e74062202fb3ff6666666666666a3006763757272656e74062102f93e00a3006763757272656e74062002fb3ff9999999"
    "99999aa3006763757272656e74060002fb3ffb333333333333"
)
RFC_JSON = [
    {"bn": "urn:dev:ow:10e2073a0108006:", "bt": 1.276020076001e09, "bu": "A", "bver": 5,
     "n": "voltage", "u": "V", "v": 120.1},
    {"n": "current", "t": -5, "v": 1.2},
    {"n": "current", "t": -4, "v": 1.3},
    {"n": "current", "t": -3, "v": 1.4},
    {"n": "current", "t": -2, "v": 1.5},
    {"n": "current", "t": -1, "v": 1.6},
    {"n": "current", "v": 1.7},
]  # fmt: skip
LABELS = {"bver": -1, "bn": -2, "bt": -3, "bu": -4, "bv": -5, "bs": -6,
          "n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "s": 5, "t": 6, "ut": 7, "vd": 8}  # fmt: skip


def decoder(kind="senml-json", name="urn:dev:ow:{device}:{channel}", topic="senml", **changes):
    return Decoder(SourceSettings(topic, None, **({"fields": FIELDS, "format": kind, "name": name} | changes)))


def simple(kind="senml-json", **changes):
    return decoder(kind, None, "room/{room}", **changes)


def encode(pack, kind):
    if kind == "senml-json":
        return json.dumps(pack).encode()
    labelled = [
        {LABELS.get(key, key): value for key, value in record.items()} if isinstance(record, dict) else record
        for record in pack
    ]
    return cbor2.dumps(labelled)


def message(pack, kind="senml-json", topic="senml", **more):
    return Message(topic, pack if isinstance(pack, bytes) else encode(pack, kind), NOW, **more)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [("senml-json", encode(RFC_JSON, "senml-json")), ("senml-cbor", RFC_CBOR)],
)
def test_the_rfcs_pack_of_a_voltage_and_six_currents(kind, payload):
    decoded = decoder(kind).decode([message(payload)], NOW)
    at = 1_276_020_076_001_000_000
    stream = "10e2073a0108006"
    assert decoded.rejects == []
    assert [(s, t) for s, t, _ in rows(decoded)] == [(stream, at)] + [(stream, at - k * S) for k in (5, 4, 3, 2, 1)]
    np.testing.assert_array_equal(
        decoded.readings.values,
        [[120.1, 1.7], [math.nan, 1.2], [math.nan, 1.3], [math.nan, 1.4], [math.nan, 1.5], [math.nan, 1.6]],
    )
    assert decoded.readings.labels == [{"device": stream}]


def test_the_bytes_of_the_rfc_are_what_the_encoder_of_these_tests_makes():
    *records, last = cbor2.loads(RFC_CBOR)
    assert last.pop(LABELS["t"]) == 0  # which the JSON leaves out
    assert [*records, last] == cbor2.loads(encode(RFC_JSON, "senml-cbor"))


@BOTH
def test_several_devices_in_one_pack_are_several_streams(kind):
    pack = [
        {"bn": "urn:dev:ow:10e2073a01080063:", "bt": 1.32006747e9, "n": "voltage", "v": 20},
        {"n": "current", "v": 3},
        {"bn": "urn:dev:ow:b7:", "n": "voltage", "v": 21},
        {"n": "humidity", "u": "%RH", "v": 21.2},  # not mapped
    ]
    assert rows(decoder(kind).decode([message(pack, kind)], NOW)) == [
        ("10e2073a01080063", 1_320_067_470 * S, [20.0, 3.0]),
        ("b7", 1_320_067_470 * S, [21.0, None]),
    ]


@BOTH
def test_base_values_sums_booleans_and_update_times(kind):
    pack = [
        {"bv": 100, "n": "voltage", "v": -1, "ut": 60},
        {"bs": 10, "n": "current", "s": 2.5, "t": -1},
        {"n": "current", "vb": True, "t": -2},
        {"n": "voltage", "v": 5, "s": 99, "t": -3},  # of both, the value
    ]
    assert rows(simple(kind).decode([message(pack, kind, "room/a")], NOW)) == [
        ("a", NOW, [99.0, None]),
        ("a", NOW - S, [None, 12.5]),
        ("a", NOW - 2 * S, [None, 1.0]),
        ("a", NOW - 3 * S, [105.0, None]),
    ]


@pytest.mark.parametrize(
    ("base", "own", "expected"),
    [
        (None, None, NOW),
        (0, 0, NOW),
        (0, -5, NOW - 5 * S),
        (-10, 3, NOW - 7 * S),
        (-0.5, None, NOW - S // 2),
        (2**28 - 1, 1, 2**28 * S),
        (2**28, None, 2**28 * S),
        (1_763_999_999, 0.25, 1_763_999_999 * S + S // 4),
        (1_764_000_060, -61, 1_763_999_999 * S),
    ],
)
def test_times_are_relative_below_two_to_the_28(base, own, expected):
    record = {"n": "voltage", "v": 1} | ({"bt": base} if base is not None else {}) | ({"t": own} if own else {})
    some = simple(earliest_ns=0)
    assert rows(some.decode([message([record], topic="room/a")], NOW)) == [("a", expected, [1.0, None])]


def test_a_retained_pack_must_have_a_time_of_its_own():
    packs = [[{"n": "voltage", "v": 1, "t": t}] for t in (0, -5, 1_763_999_999)]
    decoded = simple().decode([message(pack, topic="room/a", retain=True) for pack in packs], NOW)
    assert [t for _, t, _ in rows(decoded)] == [1_763_999_999 * S]
    assert [reason for reason, _ in reasons(decoded)] == ["time", "time"]


@BOTH
@pytest.mark.parametrize(
    ("pack", "reason", "detail"),
    [
        ([{"n": "voltage", "v": 1, "ax_": 2}], "wrong_shape", "'ax_' must be understood"),
        ([{"bver": 11, "n": "voltage", "v": 1}], "wrong_shape", "bver 11"),
        ([{"bver": 9, "n": "voltage", "v": 1}, {"bver": 10, "n": "current", "v": 1}], "wrong_shape", "bver 9 and 10"),
        ([{"bver": 0, "n": "voltage", "v": 1}], "wrong_shape", "positive whole number"),
        ([{"n": "voltage"}], "wrong_shape", "neither a value nor a sum"),
        ([{"n": "voltage", "v": 1, "vb": True}], "wrong_shape", "v and vb in one record"),
        ([{"n": ":voltage", "v": 1}], "wrong_shape", "no SenML name"),
        ([{"v": 1}], "wrong_shape", "'' is no SenML name"),
        ([7], "wrong_shape", "a SenML record is an object"),
        ([{"n": "voltage", "v": "1"}], "wrong_type", "v: expected a number"),
        ([{"n": "voltage", "v": True}], "wrong_type", "v: expected a number"),
        ([{"n": "voltage", "vs": "on"}], "wrong_type", "vs: expected a number, got text"),
        ([{"n": "voltage", "vb": 1}], "wrong_type", "vb: expected a boolean"),
        ([{"n": "voltage", "v": 1, "t": "now"}], "wrong_type", "t: expected a number"),
        ([{"n": "voltage", "v": 1, "ut": "x"}], "wrong_type", "ut: expected a number"),
        ([{"bn": 5, "n": "voltage", "v": 1}], "wrong_type", "bn: expected text"),
        ([{"n": "voltage", "v": 10**400}], "not_finite", "v: beyond"),
        ([{"bv": 1.7e308, "n": "voltage", "v": 1.7e308}], "not_finite", "v: beyond"),
        ([{"n": "voltage", "v": 1, "bt": 1e300}], "time", "can't be a time"),
        ([{"n": "voltage", "v": 1, "t": 9_000_000}], "time", "ahead of now"),
        ([{"n": "voltage", "v": 1, "u": "Cel"}], "unit", "voltage in 'Cel': voltage takes V, mV"),
        ([{"n": "else", "v": 1}], "empty", "none of the source's fields"),
        ([], "empty", "none of the source's fields"),
    ],
)
def test_what_is_refused_of_a_pack(kind, pack, reason, detail):
    decoded = simple(kind).decode([message(pack, kind, "room/a")], NOW)
    assert rows(decoded) == []
    assert [(r, detail in d) for r, d in reasons(decoded)] == [(reason, True)]


@pytest.mark.parametrize(
    ("kind", "payload", "reason"),
    [
        ("senml-json", b"[", "not_json"),
        ("senml-json", b"[" * 60_000, "not_json"),
        ("senml-json", b'[{"n":"voltage","v":' + b"9" * 9_000 + b"}]", "not_json"),
        ("senml-json", b'[{"n":"voltage","v":NaN}]', "not_finite"),
        ("senml-json", b'{"n":"voltage","v":1}', "wrong_shape"),
        ("senml-cbor", b"", "unreadable"),
        ("senml-cbor", b"\x81" * 60_000, "unreadable"),
        ("senml-cbor", b"\x9b" + b"\xff" * 8, "unreadable"),
        ("senml-cbor", b"\xd8\x23\x62((", "unreadable"),  # a regular expression
        ("senml-cbor", cbor2.dumps({0: "voltage", 2: 1}), "wrong_shape"),
    ],
)
def test_what_is_no_pack(kind, payload, reason):
    decoded = simple(kind).decode([message(payload, topic="room/a")], NOW)
    assert rows(decoded) == []
    assert [r for r, _ in reasons(decoded)] == [reason]


def test_records_that_are_right_stay_beside_those_that_are_not():
    pack = [{"n": "voltage", "v": "x"}, {"n": "current", "v": 2}, {"n": "+", "v": 2}, {"n": "voltage", "v": 3}]
    decoded = simple().decode([message(pack, topic="room/a")], NOW)
    assert rows(decoded) == [("a", NOW, [3.0, 2.0])]
    assert [r for r, _ in reasons(decoded)] == ["wrong_type", "wrong_shape"]


def test_a_records_unit_is_brought_into_the_channels_unless_the_source_says_its_own():
    pack = [{"bu": "mV", "n": "voltage", "v": 1500}, {"n": "current", "u": "mA", "v": 20}]
    assert rows(simple().decode([message(pack, topic="room/a")], NOW)) == [("a", NOW, [1.5, 0.02])]
    own = simple(fields=(FieldSettings("voltage", "voltage", 0.1), FIELDS[1]))
    assert rows(own.decode([message(pack, topic="room/a")], NOW)) == [("a", NOW, [150.0, 0.02])]


def test_a_value_that_no_number_can_hold_in_the_channels_unit_is_refused():
    inside = simple(fields=(replace(FIELDS[0], unit="mV"), FIELDS[1]))
    decoded = inside.decode([message([{"n": "voltage", "u": "V", "v": 1e308}], topic="room/a")], NOW)
    assert rows(decoded) == []
    assert reasons(decoded) == [("not_finite", "v: beyond what a number can be")]


def test_cbor_decimal_fractions_and_lists_without_a_length_are_numbers_and_packs():
    payload = b"\x9f\xbf\x00\x67voltage\x02\xc4\x82\x20\x19\x04\xb1\xff\xff"  # 1201 × 10^-1, all of it indefinite
    assert rows(simple("senml-cbor").decode([message(payload, topic="room/a")], NOW)) == [("a", NOW, [120.1, None])]


RECORDS = st.lists(
    st.fixed_dictionaries(
        {"n": st.sampled_from(["voltage", "current"]), "v": st.floats(-1e6, 1e6) | st.integers(-(10**6), 10**6)},
        optional={
            "bt": st.integers(1_700_000_000, 1_763_000_000),
            "t": st.integers(-1000, 0),
            "bv": st.integers(-10, 10),
            "ut": st.integers(0, 100),
            "bver": st.just(10),
        },
    ),
    min_size=1,
    max_size=8,
)


@given(RECORDS)
def test_json_and_cbor_of_a_pack_mean_the_same_as_the_pack_resolved_by_the_rfcs_rules(pack):
    resolved, base_time, base_value = [], 0, 0.0
    for record in pack:
        base_time, base_value = record.get("bt", base_time), record.get("bv", base_value)
        time = base_time + record.get("t", 0)
        t = NOW if time == 0 else time * S if time >= 2**28 else NOW + time * S
        resolved.append((t, record["n"], base_value + record["v"]))
    for kind in ("senml-json", "senml-cbor"):
        decoded = simple(kind).decode([message(pack, kind, "room/a")], NOW)
        assert decoded.rejects == []
        found = [
            (t, name, value)
            for _, t, values in rows(decoded)
            for name, value in zip(("voltage", "current"), values, strict=True)
            if value is not None
        ]
        assert sorted(found) == sorted(resolved)
