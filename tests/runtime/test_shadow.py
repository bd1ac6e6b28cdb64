"""The core with a new model beside the old one: whatever comes, alarms are up exactly where who speaks says so."""

from __future__ import annotations

import configurations
import pytest
import toy_bundle
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tocsin.config import check
from tocsin.engine import Readings
from tocsin.engine.lifecycle.commands import (
    Admit,
    Discharge,
    ImportStream,
    ResetStream,
    Resume,
    SetLimit,
    Standby,
    StreamRefused,
    Transfer,
)
from tocsin.engine.types import ConditionState
from tocsin.runtime import stream_views
from tocsin.runtime.build import build_deployment
from tocsin.runtime.core import Core
from tocsin.runtime.journal_entries import ReadingsEntry, StreamCommandEntry, TickEntry
from tocsin.runtime.shadowed_watch import shadow_obstacle

S = 10**9
T0 = 1_760_000_000 * S
ALARMS = {
    "hr-high": {"above": {"channel": "hr", "limit": 120, "deadband": 5}, "priority": "high"},
    "odd": {"anomaly": {"threshold": 105}},
    "bed-silent": {"silent": {"for_s": 6}},
}
# By what a watch may change to: one's model, another that warms up slower, the same with other alarms; the first two
# with other limits, and with alarms off, in some beds.
CONFIGURATIONS = {
    "one": {"model": "toy", "alarms": ALARMS},
    "two": {"model": "toy2", "alarms": ALARMS},
    "three": {"model": "toy3", "alarms": {"odd": {"anomaly": {"threshold": 95}}, "hr-high": ALARMS["hr-high"]}},
    "one, differs": {"model": "toy", "alarms": ALARMS, "overrides": [{"streams": "a", "off": ["odd", "bed-silent"]}]},
    "two, differs": {
        "model": "toy2",
        "alarms": ALARMS,
        "overrides": [{"streams": "*", "limits": {"hr-high": 130, "odd": 100}}, {"streams": "a*", "off": ["odd"]}],
    },
    "two, is off": {"model": "toy2", "alarms": ALARMS, "overrides": [{"streams": "a", "off": list(ALARMS)}]},
    "event": {"model": "toy3", "alarms": ALARMS, "clock": "event"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    for version, warm_up_ticks in (("2", 2), ("3", 4)):
        toy_bundle.write(folder / f"toy{version}", version=version, warm_up_ticks=warm_up_ticks)
    checked = {}
    for name, ward in CONFIGURATIONS.items():
        configuration = configurations.merged(configurations.SOUND, {})
        configuration["watches"]["ward"] = ward
        configurations.write(folder)  # the bundle `toy`, too
        file = folder / f"{name}.yaml"
        with file.open("w", encoding="utf-8") as out:
            YAML(typ="safe").dump(configuration, out)
        checked[name] = check(file)
        assert not checked[name].faults
    return lambda name: build_deployment(checked[name].config, checked[name].bundles)


class Ward:
    def __init__(self, first):
        self.core = Core(first)
        self.now = T0
        self.events = []

    def hears(self, *beds, hr=80):
        self.now += S
        readings = Readings.of([(bed, self.now, {"hr": float(hr), "spo2": 97.0}) for bed in beds])
        self.apply(ReadingsEntry(self.now, ["ward"], readings))
        self.passes()

    def passes(self, seconds=0):
        self.now += seconds * S
        self.apply(TickEntry(self.now))

    def asks(self, command):
        self.apply(StreamCommandEntry(self.now, command))

    def apply(self, entry):
        for result in self.core.apply(entry):
            self.events += result.events

    def changes_to(self, configuration):
        for result in self.core.apply_deployment(configuration, self.now):
            self.events += result.events

    def lately(self):
        lately, self.events = [(event.stream, event.alarm, event.transition.value) for event in self.events], []
        return lately

    @property
    def waiting(self):
        watch = self.core.runtimes["ward"]
        return sorted(watch.waiting) if watch.is_shadowed else None


def test_who_still_goes_by_the_old_model_is_shown(made):
    ward = Ward(made("one"))

    def old_models():
        view = stream_views.show_stream(ward.core.runtimes, "a")
        return [(watch.model, watch.old_model) for watch in view.watches]

    ward.hears("a")
    assert old_models() == [("toy/1", None)]
    ward.changes_to(made("two"))
    assert old_models() == [("toy/2", "toy/1")]
    for _ in range(3):
        ward.hears("a")
    assert old_models() == [("toy/2", None)]


def test_a_discharged_stream_ends_in_both_and_is_waited_for_no_more(made):
    ward = Ward(made("one"))
    ward.hears("a", hr=140)
    ward.changes_to(made("two"))
    assert ward.waiting == ["a"]
    ward.lately()
    ward.asks(Discharge("a"))
    assert sorted(ward.lately()) == [("a", "hr-high", "end"), ("a", "odd", "end")]
    assert ward.waiting is None


def test_a_reset_ends_alarms_that_the_old_model_raised(made):
    ward = Ward(made("one"))
    ward.hears("a", "b", hr=140)
    ward.changes_to(made("two"))
    ward.lately()
    ward.asks(ResetStream("a"))
    assert sorted(ward.lately()) == [("a", "hr-high", "end"), ("a", "odd", "end")]


def test_a_transfer_takes_the_wait_along(made):
    ward = Ward(made("one"))
    ward.hears("a", "b")
    ward.changes_to(made("two"))
    ward.hears("b")
    ward.hears("b")
    ward.hears("b")
    assert ward.waiting == ["a"]
    ward.asks(Transfer("a", "b"))
    assert ward.waiting == ["b"]  # it is who was at a, whose new model is cold
    for _ in range(3):
        ward.hears("b", hr=140)
    assert ward.waiting is None
    assert ward.lately() == [("b", "odd", "raise"), ("b", "hr-high", "raise")]


def test_what_was_asked_meanwhile_holds_also_after_going_back(made):
    ward = Ward(made("one"))
    ward.hears("a")
    ward.changes_to(made("two"))
    ward.asks(SetLimit("a", "hr-high", 150.0))
    ward.changes_to(made("one"))
    ward.hears("a", hr=140)
    assert ward.lately() == [("a", "odd", "raise")]


def test_a_reload_amid_a_warm_up_keeps_the_warm_model_at_work(made):
    ward = Ward(made("one"))
    ward.hears("a")
    ward.changes_to(made("three"))
    ward.hears("a")
    ward.changes_to(made("two"))
    ward.hears("a", hr=140)
    assert ward.waiting == ["a"]
    assert ward.lately() == [("a", "odd", "raise"), ("a", "hr-high", "raise")]
    assert ward.core.runtimes["ward"].incumbent.model.version == "1"


def test_what_is_imported_is_the_new_models(made):
    elsewhere = Ward(made("two"))
    for _ in range(4):
        elsewhere.hears("a")
    memory = stream_views.export_stream(elsewhere.core.runtimes, "a").memory
    ward = Ward(made("one"))
    ward.hears("a", "b", hr=140)
    ward.changes_to(made("two"))
    ward.lately()
    ward.asks(ImportStream("a", memory))
    assert sorted(ward.lately()) == [("a", "hr-high", "end"), ("a", "odd", "end")]
    assert ward.waiting == ["b"]  # what was imported is warm
    ward.now = elsewhere.now
    ward.hears("a", hr=140)
    assert sorted(ward.lately()) == [("a", "hr-high", "raise"), ("a", "odd", "raise")]


def test_a_watch_by_another_clock_has_no_shadow(made):
    one, other = made("one").runtimes["ward"], made("event").runtimes["ward"]
    assert shadow_obstacle(one, other) == "its clock is another"


BEDS = st.sampled_from("abc")
STEPS = st.one_of(
    st.tuples(st.just("hears"), st.lists(BEDS, unique=True, max_size=3), st.sampled_from([80, 110, 140])),
    st.tuples(st.just("hears"), st.lists(BEDS, unique=True, max_size=3), st.sampled_from([80, 110, 140])),
    st.tuples(st.just("passes"), st.sampled_from([1, 7])),
    st.tuples(st.just("changes"), st.sampled_from(sorted(CONFIGURATIONS.keys() - {"event"}))),
    st.tuples(
        st.just("asks"),
        st.one_of(
            st.builds(Admit, BEDS),
            st.builds(Discharge, BEDS),
            st.builds(Transfer, BEDS, BEDS),
            st.builds(Standby, BEDS),
            st.builds(Resume, BEDS),
            st.builds(ResetStream, BEDS),
            st.builds(SetLimit, BEDS, st.sampled_from(["hr-high"]), st.sampled_from([100.0, None])),
        ),
    ),
)


def spoken(core):
    """Each stream's alarms that are active in the engine that its events come from."""
    watch = core.runtimes["ward"]
    modelled = {alarm for _, alarm in watch.shadow_alarms}
    up = set()
    for engine in {id(engine): engine for engine in (watch.engine, watch.incumbent.engine)}.values():
        is_incumbent = engine is not watch.engine
        for row in engine.table.live_rows().tolist():
            stream = engine.table.names[row]
            for index, alarm in enumerate(engine.alarms):
                of_incumbent = alarm.name in modelled and stream in watch.waiting
                if of_incumbent and watch.engine.has_off(stream, alarm.name):
                    continue
                if of_incumbent == is_incumbent and engine.table.delay_state[row, index] != ConditionState.INACTIVE:
                    up.add((stream, alarm.name))
    return up


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(STEPS, max_size=30))
def test_alarms_are_up_exactly_where_the_engine_that_speaks_says_so(made, steps):
    ward = Ward(made("one"))
    for what, *given_ in steps:
        if what == "hears":
            ward.hears(*given_[0], hr=given_[1])
        elif what == "passes":
            ward.passes(*given_)
        elif what == "changes":
            ward.changes_to(made(*given_))
        else:
            try:
                ward.asks(*given_)
            except StreamRefused:
                continue
        records = ward.core.registry.records.values()
        assert {(record.stream, record.alarm) for record in records if record.status.active} == spoken(ward.core)
    last = {}
    for event in ward.events:
        key = event.stream, event.alarm
        assert event.transition.value != "raise" or last.get(key) in {None, "clear", "end"}
        last[key] = event.transition.value if event.transition.value in {"raise", "clear", "end"} else last.get(key)
