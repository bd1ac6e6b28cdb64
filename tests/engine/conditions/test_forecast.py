"""Forecast conditions on a small stream: exact events and reasons."""

from __future__ import annotations

import toy_bundle
from counting_watch import HR, S, alarm, engine, happened, play, pulse, reasons

from tocsin.bundle import load
from tocsin.engine import Engine, FrameClock, Watch
from tocsin.engine.conditions.forecast import Forecast


def seq2seq(tmp_path, *alarms):
    bundle = load(toy_bundle.write_seq2seq(tmp_path / "toy"))
    return Engine(Watch(bundle.model, alarms, FrameClock(lateness_ns=0, frame_timeout_ns=S), max_streams=10))


def test_a_forecast_holds_by_the_probability_that_the_limit_is_crossed(tmp_path):
    """The toy's maximum has its median where the value is, and its 90 % quantile 5 above."""
    watching = seq2seq(tmp_path, alarm("hr-will-rise", Forecast(0, 120, rising=True, probability=0.3)))
    results = play(watching, pulse(100, 117, 118, 121, 110))
    assert happened(results) == [("bed", "hr-will-rise", "active", 2), ("bed", "hr-will-rise", "inactive", 4)]
    assert reasons(results) == [
        "hr above 120 /min within 3 s: p = 0.34, now 118",
        "hr above 120 /min within 3 s: p = 0.0018, back below 0.3",
    ]
    assert results[0].events[0].report.model.startswith("toy/1 ")


def test_a_forecast_of_a_fall_uses_the_minimum(tmp_path):
    watching = seq2seq(tmp_path, alarm("spo2-will-fall", Forecast(1, 90, rising=False, probability=0.4)))
    frames = [{"hr": 80, "spo2": value} for value in (99, 90, 88)]
    assert happened(play(watching, frames)) == [("bed", "spo2-will-fall", "active", 1)]


def test_a_model_without_quantiles_forecasts_no_crossing():
    watching = engine(alarm("hr-will-rise", Forecast(HR, 120, rising=True, probability=0.3)))
    assert happened(play(watching, pulse(200, 200))) == []
