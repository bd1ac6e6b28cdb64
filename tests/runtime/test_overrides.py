"""A ward in which some beds are different: from readings and commands to events, without a broker."""

from __future__ import annotations

import sys

import configurations
import msgspec
import pytest
from typer.testing import CliRunner

from tocsin.cli import build
from tocsin.config import check
from tocsin.engine import Readings
from tocsin.engine.lifecycle.commands import (
    Admit,
    Discharge,
    ImportStream,
    SetLimit,
    SetProfile,
    StreamRefused,
    Transfer,
)
from tocsin.runtime import stream_views
from tocsin.runtime.build import build_deployment
from tocsin.runtime.core import Core
from tocsin.runtime.journal_entries import ReadingsEntry, StreamCommandEntry
from tocsin.runtime.recovery import recover
from tocsin.store import Store

S = 10**9
T0 = 1_760_000_000 * S
ALARMS = {
    "hr-high": {"above": {"channel": "hr", "limit": 120}, "priority": "high"},
    "odd": {"anomaly": {}},  # from 100 on
    "news2": {"news2": {"at_least": 3, "single": False, "spo2": "spo2"}},
}
CHILDREN = {"streams": "paediatric/*", "limits": {"hr-high": 160, "odd": 130}, "profile": {"news2_scale": 2}}
QUIET = {"streams": ["icu/3", "icu/4"], "off": ["odd"]}


def events(results):
    return [event for result in results for event in result.events]


class Ward:
    """The core, and its events."""

    def __init__(self, folder):
        self.folder = folder
        self.core = Core(self.configured(CHILDREN, QUIET))
        self.now = T0

    def configured(self, *overrides):
        watch = {"alarms": ALARMS, "overrides": list(overrides)}
        checked = check(configurations.write(self.folder, watches={"ward": watch}))
        assert not checked.faults, checked.faults
        return build_deployment(checked.config, checked.bundles)

    def hears(self, hr, *beds, spo2=97):
        self.now += S
        readings = Readings.of([(bed, self.now, {"hr": float(hr), "spo2": float(spo2)}) for bed in beds])
        return summary(events(self.core.apply(ReadingsEntry(self.now, ["ward"], readings))))

    def asks(self, command):
        return summary(events(self.core.apply(StreamCommandEntry(self.now, command))))

    def changes_to(self, *overrides):
        return summary(events(self.core.apply_deployment(self.configured(*overrides), self.now)))

    def shows(self, bed):
        """Limits and profile of its own, and what overrides say."""
        (watch,) = stream_views.show_stream(self.core.runtimes, bed).watches
        given = watch.overrides
        return watch.limits, watch.profile, (given.limits, given.profile, given.off)


def summary(events):
    return [(event.stream, event.alarm, event.transition.value, event.report.reason.split(":")[0]) for event in events]


@pytest.fixture
def ward(tmp_path):
    return Ward(tmp_path)


def test_a_ward_with_children_and_two_beds_that_are_quiet(ward):
    assert ward.hears(140, "paediatric/1", "icu/3", "icu/5", spo2=90) == [
        ("icu/3", "hr-high", "raise", "hr 140 /min is above 120"),
        ("icu/5", "hr-high", "raise", "hr 140 /min is above 120"),
        ("icu/3", "news2", "raise", "NEWS2 at least 3"),
        ("icu/5", "news2", "raise", "NEWS2 at least 3"),
        ("icu/5", "odd", "raise", "score 115, threshold 100"),
    ]
    assert ward.hears(170, "paediatric/1", spo2=90) == [
        ("paediatric/1", "hr-high", "raise", "hr 170 /min is above 160"),
        ("paediatric/1", "odd", "raise", "score 130, threshold 130"),
    ]


def test_what_people_set_goes_before_and_goes_along_and_ends_with_the_stay(ward):
    ward.hears(80, "paediatric/1", "icu/3")
    by_name = ({"hr-high": 160.0, "odd": 130.0}, {"news2_scale": 2.0}, [])
    assert ward.shows("paediatric/1") == ({}, {}, by_name)
    ward.asks(SetLimit("paediatric/1", "hr-high", 150))
    ward.asks(SetProfile("paediatric/1", {"news2_scale": 1}))
    assert ward.shows("paediatric/1") == ({"hr-high": 150.0}, {"news2_scale": 1.0}, by_name)
    assert [event[1] for event in ward.hears(155, "paediatric/1", spo2=90)] == ["hr-high", "news2"]
    ward.asks(Transfer("paediatric/1", "icu/4"))
    assert ward.shows("icu/4") == ({"hr-high": 150.0}, {"news2_scale": 1.0}, ({}, {}, ["odd"]))
    assert [event[1] for event in ward.hears(155, "icu/4", spo2=90)] == ["hr-high", "news2"]
    memory = stream_views.export_stream(ward.core.runtimes, "icu/4").memory
    ward.asks(ImportStream("paediatric/9", memory))
    assert ward.shows("paediatric/9") == ({"hr-high": 150.0}, {"news2_scale": 1.0}, by_name)
    ward.asks(Discharge("paediatric/9"))
    assert ward.hears(155, "paediatric/9", spo2=90) == []
    ward.asks(Admit("paediatric/9", profile={"news2_scale": 1}))
    assert [event[1] for event in ward.hears(155, "paediatric/9", spo2=90)] == ["news2"]
    with pytest.raises(StreamRefused, match="stream 'icu/3': alarm 'odd' has no limit"):
        ward.asks(SetLimit("icu/3", "odd", 120))


def test_the_command_line_shows_what_holds_and_where_it_comes_from(ward, monkeypatch):
    ward.hears(80, "paediatric/1", "icu/3")
    ward.asks(SetLimit("paediatric/1", "hr-high", 150))
    command_line = sys.modules["tocsin.cli.streams"]
    monkeypatch.setattr(command_line, "find", lambda *_: None)

    def shown(bed):
        view = msgspec.to_builtins(stream_views.show_stream(ward.core.runtimes, bed))
        monkeypatch.setattr(command_line, "get", lambda *_: view)
        result = CliRunner().invoke(build(), ["streams", "show", bed])
        assert result.exit_code == 0
        return result.stdout.splitlines()[3:]

    assert shown("paediatric/1") == [
        "    news2_scale: 2 (override)",
        "    limit of hr-high: 150 (set by a person)",
        "    limit of odd: 130 (override)",
    ]
    assert shown("icu/3") == ["    odd: off (override)"]


def test_a_reload_changes_who_is_different(ward):
    ward.hears(140, "paediatric/1", "icu/3", "icu/5")
    assert ward.changes_to({"streams": "icu/*", "off": ["odd", "news2"]}, {"streams": "*/3", "off": ["hr-high"]}) == [
        ("icu/3", "hr-high", "end", "the configuration changed"),
        ("icu/5", "odd", "end", "the configuration changed"),
    ]
    assert ward.hears(140, "paediatric/1", "icu/3", "icu/5") == [
        ("paediatric/1", "hr-high", "raise", "hr 140 /min is above 120"),
        ("paediatric/1", "odd", "raise", "score 118, threshold 100"),
    ]
    assert ward.changes_to() == []
    assert [event[:2] for event in ward.hears(140, "icu/3", "icu/5")] == [
        ("icu/3", "hr-high"),
        ("icu/3", "odd"),
        ("icu/5", "odd"),
    ]


def test_where_the_log_alone_says_what_is_up_an_alarm_that_is_off_by_now_ends(ward, tmp_path):
    """The engine could never end what it doesn't judge."""
    readings = Readings.of([("icu/5", T0, {"hr": 140.0, "spo2": 97.0})])
    raised = events(ward.core.apply(ReadingsEntry(T0, ["ward"], readings)))
    store = Store.open(tmp_path / "store")
    store.commit((), raised, snapshot=b"damaged", now=T0)
    found = recover(store, lambda: ward.configured({"streams": "icu/5", "off": ["odd"]}), tmp_path, T0 + S)
    store.close()
    assert [(event.alarm, event.transition.value) for event in found.unpublished] == [
        ("hr-high", "uncertain"),
        ("odd", "end"),
    ]
