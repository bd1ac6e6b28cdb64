"""Plain values, JSON with the channel in the topic, and `auto`."""

from __future__ import annotations

import json
import math

import pytest
from decoded import reasons, rows

from tocsin.ingest.decoder import Decoder
from tocsin.ingest.message import Message
from tocsin.ingest.source_settings import FieldSettings, SourceSettings
from tocsin.ingest.units import conversion

S = 1_000_000_000
NOW = 1_764_000_000 * S
FIELDS = (FieldSettings("hr", "HR"), FieldSettings("temp", "temp_f", *conversion("[degF]", "Cel")))


def decoder(topic="vitals/{bed}/{channel}", stream=None, **changes):
    return Decoder(SourceSettings(topic, stream, **({"fields": FIELDS, "format": "plain"} | changes)))


def message(payload, topic="vitals/7/HR", **more):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Message(topic, body, NOW, **more)


def test_a_plain_value_is_of_the_channel_that_its_topic_names():
    decoded = decoder().decode([message(b"72.5"), message(b" 98.6\n", "vitals/7/temp_f"), message(b"-1e2")], NOW)
    assert rows(decoded) == [
        ("7", NOW, [72.5, None]),
        ("7", NOW, [None, pytest.approx(37)]),
        ("7", NOW, [-100.0, None]),
    ]
    assert decoded.readings.channels == ["hr", "temp"]
    assert decoded.rejects == []


def test_where_one_channel_is_mapped_the_topic_need_not_name_it():
    one = decoder("room/{room}", fields=FIELDS[:1])
    assert rows(one.decode([message(b"5", "room/a")], NOW)) == [("a", NOW, [5.0])]


def test_plain_null_says_that_nothing_was_measured():
    assert rows(decoder().decode([message(b"null")], NOW)) == [("7", NOW, [None, None])]


@pytest.mark.parametrize(
    ("payload", "reason", "detail"),
    [
        (b"", "wrong_type", "expected a number, got ''"),
        (b"72,5", "wrong_type", "'72,5'"),
        (b"1_000", "wrong_type", "'1_000'"),
        ("٣".encode(), "wrong_type", "expected a number"),
        (b"0x10", "wrong_type", "'0x10'"),
        (b"on", "wrong_type", "'on'"),
        (b"1" * 401, "wrong_type", "expected a number"),
        (b"\xff", "wrong_type", "expected a number"),
        (b"nan", "not_finite", "nan"),
        (b"-Infinity", "not_finite", "-Infinity"),
        (b"1e999", "not_finite", "beyond what a number can be"),
    ],
)
def test_what_is_no_plain_number(payload, reason, detail):
    decoded = decoder().decode([message(payload)], NOW)
    assert rows(decoded) == []
    assert [(r, detail in d) for r, d in reasons(decoded)] == [(reason, True)]
    assert decoded.rejects[0].stream == "7"


def test_a_topic_of_another_channel_is_empty_for_this_source():
    decoded = decoder().decode([message(b"3", "vitals/7/battery")], NOW)
    assert reasons(decoded) == [("empty", "channel 'battery' is none of the source's fields")]


def test_a_retained_plain_value_has_no_age_and_is_refused():
    assert [r for r, _ in reasons(decoder().decode([message(b"72", retain=True)], NOW))] == ["time"]


def test_json_with_the_channel_in_the_topic():
    values = decoder(format="json", value_field="v")
    decoded = values.decode(
        [
            message({"v": 72, "t": 1_763_999_990}),
            message([{"v": 212, "t": 1_763_999_991}, 32, None], "vitals/7/temp_f"),
            message(b"81.5"),
            message({"v": None}),
        ],
        NOW,
    )
    assert decoded.rejects == []
    assert rows(decoded) == [
        ("7", NOW - 10 * S, [72.0, None]),
        ("7", NOW - 9 * S, [None, pytest.approx(100)]),
        ("7", NOW, [None, pytest.approx(0, abs=1e-9)]),
        ("7", NOW, [None, None]),
        ("7", NOW, [81.5, None]),
        ("7", NOW, [None, None]),
    ]


@pytest.mark.parametrize(
    ("payload", "reason", "detail"),
    [
        (b"{}", "empty", "no 'value', nor a time"),
        (b'{"value":"72"}', "wrong_type", "value: expected a number, got text '72'"),
        (b'"72"', "wrong_type", "value: expected a number, got text '72'"),
        (b"[[72]]", "wrong_shape", "expected an object, got an array"),
        (b"NaN", "not_finite", ""),
        (b"{", "not_json", ""),
    ],
)
def test_what_is_refused_of_such_json(payload, reason, detail):
    decoded = decoder(format="json").decode([message(payload)], NOW)
    assert rows(decoded) == []
    assert [(r, detail in d) for r, d in reasons(decoded)] == [(reason, True)]


def test_auto_goes_by_the_content_type():
    auto = Decoder(SourceSettings("vitals/{bed}", None, fields=(FieldSettings("hr", "HR"),), format="auto"))
    pack = [{"n": "HR", "v": 3, "t": 1_764_000_000}]
    cbor = bytes.fromhex("81a300624852 02 04 06 1a69248100".replace(" ", ""))  # [{0: "HR", 2: 4, 6: 1764000000}]
    decoded = auto.decode(
        [
            message({"HR": 1}, "vitals/7"),
            message(b"2", "vitals/7", content_type="text/plain; charset=utf-8"),
            message(pack, "vitals/7", content_type="application/senml+json"),
            message(cbor, "vitals/7", content_type="Application/SenML+CBOR"),
            message({"HR": 5}, "vitals/7", content_type="application/json"),
        ],
        NOW,
    )
    assert decoded.rejects == []
    assert [values for _, _, values in rows(decoded)] == [[1.0], [2.0], [3.0], [4.0], [5.0]]
    assert {(stream, t) for stream, t, _ in rows(decoded)} == {("7", NOW)}


def test_auto_refuses_a_content_type_that_it_does_not_know():
    auto = Decoder(SourceSettings("vitals/{bed}", None, fields=(FieldSettings("hr", "HR"),), format="auto"))
    decoded = auto.decode([message({"HR": 1}, "vitals/7", content_type="text/csv")], NOW)
    assert [(r, d[:10]) for r, d in reasons(decoded)] == [("content_type", "'text/csv'")]
    assert "application/senml+json" in decoded.rejects[0].detail


def test_a_source_without_auto_takes_no_notice_of_the_content_type():
    decoded = decoder().decode([message(b"72", content_type="application/json")], NOW)
    assert rows(decoded) == [("7", NOW, [72.0, None])]


def test_several_patterns_are_tried_in_their_order_and_captures_become_labels():
    many = Decoder(SourceSettings(("ward/{ward}/{bed}", "ward/icu/{bed}", "trolley/{bed}"), "{bed}", fields=FIELDS[:1]))
    decoded = many.decode(
        [message({"HR": 1}, "ward/icu/7"), message({"HR": 2}, "trolley/8"), message({"HR": 3}, "trolley/7")], NOW
    )
    assert rows(decoded) == [("7", NOW, [1.0]), ("8", NOW, [2.0]), ("7", NOW, [3.0])]
    assert decoded.readings.streams == ["7", "8"]
    assert decoded.readings.labels == [{"ward": "icu", "bed": "7"}, {"bed": "8"}]
    more = many.decode([message({"HR": 3}, "trolley/7"), message({"HR": 1}, "ward/icu/7")], NOW)
    assert more.readings.labels == [{"ward": "icu", "bed": "7"}]
    assert [template.filter for template in many.templates] == ["ward/+/+", "ward/icu/+", "trolley/+"]
    assert many.matches("trolley/7")
    assert not many.matches("trolley/7/8")


def test_only_the_labels_that_were_asked_for():
    some = Decoder(SourceSettings("w/{ward}/{bed}/{channel}", None, FIELDS, "plain", labels=("ward",)))
    decoded = some.decode([message(b"5", "w/icu/7/HR")], NOW)
    assert decoded.readings.streams == ["icu/7"]
    assert decoded.readings.labels == [{"ward": "icu"}]


def test_scale_and_offset_of_json_fields():
    scaled = Decoder(SourceSettings("v/{bed}", None, (FieldSettings("hr", "f", 60.0), FieldSettings("x", "x", 0.1, 3))))
    decoded = scaled.decode([message({"f": 1.25, "x": 20}, "v/1"), message({"f": 1e308}, "v/1")], NOW)
    assert rows(decoded)[0] == ("1", NOW, [75.0, 5.0])
    assert decoded.readings.values[1, 0] == math.inf  # no channel finds that plausible
