"""A format that another package installs reads messages like a built-in one, and does no harm if it is wrong."""

from __future__ import annotations

import random

import pytest
from decoded import reasons, rows
from plug_in_formats import install

import fuzz
from tocsin.ingest.decoder import Decoder
from tocsin.ingest.formats import registry
from tocsin.ingest.formats.registry import FormatError
from tocsin.ingest.message import Message
from tocsin.ingest.source_settings import FieldSettings, SourceSettings

S = 1_000_000_000
NOW = 1_764_000_000 * S
FIELDS = (FieldSettings("hr", "HR"), FieldSettings("temp", "temp_f", 5 / 9, -160 / 9))


@pytest.fixture(autouse=True)
def _as_installed():
    yield
    registry.installed.cache_clear()


def decoder(payload_format):
    return Decoder(SourceSettings("vitals/{ward}/{bed}", None, FIELDS, payload_format))


def message(payload, **more):
    return Message("vitals/icu/7", payload, NOW, **more)


def test_a_plug_in_reads_messages_from_end_to_end(monkeypatch):
    install(monkeypatch, csv="CSV")
    decoded = decoder("csv").decode([message(b"1763999990,HR,72\n1763999990,temp_f,212\nhr=7\n1,battery,3")], NOW)
    assert rows(decoded) == [("icu/7", NOW - 10 * S, [72.0, pytest.approx(100)])]
    assert decoded.readings.labels == [{"ward": "icu", "bed": "7"}]
    assert reasons(decoded) == [("unreadable", "'hr=7' is not SECONDS,NAME,VALUE")]


def test_auto_chooses_a_plug_in_by_its_content_type(monkeypatch):
    install(monkeypatch, csv="CSV")
    decoded = decoder("auto").decode([message(b"1763999990,HR,72", content_type="text/CSV; header=absent")], NOW)
    assert rows(decoded) == [("icu/7", NOW - 10 * S, [72.0, None])]
    assert reasons(decoder("auto").decode([message(b"", content_type="text/html")], NOW))[0][1].endswith(
        ", text/plain)"
    )


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"raise", "KeyError: 'hr'"),
        (b"text", "value '72' (legal: a finite number, or None)"),
        (b"infinite", "value inf"),
        (b"column", "IndexError"),
        (b"before", "IndexError"),
        (b"code", "IndexError"),
        (b"time", "TypeError"),
        (b"boolean time", "time True (legal: int"),
        (b"stream", "stream 'bed/#' (legal: levels of a topic"),
        (b"labels", "labels {'ward': 7} (legal: text by text)"),
        (b"reason", "reject 'odd': 'a reason of its own' (legal: a RejectReason"),
        (b"rows", "2 values in 2 rows (legal: 2 a row)"),
    ],
)
def test_a_plug_in_that_is_wrong_costs_its_message_alone(monkeypatch, payload, says):
    install(monkeypatch, odd="ODD")
    d = decoder("odd")
    decoded = d.decode([message(b"right"), message(payload), message(b"right")], NOW)
    assert rows(decoded) == [("icu/7", NOW, [72.0, None])] * 2
    [(reason, detail)] = reasons(decoded)
    assert reason == "unreadable"
    assert detail.startswith("format odd failed: ")
    assert says[:80] in detail


@pytest.mark.parametrize(
    ("installed", "payload_format", "says"),
    [
        (
            {"csv": "CSV"},
            "xml",
            r"format 'xml' is not known \(legal: auto, csv, influx, json, plain, senml-cbor, senml-js",
        ),
        ({"csv": "MISSING"}, "csv", r"format 'csv' of an unknown package \(plug_in_formats:MISSING\) can't be loaded"),
        ({"csv": "NOT_A_FORMAT"}, "csv", r"is a type \(legal: a PayloadFormat of the entry point's name\)"),
        ({"csv": "ODD"}, "csv", "format 'csv' of .* is format 'odd'"),
        ({"csv": "CSV CSV"}, "csv", "format 'csv' is in .* and .*: uninstall one of them"),
        ({"plain": "PLAIN"}, "plain", "format 'plain' is built in, and in .*: uninstall the package"),
        ({"bare": "BARE"}, "bare", "format 'bare' builds a reader without `read`: object"),
        ({"failing": "FAILING"}, "failing", r"format 'failing' builds no reader \(ZeroDivisionError: division by zero"),
        ({"csv": "CSV", "twin": "TWIN"}, "auto", "content type 'text/csv' is that of two formats, csv and twin"),
        ({"csv": "MISSING"}, "auto", "can't be loaded"),
    ],
)
def test_a_broken_plug_in_is_named(monkeypatch, installed, payload_format, says):
    install(monkeypatch, **installed)
    with pytest.raises(ValueError, match=says):
        decoder(payload_format)


def test_a_broken_plug_in_harms_no_source_of_another_format(monkeypatch):
    install(monkeypatch, csv="MISSING")
    assert rows(decoder("json").decode([message(b'{"HR": 3}')], NOW)) == [("icu/7", NOW, [3.0, None])]


def test_every_format_is_fuzzed_and_plug_ins_too(monkeypatch):
    install(monkeypatch, csv="CSV")
    targets = fuzz.targets()
    assert set(registry.names()) <= set(targets)
    found = fuzz.run(targets["csv"], 2_000, random.Random(7))  # noqa: S311  (the same bytes in every run)
    assert found.payloads == 2_000
    assert found.rejects["unreadable"] > 500


def test_every_built_in_format_is_registered_by_its_own_module():
    assert set(registry.built_in()) == {
        "auto", "influx", "json", "plain", "senml-cbor", "senml-json", "sparkplug"
    }  # fmt: skip
    assert registry.find("json") is registry.built_in()["json"]
    with pytest.raises(FormatError, match="legal: auto, "):
        registry.find("JSON")
