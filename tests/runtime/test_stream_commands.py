"""What is asked of a stream is done in every watch that it concerns, or in none."""

from __future__ import annotations

import configurations
import pytest
import toy_bundle

from tocsin.config import check
from tocsin.engine import Readings
from tocsin.engine.lifecycle.commands import (
    Admit,
    ImportStream,
    Resume,
    SetLimit,
    SetProfile,
    Standby,
    StreamRefused,
    Transfer,
)
from tocsin.runtime import stream_views
from tocsin.runtime.build import build_deployment
from tocsin.runtime.core import Core
from tocsin.runtime.journal_entries import ReadingsEntry, StreamCommandEntry
from tocsin.store.columns import pack

S = 10**9
T0 = 1_760_000_000 * S
HIGH = {"above": {"channel": "hr", "limit": 120}}
LOW = {"below": {"channel": "spo2", "limit": 85}}
AGE = {"name": "age", "unit": "a", "low": 0, "high": 120, "kind": "static"}


@pytest.fixture
def core(tmp_path):
    """Three watches of the same streams: `small` has room for two of them, and its model knows an age."""
    graph = toy_bundle.GRAPH.replace("N, 3]", "N, 4]").replace("N, 2]", "N, 3]")
    graph = graph.replace("float[2, 1] ones = {1, 1}", "float[3, 1] ones = {1, 1, 1}")
    channels = [*toy_bundle.MANIFEST["channels"], AGE]
    toy_bundle.write(tmp_path / "aged", toy_bundle.serialised(graph), channels=channels, state_size=4)
    watches = {
        "ward": {"alarms": {"odd": {"anomaly": {}}, "hr-high": HIGH}},
        "two": {"model": "toy", "alarms": {"hr-fast": HIGH}},
        "small": {"model": "aged", "max_streams": 2, "alarms": {"spo2-low": LOW}},
    }
    sources = [{"topic": "vitals/{ward}/{bed}", "watch": list(watches)}]
    checked = check(configurations.write(tmp_path, watches=watches, sources=sources))
    assert not checked.faults, checked.faults
    return Core(build_deployment(checked.config, checked.bundles))


def hears(core, *streams, watches=("ward", "two", "small")):
    readings = Readings.of([(stream, T0, {"hr": 80, "spo2": 97}) for stream in streams])
    core.apply(ReadingsEntry(T0, watches, readings))


def asks(core, command, at):
    """Carry out a command; the watches that did."""
    results = core.apply(StreamCommandEntry(at, command))
    return [result.watch.runtime.name for result in results if result.watch is not None]


def known(core, stream):
    return [name for name, runtime in core.runtimes.items() if runtime.engine.table.row_of(stream) is not None]


def limits(core, stream):
    watches = stream_views.show_stream(core.runtimes, stream).watches
    return {watch.watch: dict(watch.limits) for watch in watches}


def profiles(core, stream):
    watches = stream_views.show_stream(core.runtimes, stream).watches
    return {watch.watch: dict(watch.profile) for watch in watches}


def refuses(core, command, says):
    before = pack(core.export())
    with pytest.raises(StreamRefused, match=says):
        asks(core, command, T0 + S)
    assert pack(core.export()) == before


def test_what_one_watch_refuses_none_does(core):
    hears(core, "icu/1", "icu/2")
    exported = stream_views.export_stream(core.runtimes, "icu/1").memory
    refuses(core, Admit("icu/3"), "max_streams 2 is reached")
    refuses(core, ImportStream("icu/3", exported), "max_streams leaves room for 0")
    refuses(core, ImportStream("icu/3", exported[:-400]), "damaged, or no export")
    core.runtimes["small"].execute(Admit("icu/2"), T0)
    refuses(core, Transfer("icu/1", "icu/2"), "'icu/2' is admitted")
    refuses(core, SetLimit("icu/1", "hr-high", 999), "999 is not plausible")
    refuses(core, SetLimit("icu/1", "nothing", 90), "has no alarm 'nothing'")
    refuses(core, SetProfile("icu/1", {"oxygen": 1, "shoe": 44}), "'shoe' is no part of a profile")
    refuses(core, SetProfile("icu/1", {"oxygen": 2}), "oxygen 2")
    refuses(core, Resume("icu/1"), "not on standby")


def test_each_watch_does_what_concerns_it(core):
    hears(core, "icu/1")
    assert asks(core, SetLimit("icu/1", "hr-high", 90.0), T0 + S) == ["ward"]
    assert limits(core, "icu/1") == {"ward": {"hr-high": 90.0}, "two": {}, "small": {}}
    core.runtimes["two"].execute(Standby("icu/1"), T0 + S)
    assert asks(core, Resume("icu/1"), T0 + 2 * S) == ["two"]
    exported = stream_views.export_stream(core.runtimes, "icu/1").memory
    asks(core, ImportStream("icu/2", exported), T0 + 2 * S)
    assert set(known(core, "icu/2")) == {"ward", "two", "small"}
    assert limits(core, "icu/2") == limits(core, "icu/1")


def test_a_profile_says_to_each_watch_what_that_can_use(core):
    hears(core, "icu/1")
    asks(core, Admit("icu/1", profile={"age": 71, "oxygen": 1}), T0 + S)
    aged = {"oxygen": 1.0}
    assert profiles(core, "icu/1") == {"ward": aged, "two": aged, "small": {"age": 71.0, **aged}}
    asks(core, SetProfile("icu/1", {"age": 72}), T0 + S)
    assert profiles(core, "icu/1") == {"ward": aged, "two": aged, "small": {"age": 72.0, **aged}}


def test_a_stream_shows_its_own_threshold_once_it_has_settled(tmp_path):
    toy_bundle.write_with_statistics(tmp_path / "usual")
    watches = {
        "ward": {
            "model": "usual",
            "adapt": {"settle_s": 100},
            "alarms": {"odd": {"anomaly": {"threshold": 95}}, "hr-high": HIGH},
        }
    }
    checked = check(configurations.write(tmp_path, watches=watches, sources=[{"topic": "vitals/{ward}/{bed}"}]))
    assert not checked.faults, checked.faults
    core = Core(build_deployment(checked.config, checked.bundles))
    hears(core, "icu/1", watches=["ward"])
    assert stream_views.show_stream(core.runtimes, "icu/1").watches[0].thresholds == {"odd": None}
    for second in range(1, 200):
        at = T0 + second * S
        hr = 110 + 3 * (second % 3)  # the toy's score is what it reads
        core.apply(ReadingsEntry(at, ["ward"], Readings.of([("icu/1", at, {"hr": hr, "spo2": 97})])))
    ((name, threshold),) = stream_views.show_stream(core.runtimes, "icu/1").watches[0].thresholds.items()
    assert name == "odd"
    assert 105 < threshold < 130
