"""Series of single streams: only those asked for, never many, and nothing where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tocsin.engine import Alarm, Engine, FrameClock, Readings, Watch
from tocsin.engine.conditions.limit import Above
from tocsin.engine.events import Category, Priority
from tocsin.engine.model import Channel, ChannelKind, Model, StepResult, Task
from tocsin.metrics.metrics import Metrics
from tocsin.metrics.streams import StreamSeries

NS = 1_000_000_000
ORDER = ("watch", "stream", "channel", "bound", "alarm", "priority")  # in which a series' labels stand below


def step(x, mask, _delta, state):
    """A score of 10 × the first channel; expects the last frame again, give or take 1."""
    n, c = x.shape
    scale = np.ones((n, c), dtype=np.float32)
    score = np.where(mask[:, 0] > 0, x[:, 0] * 10, np.nan).astype(np.float32)
    mean = np.where(mask > 0, x, np.nan).astype(np.float32)
    return StepResult(score, np.zeros((n, c), np.float32), mean, scale, state)


class Ward:
    """An engine, its series, and what a scrape sees of them."""

    def __init__(self, patterns=("*",), max_streams=50, watches=("ward",)):
        channels = (
            Channel("hr", "/min", 0, 300),
            Channel("spo2", "%", 0, 100),
            Channel("age", "a", 0, 120, ChannelKind.STATIC),
        )
        self.model = Model("toy", "1", "00", Task.FORECAST, channels, NS, 1, 0, 60, 60.0, 1.0, step)
        alarm = Alarm("hr-high", Above(0, 120.0, 5.0), Priority.HIGH, Category.PHYSIOLOGICAL, 0, 0)
        self.engines = {
            name: Engine(Watch(self.model, [alarm], FrameClock(lateness_ns=0, frame_timeout_ns=0), 1000))
            for name in watches
        }
        self.now_s = 1000.0
        self.series = StreamSeries(
            patterns, max_streams, {n: (e, self.model) for n, e in self.engines.items()}, clock_s=lambda: self.now_s
        )
        self.metrics = Metrics("0", [], [], self.series)

    def read(self, stream, watch="ward", **values):
        """Let a second pass, and its frame be closed."""
        self.now_s += 1
        t = int(self.now_s) * NS
        readings = Readings.of([(stream, t, values)])
        self.metrics.of_streams(watch, self.engines[watch].apply(readings, t).steps)
        self.metrics.of_streams(watch, self.engines[watch].apply(Readings.of([]), t + NS).steps)

    def scrape(self):
        return {
            (sample.name.removeprefix("tocsin_stream_"), *(sample.labels[n] for n in ORDER if n in sample.labels)): (
                sample.value
            )
            for family in text_string_to_metric_families(self.metrics.render().decode())
            for sample in family.samples
            if sample.name.startswith("tocsin_stream_")
        }

    def shown(self):
        return {labels[2] for labels in self.scrape()}


def test_a_streams_series():
    ward = Ward()
    ward.read("icu/1", hr=80.1, spo2=97.2)
    ward.read("icu/1", hr=121.3, spo2=96)
    assert ward.scrape() == {
        ("score", "ward", "icu/1"): 1213.0,
        ("value", "ward", "icu/1", "hr"): 121.3,
        ("value", "ward", "icu/1", "spo2"): 96.0,
        ("expected", "ward", "icu/1", "hr", "low"): pytest.approx(78.1, abs=1e-4),
        ("expected", "ward", "icu/1", "hr", "high"): pytest.approx(82.1, abs=1e-4),
        ("expected", "ward", "icu/1", "spo2", "low"): pytest.approx(95.2, abs=1e-4),
        ("expected", "ward", "icu/1", "spo2", "high"): pytest.approx(99.2, abs=1e-4),
        ("alarm", "ward", "icu/1", "hr-high", "high"): 1.0,
    }


def test_what_is_unknown_is_absent():
    ward = Ward()
    ward.read("icu/1", spo2=97)  # no hr: no score; the first frame: no band
    assert ward.scrape() == {
        ("value", "ward", "icu/1", "spo2"): 97.0,
        ("alarm", "ward", "icu/1", "hr-high", "high"): 0.0,
    }


def test_a_channel_that_stops_is_shown_no_longer():
    ward = Ward()
    ward.read("icu/1", hr=80, spo2=97)
    ward.read("icu/1", spo2=97)
    assert ("value", "ward", "icu/1", "hr") not in ward.scrape()
    assert ("value", "ward", "icu/1", "spo2") in ward.scrape()
    assert ("score", "ward", "icu/1") not in ward.scrape()


def test_an_alarm_that_has_become_uncertain_is_up():
    ward = Ward()
    ward.read("icu/1", hr=130, spo2=97)
    ward.read("icu/1", spo2=97)
    assert ward.scrape()["alarm", "ward", "icu/1", "hr-high", "high"] == 1.0
    ward.read("icu/1", hr=80, spo2=97)
    assert ward.scrape()["alarm", "ward", "icu/1", "hr-high", "high"] == 0.0


def test_a_stream_that_stops_keeps_nothing_but_its_alarms():
    ward = Ward()
    ward.read("icu/1", hr=130, spo2=97)
    ward.now_s += 15
    assert ("score", "ward", "icu/1") in ward.scrape()
    ward.now_s += 1
    assert ward.scrape() == {("alarm", "ward", "icu/1", "hr-high", "high"): 1.0}


@pytest.mark.parametrize(
    ("patterns", "shown"),
    [
        ((), set()),
        (("*",), {"icu/1", "icu/2", "ward/a/1", "old/icu/1"}),
        (("icu/*",), {"icu/1", "icu/2"}),
        (("*/1",), {"icu/1", "ward/a/1", "old/icu/1"}),
        (("icu/2", "ward/*"), {"icu/2", "ward/a/1"}),
        (("icu",), set()),
        (("ICU/1",), set()),
    ],
)
def test_only_allowed_streams(patterns, shown):
    ward = Ward(patterns)
    for stream in ("icu/1", "ward/a/1", "icu/2", "old/icu/1"):
        ward.read(stream, hr=80)
    assert ward.shown() == shown


def test_never_more_than_the_cap(caplog):
    ward = Ward(["icu/*"], max_streams=2)
    for stream in ("other", "icu/1", "icu/2", "icu/3", "icu/1", "icu/4", "icu/3"):
        ward.read(stream, hr=80)
    assert ward.shown() == {"icu/1", "icu/2"}
    assert b"\ntocsin_streams_left_out 2.0\n" in ward.metrics.render()
    assert [record.message for record in caplog.records] == [
        "no series for stream icu/3 and later ones: metrics.max_streams is reached"
    ]


def test_the_cap_is_that_of_all_watches_and_equal_names_stay_apart():
    ward = Ward(max_streams=2, watches=("a", "b"))
    ward.read("icu/1", watch="a", hr=80)
    ward.read("icu/1", watch="b", hr=90)
    ward.read("icu/2", watch="b", hr=90)
    seen = ward.scrape()
    assert (seen["value", "a", "icu/1", "hr"], seen["value", "b", "icu/1", "hr"]) == (80.0, 90.0)
    assert ward.shown() == {"icu/1"}


def test_a_profile_is_no_measurement():
    ward = Ward()
    ward.read("icu/1", hr=80, age=70)
    assert not [labels for labels in ward.scrape() if "age" in labels]


def test_odd_names_of_streams_are_rendered():
    ward = Ward()
    ward.read('icu/"\\\n}', hr=80)
    assert ward.shown() == {'icu/"\\\n}'}
