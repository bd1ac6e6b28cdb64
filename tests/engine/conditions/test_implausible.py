"""Implausibility conditions on a small stream: exact events and reasons."""

from __future__ import annotations

from counting_watch import HR, S, alarm, engine, happened, play, pulse, reasons

from tocsin.engine.conditions.implausible import Implausible
from tocsin.engine.conditions.limit import Above
from tocsin.engine.conditions.silent import Silent


def test_nothing_but_implausible_values_is_reported_and_makes_no_value():
    watching = engine(
        alarm("hr-broken", Implausible(HR, 3 * S)), alarm("hr-high", Above(HR, 120, 0)), frame_timeout_s=0
    )
    results = play(watching, pulse(80, 900, 900, 900, 900, 900, 80))
    assert happened(results) == [("bed", "hr-broken", "active", 4), ("bed", "hr-broken", "inactive", 6)]
    assert reasons(results) == ["hr outside 0 to 300 /min for 3 s or longer", "hr is plausible again"]


def test_a_plausible_value_now_and_then_is_enough():
    watching = engine(alarm("hr-broken", Implausible(HR, 3 * S)), frame_timeout_s=0)
    assert happened(play(watching, pulse(900, 900, 80, 900, 900, 900, 80, 900))) == []


def test_a_sensor_that_flips_between_plausible_and_implausible_values_is_reported_by_their_share():
    watching = engine(alarm("hr-flickers", Implausible(HR, 10 * S, 0.4)), frame_timeout_s=0)
    results = play(watching, pulse(*[80] * 20, *[900, 80] * 10, *[80] * 10))
    assert [(alarm, kind) for _, alarm, kind, _ in happened(results)] == [
        ("hr-flickers", "active"),
        ("hr-flickers", "inactive"),
    ]
    assert reasons(results) == [
        "hr outside 0 to 300 /min in at least 40 % of the last 10 s",
        "hr outside 0 to 300 /min in less than 40 % of the last 10 s",
    ]


def test_a_share_is_of_the_frames_that_carry_the_channel():
    watching = engine(alarm("hr-flickers", Implausible(HR, 10 * S, 0.4)), frame_timeout_s=0)
    frames = [{"hr": 900 if k % 4 == 0 else 80, "spo2": 97} if k % 2 == 0 else {"spo2": 97} for k in range(20)]
    events = [(kind, at) for _, _, kind, at in happened(play(watching, frames))]
    assert events[:2] == [("active", 6), ("uncertain", 7)]  # 2 of 4 frames; the next one carries none
    assert "inactive" not in dict(events)


def test_fewer_implausible_values_than_the_share_are_not_reported():
    watching = engine(alarm("hr-flickers", Implausible(HR, 10 * S, 0.5)), frame_timeout_s=0)
    assert happened(play(watching, pulse(*[900, 80, 80] * 20))) == []


def test_a_share_is_unknown_until_half_the_time_has_been_seen():
    watching = engine(alarm("hr-flickers", Implausible(HR, 10 * S, 0.4)), frame_timeout_s=0)
    assert happened(play(watching, pulse(*[900] * 10))) == [("bed", "hr-flickers", "active", 5)]


def test_readings_without_any_plausible_value_are_reported_too_and_are_no_silence():
    watching = engine(alarm("hr-broken", Implausible(HR, 3 * S)), alarm("silent", Silent(3 * S)), frame_timeout_s=0)
    results = play(watching, [{"hr": 80, "spo2": 97}, *[{"hr": 900}] * 6])
    assert happened(results) == [("bed", "hr-broken", "active", 4)]


def test_without_such_an_alarm_readings_without_any_plausible_value_are_as_good_as_none():
    watching = engine(alarm("silent", Silent(3 * S)), frame_timeout_s=0)
    assert happened(play(watching, [{"hr": 80, "spo2": 97}, *[{"hr": 900}] * 6])) == [("bed", "silent", "active", 3)]
