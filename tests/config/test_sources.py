"""Sources are checked: their legal settings have no faults, and each fault has its place."""

from __future__ import annotations

import configurations
import plug_in_formats
import pytest
import toy_bundle

from tocsin.config import check
from tocsin.ingest.formats import registry


def faults_of(folder, source, **changes):
    """The faults of a configuration with this one source; the place in it, and the text."""
    file = configurations.write(folder, sources=[source], **changes)
    return [(fault.path.removeprefix("sources.0").lstrip("."), fault.message) for fault in check(file).faults]


@pytest.fixture(autouse=True)
def _as_installed():
    yield
    registry.installed.cache_clear()


SOUND = [
    {"topic": ["ward/{ward}/{bed}", "trolley/{bed}"], "stream": "{bed}"},
    {"topic": "v/{bed}/{channel}", "format": "plain", "channels": {"hr": "HeartRate"}},
    {"topic": "v/{bed}", "format": "plain", "channels": {"hr": {}}},
    {"topic": "v/{bed}", "channels": {"hr": {"field": "f", "unit": "Hz"}, "spo2": {"scale": 100, "offset": 0.5}}},
    {"topic": "v/{bed}/{channel}", "value": "v", "time": None},
    {"topic": "senml", "format": "senml-json", "name": "urn:dev:ow:{device}:{channel}"},
    {"topic": "v/{ward}", "format": "senml-cbor", "name": "{bed}/{channel}", "stream": "{ward}/{bed}"},
    {"topic": "telegraf", "format": "influx", "stream": "{host}", "labels": ["region"], "precision": "ms"},
    {"format": "sparkplug", "primary_host": "tocsin"},
    {"format": "sparkplug", "topic": ["spBv1.0/plant/{type}/{edge}", "spBv1.0/plant/{type}/{edge}/{device}"]},
    {"topic": "v/{bed}", "format": "auto"},
    {"topic": "v/{ward}/{bed}", "labels": ["ward"], "watch": ["ward"]},
]


@pytest.mark.parametrize("source", SOUND)
def test_sources_that_can_be_meant(tmp_path, source):
    assert faults_of(tmp_path, source) == []


@pytest.mark.parametrize(
    ("source", "place", "says"),
    [
        ({}, "", "topic is missing"),
        ({"topic": []}, "topic", "needs at least one entry"),
        ({"topic": ["a/{bed}", "b/#"]}, "topic.1", "write {name} instead"),
        ({"topic": ["a/{bed}", "tocsin/{bed}"]}, "topic.1", "is below publish.base"),
        ({"topic": "$share/g/v/{bed}"}, "topic", "is a shared subscription"),
        ({"topic": ["a/{bed}", "b"]}, "topic.1", "has no {capture} to name streams by"),
        ({"topic": ["a/{bed}", "b/{b}"], "stream": "{bed}"}, "stream", "{bed} is not in topic template 'b/{b}'"),
        ({"topic": "v/{channel}", "format": "plain"}, "topic", "no {capture} to name streams by"),
        ({"topic": "v/{bed}", "format": "plain"}, "topic", "put {channel} into the topic, or map one channel"),
        (
            {"topic": "v/{bed}", "format": "xml"},
            "format",
            "'xml' is not known (legal: auto, influx, json, plain, senml",
        ),
        ({"topic": "v/{bed}", "precision": "ms"}, "", "json has no use for precision (it belongs to influx)"),
        ({"topic": "v/{bed}", "name": "{channel}"}, "", "format json has no use for name"),
        ({"topic": "v/{bed}", "format": "influx", "time": "t"}, "", "format influx has no use for time"),
        ({"topic": "v/{bed}", "primary_host": "me"}, "", "no use for primary_host"),
        ({"topic": "v/{bed}", "labels": ["ward"]}, "labels.0", "'ward' is no capture of this source (there are: bed)"),
        ({"topic": "v/{bed}", "format": "senml-json", "name": "x"}, "name", "write text with {name}s"),
        ({"topic": "v/{bed}", "format": "senml-json", "name": "{a}{b}"}, "name", "some text between"),
        ({"topic": "v/{bed}", "format": "senml-json", "name": "{a}/{a}"}, "name", "stand there once"),
        ({"topic": "v/{bed}", "format": "senml-json", "name": "{room}"}, "name", "names no {channel}"),
        ({"topic": "telegraf", "format": "influx"}, "topic", "set stream"),
        (
            {"topic": "v/{bed}", "channels": {"hr": {"unit": "mm[Hg]"}}},
            "channels.hr.unit",
            "'mm[Hg]' can't be brought into hr's /min (legal: /min, Hz, /s, /h, {beats}/min, {breaths}/min; or give",
        ),
        ({"topic": "v/{bed}", "channels": {"hr": {"unit": "Hz", "scale": 60}}}, "channels.hr", "exclude each other"),
        ({"topic": "v/{bed}", "channels": {"hr": {"scale": 0}}}, "channels.hr", "makes every value the same"),
        ({"topic": "v/{bed}", "channels": {"hr": {"feld": "x"}}}, "channels.hr.feld", "is not a known key"),
        ({"topic": "v/{bed}", "channels": {"hr": {}, "spo2": "hr"}}, "channels.hr", "field 'hr' is mapped twice"),
        ({"topic": "v/{bed}", "channels": {"hr": {"field": "Device\\HR"}}}, "", "must not contain"),
        ({"topic": "v/{bed}", "format": "sparkplug"}, "topic", "is no topic of Sparkplug"),
        (
            {"topic": "spBv1.0/{g}/{type}/{edge}/{device}", "format": "sparkplug"},
            "topic",
            "births and deaths of edge nodes are missing",
        ),
        ({"topic": "v/{bed}", "watch": ["ward", "icu"]}, "watch", "no watch 'icu' (there are: ward)"),
    ],
)
def test_sources_that_cannot_be_meant(tmp_path, source, place, says):
    found = faults_of(tmp_path, source)
    assert [p for p, _ in found if p == place], found
    assert any(says in message for p, message in found if p == place), found


def test_a_channel_with_the_name_of_the_time_is_a_fault_of_the_check(tmp_path):
    channels = [toy_bundle.MANIFEST["channels"][0] | {"name": "t"}, toy_bundle.MANIFEST["channels"][1]]
    toy_bundle.write(tmp_path / "times", name="times", channels=channels)
    watches = {"second": {"model": "times", "alarms": {"odd": {"anomaly": {}}}}}
    [(_, says)] = faults_of(tmp_path, {"topic": "v/{bed}", "watch": "second"}, watches=watches)
    assert says == "source 'v/{bed}': field 't' is mapped twice, to a channel and to the time"
    assert faults_of(tmp_path, {"topic": "v/{bed}", "watch": "second", "time": "at"}, watches=watches) == []


def test_an_installed_format_is_legal_and_a_broken_one_is_a_fault(tmp_path, monkeypatch):
    plug_in_formats.install(monkeypatch, csv="CSV", broken="MISSING", failing="FAILING")
    assert faults_of(tmp_path, {"topic": "v/{bed}", "format": "csv"}) == []
    [(place, says)] = faults_of(tmp_path, {"topic": "v/{bed}", "format": "csv", "time": "at"})
    assert (place, says) == ("", "format csv has no use for time (it belongs to auto, json)")
    [(place, says)] = faults_of(tmp_path, {"topic": "v/{bed}", "format": "broken"})
    assert place == "format"
    assert "can't be loaded" in says
    [(place, says)] = faults_of(tmp_path, {"topic": "v/{bed}", "format": "failing"})
    assert (place, says) == ("", "format 'failing' builds no reader (ZeroDivisionError: division by zero)")
    [(_, says)] = faults_of(tmp_path, {"topic": "v/{bed}", "format": "xml"})
    assert "legal: auto, broken, csv, failing, influx, json" in says


def test_auto_needs_mqtt_5(tmp_path):
    found = faults_of(tmp_path, {"topic": "v/{bed}", "format": "auto"}, broker={"version": "3.1.1"})
    assert [place for place, _ in found] == ["format"]
    assert "MQTT 3.1.1 doesn't have" in found[0][1]


def test_several_watches_on_one_source(tmp_path):
    source = {"topic": "v/{bed}", "watch": ["ward", "second"]}
    second = {"model": "toy", "alarms": {"odd-too": {"anomaly": {}}}}
    assert faults_of(tmp_path, source, watches={"second": second}) == []
    [(place, says)] = faults_of(tmp_path, source, watches={"second": {**second, "max_skew_s": 9}})
    assert (place, says) == ("watch", "ward and second differ in max_skew_s (5 and 9): make it one")
    channels = [toy_bundle.MANIFEST["channels"][0] | {"unit": "Hz"}, toy_bundle.MANIFEST["channels"][1]]
    toy_bundle.write(tmp_path / "hertz", name="hertz", channels=channels)
    [(place, says)] = faults_of(tmp_path, source, watches={"second": {**second, "model": "hertz"}})
    assert (place, says) == ("watch", "hr is in /min and in Hz: give each watch its own source")
