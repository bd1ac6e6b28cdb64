"""Messages become readings, and wrong ones rejects."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from decoded import rows
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.ingest.decoder import Decoder, FieldSettings, SourceSettings
from tocsin.ingest.message import Message
from tocsin.ingest.reject import DETAIL_CHARACTERS, RejectReason

S = 1_000_000_000
NOW = 1_764_000_000 * S
FIELDS = (FieldSettings("hr", "HR"), FieldSettings("spo2", "SpO2"))


def decoder(**changes):
    return Decoder(SourceSettings("vitals/{ward}/{bed}", "{ward}/{bed}", **({"fields": FIELDS} | changes)))


def message(payload, topic="vitals/icu/1", *, received_at=NOW, retain=False):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Message(topic, body, received_at, retain)


def reasons(decoded):
    return [reject.reason for reject in decoded.rejects]


def test_a_batch_of_objects_becomes_columns():
    decoded = decoder().decode(
        [
            message({"t": 1_764_000_000, "HR": 72.5, "SpO2": 97}),
            message({"t": 1_764_000_001, "HR": 80}, "vitals/icu/2"),
            message({"t": 1_764_000_001, "SpO2": 96, "battery": "low"}),
        ],
        NOW + 2 * S,
    )
    assert decoded.rejects == []
    assert decoded.readings.channels == ["hr", "spo2"]
    assert decoded.readings.streams == ["icu/1", "icu/2"]
    assert decoded.readings.stream.dtype == np.int32
    assert decoded.readings.t.dtype == np.int64
    assert rows(decoded) == [
        ("icu/1", NOW, [72.5, 97.0]),
        ("icu/2", NOW + S, [80.0, None]),
        ("icu/1", NOW + S, [None, 96.0]),
    ]


def test_an_array_is_as_many_readings():
    decoded = decoder().decode([message([{"t": 1_764_000_000, "HR": 1}, {"t": 1_764_000_001, "HR": 2}])], NOW + S)
    assert rows(decoded) == [("icu/1", NOW, [1.0, None]), ("icu/1", NOW + S, [2.0, None])]


def test_null_and_a_time_alone_are_readings_without_values():
    decoded = decoder().decode([message({"HR": None}), message({"t": 1_764_000_000})], NOW)
    assert rows(decoded) == [("icu/1", NOW, [None, None])] * 2
    assert decoded.rejects == []


def test_without_a_time_the_arrival_is_taken():
    decoded = decoder().decode([message({"HR": 1}, received_at=NOW - 5)], NOW)
    assert rows(decoded) == [("icu/1", NOW - 5, [1.0, None])]


def test_a_source_without_a_time_field_ignores_one():
    decoded = decoder(time_field=None).decode([message({"HR": 1, "t": 5})], NOW)
    assert rows(decoded) == [("icu/1", NOW, [1.0, None])]


def test_a_retained_message_is_as_old_as_it_says_and_refused_if_it_says_nothing():
    decoded = decoder().decode(
        [message({"HR": 1, "t": 1_763_000_000}, retain=True), message({"HR": 2}, retain=True)], NOW
    )
    assert rows(decoded) == [("icu/1", 1_763_000_000 * S, [1.0, None])]
    assert reasons(decoded) == [RejectReason.TIME]
    assert "retained" in decoded.rejects[0].detail


@pytest.mark.parametrize(
    ("payload", "reason", "detail"),
    [
        (b"", "not_json", ""),
        (b"72.5x", "not_json", ""),
        (b'{"HR":72', "not_json", ""),
        (b"\xff\xfe", "not_json", "utf-8"),
        (b"[" * 60_000, "not_json", ""),
        (b"72.5", "wrong_shape", "expected an object, got a number"),
        (b"null", "wrong_shape", "got null"),
        (b'"72"', "wrong_shape", "got text"),
        (b"[[72]]", "wrong_shape", "got an array"),
        (b'{"HR":"72"}', "wrong_type", "HR: expected a number, got text '72'"),
        (b'{"HR":true}', "wrong_type", "HR: expected a number, got a boolean"),
        (b'{"HR":{"value":72}}', "wrong_type", "got an object"),
        (b'{"HR":[72]}', "wrong_type", "got an array"),
        (b'{"HR":NaN}', "not_finite", "HR"),
        (b'{"HR":-Infinity}', "not_finite", "HR"),
        (b'{"HR":1e999}', "not_finite", "HR"),
        (b'{"HR":' + b"9" * 400 + b"}", "not_finite", "HR"),
        (b'{"HR":' + b"9" * 9000 + b"}", "not_finite", "HR"),
        (b"{}", "empty", ""),
        (b'{"battery":3}', "empty", ""),
        (b'{"t":null}', "empty", ""),
        (b'{"HR":1,"t":true}', "time", "t: a boolean is no time"),
        (b'{"HR":1,"t":1e999}', "time", "t: a number is no time"),
        (b'{"HR":1,"t":{}}', "time", "t: an object is no time"),
        (b'{"HR":1,"t":"2025-11-24T16:00:00"}', "time", "ISO 8601 with a zone"),
        (b'{"HR":1,"t":"1764000000"}', "time", "ISO 8601 with a zone"),
        (b'{"HR":1,"t":' + b"9" * 50 + b"}", "time", "9999"),
        (b'{"HR":1,"t":0}', "time", "0 is 1970-01-01T00:00:00.000Z, before 2000-01-01"),
        (b'{"HR":1,"t":86400}', "time", "is 1970-01-02"),
        (b'{"HR":1,"t":1764000061}', "time", "ahead of now"),
        (b'{"HR":1,"t":4102444800}', "time", "ahead of now"),
        (b" " * 65_537, "too_large", "65537 bytes, at most 65536"),
    ],
)
def test_what_is_refused_and_why(payload, reason, detail):
    decoded = decoder().decode([message(payload)], NOW)
    assert len(decoded.readings) == 0
    assert decoded.readings.streams == []
    assert [(r.reason, r.topic, r.stream) for r in decoded.rejects] == [(reason, "vitals/icu/1", "icu/1")]
    assert detail in decoded.rejects[0].detail


@pytest.mark.parametrize("topic", ["vitals/icu", "other/icu/1", "vitals/icu/\n", "", "vitals/icu/1/"])
def test_a_topic_that_no_stream_can_be_named_after(topic):
    decoded = decoder().decode([message({"HR": 1}, topic)], NOW)
    assert reasons(decoded) == [RejectReason.TOPIC]
    assert decoded.rejects[0].stream is None
    assert decoded.rejects[0].topic.isprintable()


def test_a_minute_ahead_is_still_taken():
    assert len(decoder().decode([message({"HR": 1, "t": 1_764_000_060})], NOW).readings) == 1


def test_a_recording_may_be_of_any_time_after_2000():
    recording = decoder(max_skew_ns=None)
    assert len(recording.decode([message({"HR": 1, "t": 4_102_444_800})], 0).readings) == 1


def test_a_bad_element_of_an_array_is_refused_alone():
    payload = b'[{"HR":1},{"HR":"2"},7,{"HR":3,"t":"2025-11-24T15:59:59Z"},{},{"HR":NaN},{"HR":6}]'
    decoded = decoder().decode([message(payload), message({"HR": 7})], NOW)
    assert [values[0] for _, _, values in rows(decoded)] == [1.0, 3.0, 6.0, 7.0]
    assert rows(decoded)[1][1] == NOW - S
    assert reasons(decoded) == ["wrong_type", "wrong_shape", "not_finite", "empty"]


def test_a_message_of_nothing_but_wrong_elements_is_one_reject_a_reason():
    decoded = decoder().decode([message([1] * 20_000 + ["x"] * 5 + [{"HR": "fast"}] * 3)], NOW)
    assert [(r.reason, r.count, r.detail) for r in decoded.rejects] == [
        ("wrong_shape", 20_005, "expected an object, got a number"),
        ("wrong_type", 3, "HR: expected a number, got text 'fast'"),
    ]
    assert len(decoded.readings) == 0


def test_an_empty_array_says_nothing():
    decoded = decoder().decode([message([])], NOW)
    assert len(decoded.readings) == 0
    assert decoded.rejects == []


def test_a_stream_without_a_reading_is_not_in_the_batchs_dictionary():
    decoded = decoder().decode(
        [message(b"x", "vitals/a/1"), message({"HR": 1}, "vitals/b/2"), message({"HR": 1, "t": 1}, "vitals/c/3")], NOW
    )
    assert decoded.readings.streams == ["b/2"]
    assert decoded.readings.stream.tolist() == [0]


def test_two_topics_of_one_stream_share_its_place():
    both = Decoder(SourceSettings("v/{bed}/{device}", "{bed}", FIELDS))
    decoded = both.decode([message({"HR": 1}, "v/7/ecg"), message({"SpO2": 2}, "v/7/oximeter")], NOW)
    assert decoded.readings.streams == ["7"]
    assert decoded.readings.stream.tolist() == [0, 0]


def test_one_field_is_a_column_too():
    one = decoder(fields=FIELDS[:1])
    assert rows(one.decode([message({"HR": 5}), message(b'[{"HR":6},{"HR":null},5]')], NOW)) == [
        ("icu/1", NOW, [5.0]),
        ("icu/1", NOW, [6.0]),
        ("icu/1", NOW, [None]),
    ]


def test_details_and_topics_are_short_and_printable():
    nasty = "\x1b[31m\n" * 1000
    decoded = decoder().decode([message({"HR": nasty}), message({"HR": 1}, f"{nasty}/x")], NOW)
    for reject in decoded.rejects:
        assert reject.detail.isprintable()
        assert reject.topic.isprintable()
        assert len(reject.detail) <= DETAIL_CHARACTERS


def test_topics_without_end_do_not_grow_the_memory(monkeypatch):
    monkeypatch.setattr("tocsin.ingest.addressing._CACHED", 100)
    d = decoder()
    for i in range(1_000):
        assert d.stream_of(f"vitals/a/{i}") == f"a/{i}"
    assert len(d._addressing._topic_addresses) <= 100  # noqa: SLF001  (what it remembers is what this is about)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"fields": ()}, "maps no fields"),
        ({"fields": (FIELDS[0], FieldSettings("hr", "x"))}, "channel 'hr' is mapped twice"),
        ({"fields": (FIELDS[0], FieldSettings("x", "HR"))}, "field 'HR' is mapped twice"),
        ({"time_field": "HR"}, "field 'HR' is mapped twice"),
    ],
)
def test_settings_that_cannot_be_meant(changes, says):
    with pytest.raises(ValueError, match=says):
        decoder(**changes)


JSON_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
NUMBER = st.none() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
RIGHT = st.fixed_dictionaries(
    {},
    optional={
        "HR": NUMBER,
        "SpO2": NUMBER,
        "t": st.none() | st.integers(946_684_800, 1_764_000_000) | st.just("2025-11-24T15:59:59Z"),
    },
)


@given(st.lists(RIGHT, max_size=5))
def test_an_array_is_read_the_same_whole_and_piece_by_piece(elements):
    """A wrong element sends its array the slow way: what else is in it must come out as it does the fast way."""
    d = decoder(fields=(FieldSettings("hr", "HR"), FieldSettings("spo2", "SpO2")))
    text = [json.dumps(element, allow_nan=False) for element in elements]
    fast = d.decode([message(f"[{','.join(text)}]".encode())], NOW)
    slow = d.decode([message(f"[{','.join([*text, 'null'])}]".encode())], NOW)
    assert rows(slow) == rows(fast)
    assert sorted(reasons(slow)) == sorted([*reasons(fast), "wrong_shape"])


@given(st.lists(st.binary(max_size=60) | JSON_VALUE.map(lambda v: json.dumps(v).encode()), max_size=5), st.text())
@settings(max_examples=300)
def test_whatever_comes_it_never_raises_and_what_is_right_stays(payloads, topic):
    right = message({"HR": 72, "t": 1_764_000_000})
    decoded = decoder().decode([right, *(message(p) for p in payloads), message(b"{}", topic), right], NOW)
    assert rows(decoded)[0] == rows(decoded)[-1] == ("icu/1", NOW, [72.0, None])
    assert np.isfinite(decoded.readings.values[~np.isnan(decoded.readings.values)]).all()
    assert ((decoded.readings.t > 0) & (decoded.readings.t <= NOW + 60 * S)).all()


def test_a_hundred_thousand_mutated_payloads():
    source = random.Random(20261122)  # noqa: S311  (the same bytes in every run)
    seeds = [
        b'{"t":1764000000,"HR":72.5,"SpO2":97}',
        b'[{"t":1764000000.25,"HR":72},{"t":"2025-11-24T15:59:59Z","HR":-1e5,"SpO2":null}]',
        b'{"HR":1e308,"x":{"y":["\\u00e4",true,null]},"t":1764000000123}',
    ]
    pieces = [b"NaN", b"1e999", b"-", b'"', b"\\", b"\xff", b"{", b"]", b"null", b",", b"9" * 30, b"\x00"]
    batch = []
    for _ in range(100_000):
        body = bytearray(source.choice(seeds))
        for _ in range(source.randint(1, 3)):
            at = source.randrange(len(body) + 1)
            how = source.randrange(4)
            if how == 0:
                body[at:at] = source.choice(pieces)
            elif how == 1:
                del body[at : at + source.randint(1, 8)]
            elif how == 2:
                body[at : at + 1] = bytes([source.randrange(256)])
            else:
                del body[at:]
        batch.append(message(bytes(body)))
    decoded = decoder().decode(batch, NOW)
    assert len(decoded.readings) > 5_000
    assert len(decoded.rejects) > 10_000
    assert not np.isinf(decoded.readings.values).any()
    assert decoded.readings.t.max() <= NOW + 60 * S
    assert all(len(r.detail) <= DETAIL_CHARACTERS and r.detail.isprintable() for r in decoded.rejects)
