"""Alarm calls: limits as in the daemon's engine, chattering and floods."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tocsin.engine.events import Category
from tocsin_studies.ward_alarm_load import measure
from tocsin_studies.ward_alarm_load.alarm_calls import (
    AlarmCall,
    chattering,
    flooded_min,
    of_events,
    of_limits,
    without_twin,
)
from tocsin_training.simulation.ward.bedside_limits import BEDSIDE
from tocsin_training.simulation.ward.simulator import CHANNELS


def call(begin_s, end_s=None, *, stream="a/1", alarm="hr-high", category=Category.PHYSIOLOGICAL):
    return AlarmCall(stream, alarm, category, begin_s, begin_s + 1 if end_s is None else end_s)


def limits(folder, delay_s):
    """The limits as a configuration."""
    alarms = {}
    for channel, (low, high) in BEDSIDE.items():
        alarms[f"{channel}-low"] = {"below": {"channel": channel, "limit": low}, "on_delay_s": delay_s}
        if channel != "spo2":  # 100 is the maximum
            alarms[f"{channel}-high"] = {"above": {"channel": channel, "limit": high}, "on_delay_s": delay_s}
    file = folder / "limits.yaml"
    watch = {"model": "ward-vitals/1", "frame_timeout_s": 0, "alarms": alarms}
    file.write_text(json.dumps({"sources": [{"topic": "{nurse}/{bed}"}], "watches": {"ward": watch}}))
    return file


def restless(streams, seconds):
    """Values (N, T, C) around the limits, with gaps."""
    rng = np.random.default_rng(4711)
    middle = np.array([120.0, 91.0, 30.0, 160.0, 90.0, 39.0])
    spread = np.array([3.0, 1.5, 2.0, 3.0, 2.0, 0.3])
    slow = rng.standard_normal((streams, seconds // 20 + 1, 6)).repeat(20, axis=1)[:, :seconds]
    shown = np.round(middle + spread * (slow + 0.3 * rng.standard_normal(slow.shape)), 1)
    shown[:, :, 1] = np.minimum(shown[:, :, 1], 100.0)
    shown[rng.random((streams, seconds // 10 + 1, 6)).repeat(10, axis=1)[:, :seconds] < 0.05] = np.nan
    return shown


@pytest.mark.parametrize("delay_s", [0, 15])
def test_limits_raise_the_alarms_of_the_daemon_s_engine(tmp_path, delay_s):
    names = [f"a/{number}" for number in range(40)]
    shown = restless(len(names), 240)
    alarm_rows = of_events(measure.replay(limits(tmp_path, delay_s), names, shown), measure.DAY_BEGAN)
    ours = [
        c
        for stream, own in zip(names, shown, strict=True)
        for c in of_limits(stream, own, delay_s)
        if c.category is Category.PHYSIOLOGICAL
    ]
    assert len(ours) > 100
    in_order = [sorted((c.stream, c.alarm, c.begin_s) for c in calls) for calls in (alarm_rows, ours)]
    assert in_order[0] == in_order[1]


def test_absence_raises_one_alarm_for_each_measurement_or_one_for_all():
    shown = np.full((60, len(CHANNELS)), 0.0)
    shown[:] = [80, 97, 15, 120, 70, 36.8]
    shown[10:25, 1] = np.nan
    shown[30:50] = np.nan
    assert [(c.alarm, c.begin_s, c.end_s) for c in of_limits("a/1", shown, 0)] == [
        ("silent", 40.0, 50.0),
        ("spo2-absent", 20.0, 25.0),
    ]


def test_a_gap_neither_raises_nor_ends_an_alarm():
    shown = np.full((60, len(CHANNELS)), 0.0)
    shown[:] = [80, 97, 15, 120, 70, 36.8]
    shown[5:40, 0] = 130
    shown[20:25, 0] = np.nan
    assert [(c.alarm, c.begin_s, c.end_s) for c in of_limits("a/1", shown, 0)] == [("hr-high", 5.0, 40.0)]


@pytest.mark.parametrize(
    ("begins", "count"),
    [([0, 20, 58], 1), ([0, 20, 60], 0), ([0, 10, 20, 30, 40], 1), ([0, 10, 20, 400, 410, 420], 2), ([0, 10], 0)],
)
def test_three_cycles_in_a_minute_are_chattering_once(begins, count):
    assert chattering([call(float(begin)) for begin in begins]) == count


def test_a_flood_lasts_from_the_eleventh_alarm_until_fewer_than_five_are_left_in_ten_minutes():
    assert flooded_min([call(60.0 * i) for i in range(10)]) == 0
    assert flooded_min([call(30.0 * i) for i in range(11)]) == (180 + 600 - 300) / 60  # the seventh leaves it last
    assert flooded_min([]) == 0


def test_alarms_that_the_twin_has_too_are_not_counted_for_the_deterioration():
    own = [call(100.0), call(500.0), call(900.0, category=Category.TECHNICAL)]
    assert without_twin(own, [call(130.0), call(500.0, stream="a/2")], 60.0) == [own[1]]
