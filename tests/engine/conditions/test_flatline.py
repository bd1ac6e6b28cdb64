"""Flatline conditions on a small stream: exact events and reasons."""

from __future__ import annotations

from counting_watch import HR, S, alarm, engine, happened, play, pulse, reasons

from tocsin.engine.conditions.flatline import Flatline


def test_a_channel_that_stands_still_is_a_flatline_and_one_that_moves_within_the_band_too():
    watching = engine(alarm("still", Flatline(HR, 0, 6 * S)), alarm("nearly", Flatline(HR, 1, 6 * S)))
    results = play(watching, pulse(*[80] * 4, *[80.5] * 8, 81, 82))
    assert happened(results) == [
        ("bed", "nearly", "active", 6),
        ("bed", "still", "active", 10),
        ("bed", "still", "inactive", 12),
        ("bed", "nearly", "inactive", 13),
    ]
    assert reasons(results) == [
        "hr stays within 1 /min of 80.5 for 6 s or longer",
        "hr stands at 80.5 /min for 6 s or longer",
        "hr 81 /min moves again",
        "hr 82 /min moves again",
    ]


def test_a_few_equal_values_far_apart_are_no_flatline():
    watching = engine(alarm("still", Flatline(HR, 0, 6 * S)), frame_timeout_s=0)
    frames = [{"hr": 80, "spo2": 97} if k % 5 == 0 else {"spo2": 97} for k in range(20)]
    assert happened(play(watching, frames)) == []
