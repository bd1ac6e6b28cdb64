"""Influx line protocol, by lines that InfluxDB's own client made."""

from __future__ import annotations

from pathlib import Path

import pytest
from decoded import reasons, rows
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest.decoder import Decoder
from tocsin.ingest.message import Message
from tocsin.ingest.source_settings import FieldSettings, SourceSettings
from tocsin.ingest.timestamps import TimeUnit

S = 1_000_000_000
NOW = 1_764_000_000 * S
FIELDS = (FieldSettings("hr", "hr"), FieldSettings("spo2", "spo2"), FieldSettings("odd", "he art"))
MADE = Path(__file__).parents[1] / "payloads" / "influx.txt"  # by influxdb-client 1.50.0, Point.to_line_protocol


def decoder(**changes):
    return Decoder(
        SourceSettings("telegraf", "{bed}", **({"fields": FIELDS, "format": "influx", "labels": ()} | changes))
    )


def message(text, **more):
    return Message("telegraf", text if isinstance(text, bytes) else text.encode(), NOW, **more)


def test_lines_of_influxdbs_own_client():
    some = decoder(labels=("measurement", "ward", "wa rd"))
    decoded = some.decode([message(MADE.read_bytes())], NOW)
    assert decoded.rejects == []
    assert rows(decoded) == [
        ("7", NOW + 123_456_789, [72.0, 97.5, None]),
        ("ä 8", NOW + S, [-3.0, None, 1e-7]),
        ("9", NOW, [60.0, None, None]),
    ]
    assert decoded.readings.labels == [
        {"measurement": "vitals", "ward": "icu"},
        {"measurement": "my vitals,x", "wa rd": "i=cu,1"},
        {"measurement": "vitals", "ward": "icu"},
    ]


@pytest.mark.parametrize(
    ("precision", "time"), [("s", "1764000001"), ("ms", "1764000001000"), ("us", f"{NOW // 1000}")]
)
def test_times_in_the_sources_precision(precision, time):
    decoded = decoder(precision=TimeUnit(precision)).decode([message(f"m,bed=7 hr=1 {time}")], NOW)
    assert rows(decoded)[0][1] in {NOW, NOW + S}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("m,bed=7 hr=1", 1.0),
        ("m,bed=7 hr=-1.5e3", -1500.0),
        ("m,bed=7 hr=1i", 1.0),
        ("m,bed=7 hr=7u", 7.0),
        ("m,bed=7 hr=true", 1.0),
        ("m,bed=7 hr=F", 0.0),
        ('m,bed=7 a="x y,z=1\n2",hr=3 ', 3.0),
        ('m,bed=7 a="\\"",hr=4\r\n', 4.0),
        ("\n\n# a comment\n  m,bed=7   hr=5   1764000000000000000", 5.0),
        ("m,bed=7,host=a\\ b hr=6", 6.0),
    ],
)
def test_fields_of_every_type_that_is_a_number(line, value):
    decoded = decoder().decode([message(line)], NOW)
    assert reasons(decoded) == []
    assert [(s, v[0]) for s, _, v in rows(decoded)] == [("7", value)]


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        ("m,bed=7", "unreadable", "no fields after 'm,bed=7'"),
        ("m,bed=7 ", "unreadable", "a field is KEY=VALUE"),
        ("m,bed hr=1", "unreadable", "a tag is KEY=VALUE"),
        ("m,bed= hr=1", "unreadable", "a tag is KEY=VALUE"),
        (",bed=7 hr=1", "unreadable", "begins with a measurement"),
        ("m,bed=7 hr", "unreadable", "a field is KEY=VALUE"),
        ("m,bed=7 hr=", "unreadable", "a field is KEY=VALUE"),
        ('m,bed=7 hr="1', "unreadable", "a field is KEY=VALUE"),
        ("m,bed=7 hr=1,", "unreadable", "a field is KEY=VALUE"),
        ("m,bed=7 hr=1 2 3", "unreadable", "after the fields"),
        ("m,bed=7 hr=1 soon", "unreadable", "'soon' is no time"),
        (b"m,bed=\xff hr=1", "unreadable", "utf-8"),
        ('m,bed=7 hr="72"', "wrong_type", "hr: expected a number, got '\"72'"),
        ("m,bed=7 hr=nan", "wrong_type", "hr: expected a number"),
        ("m,bed=7 hr=0x1", "wrong_type", "hr: expected a number"),
        ("m,bed=7 hr=1e999", "not_finite", "hr"),
        ("m,host=a hr=1", "topic", "comes without 'bed'"),
        ("m,bed=a/b hr=1", "topic", "bed 'a/b' can't be part of a stream's name"),
        ("m,bed=7 hr=1 99999999999999999999", "time", "9999"),
        ("m,bed=7 hr=1 -1", "time", "before 2000"),
        ("m,bed=7 load=1", "empty", "none of the source's fields"),
        ("", "empty", "none of the source's fields"),
    ],
)
def test_what_is_refused_of_a_line(line, reason, detail):
    decoded = decoder().decode([message(line)], NOW)
    assert rows(decoded) == []
    assert [(r, detail in d) for r, d in reasons(decoded)] == [(reason, True)]


def test_lines_that_are_right_stay_beside_those_that_are_not():
    decoded = decoder().decode([message("m,bed=7 hr=1 5 5\nm,bed=8 hr=2\nx\nm,bed=8 spo2=3\nm,bed=9 hr=4")], NOW)
    assert rows(decoded) == [("8", NOW, [2.0, 3.0, None]), ("9", NOW, [4.0, None, None])]
    assert [r.count for r in decoded.rejects] == [2]


def test_without_a_time_a_retained_line_is_refused():
    assert [r for r, _ in reasons(decoder().decode([message("m,bed=7 hr=1", retain=True)], NOW))] == ["time"]


def escaped(text, characters):
    for character in characters:
        text = text.replace(character, f"\\{character}")
    return text


PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\\\r\n", exclude_categories=("Cs", "Cc")), min_size=1)
NAME = PLAIN.filter(lambda t: not set(t) & set("+#/") and t.isprintable() and len(t) < 100 and t[0] != "#")


@given(NAME, NAME, st.floats(allow_nan=False, allow_infinity=False), st.text(), st.integers(0, 10**9))
def test_what_is_written_by_the_rules_is_read_back(measurement, bed, value, note, ago_ns):
    quoted = note.replace("\\", "\\\\").replace('"', '\\"')
    line = f'{escaped(measurement, ", ")},bed={escaped(bed, ",= ")} note="{quoted}",hr={value!r} {NOW - ago_ns}'
    decoded = decoder(labels=("measurement",)).decode([message(line)], NOW)
    assert reasons(decoded) == []
    assert rows(decoded) == [(bed, NOW - ago_ns, [value, None, None])]
    assert decoded.readings.labels == [{"measurement": measurement}]
