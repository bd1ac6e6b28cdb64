"""Trend conditions on a small stream: exact events and reasons."""

from __future__ import annotations

from counting_watch import HR, S, alarm, engine, happened, play, pulse, reasons
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.engine.conditions.trend import Trend


def test_a_channel_that_rises_fast_is_a_trend_and_one_that_rises_slowly_is_none():
    watching = engine(alarm("hr-rises", Trend(HR, 20, 10 * S, rising=True)))
    slow = [80 + 1.5 * k for k in range(20)]
    fast = [slow[-1] + 3 * k for k in range(1, 20)]
    results = play(watching, pulse(*slow, *fast, *[fast[-1]] * 15))
    assert happened(results) == [("bed", "hr-rises", "active", 23), ("bed", "hr-rises", "inactive", 43)]
    assert reasons(results)[0] == "hr rises by 20 /min in 10 s, to 120.5"
    assert reasons(results)[1] == "hr 165.5 /min no longer rises by 20 in 10 s"


def test_a_fall_is_no_rise():
    watching = engine(
        alarm("rises", Trend(HR, 20, 10 * S, rising=True)), alarm("falls", Trend(HR, 20, 10 * S, rising=False))
    )
    assert happened(play(watching, pulse(*[140 - 4 * k for k in range(20)]))) == [("bed", "falls", "active", 5)]


@settings(max_examples=30)
@given(st.integers(0, 59), st.sampled_from([0.0, 300.0]))
def test_one_artefact_is_no_trend(at, artefact):
    watching = engine(
        alarm("rises", Trend(HR, 5, 20 * S, rising=True)), alarm("falls", Trend(HR, 5, 20 * S, rising=False))
    )
    values = [80.0] * 60
    values[at] = artefact
    assert happened(play(watching, pulse(*values))) == []


def test_a_rate_is_unknown_until_half_the_time_has_been_seen_and_while_nothing_is_measured():
    watching = engine(alarm("hr-rises", Trend(HR, 20, 20 * S, rising=True)), frame_timeout_s=0)
    frames = [{"hr": 80 + 10 * k, "spo2": 97} for k in range(12)] + [{"spo2": 97}] * 2
    assert happened(play(watching, frames)) == [("bed", "hr-rises", "active", 11), ("bed", "hr-rises", "uncertain", 12)]
