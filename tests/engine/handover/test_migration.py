"""A new configuration takes over: every stream stays watched, and no alarm is raised or removed without a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from counting_watch import START, S, alarm, engine, happened
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine import Engine, FrameClock, Readings, Watch
from tocsin.engine.conditions.absent import Absent
from tocsin.engine.conditions.limit import Above, Below
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.conditions.silent import Silent
from tocsin.engine.events import Priority
from tocsin.engine.handover.migration import migrate

NOW = START + 10**6 * S
HIGH = alarm("hr-high", Above(0, 120, 5), on_delay_s=2, off_delay_s=1)
ODD = alarm("odd", ScoreAbove(105))
NO_SPO2 = alarm("no-spo2", Absent(1, 4 * S))

values = st.fixed_dictionaries(
    {}, optional={"hr": st.integers(60, 140).map(float), "spo2": st.integers(80, 100).map(float)}
)
readings = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 40), values), max_size=50)


def batch(rows):
    return Readings.of([(stream, START + tick * S // 2, by_channel) for stream, tick, by_channel in rows])


def one_a_second(first, *rates, spo2=97.0):
    """Whole frames, which close at once."""
    return Readings.of([("a", START + (first + i) * S, {"hr": rate, "spo2": spo2}) for i, rate in enumerate(rates)])


def outputs(results):
    """Every frame and every event, to the bit."""
    steps = sorted(
        (int(row), int(tick), score.tobytes(), mean.tobytes())
        for result in results
        for made in result.steps
        for row, tick, score, mean in zip(made.rows, made.tick, made.score, made.mean, strict=True)
    )
    return sorted(happened(results)), steps


def up(watched):
    return {alarm.name: count for alarm, count in watched.alarms_up() if count}


@given(readings, st.integers(0, 50), st.sampled_from([0, 1.5, 3]))
def test_the_same_configuration_in_the_middle_changes_nothing(rows, cut, lateness_s):
    def watching():
        return engine(HIGH, ODD, NO_SPO2, lateness_s=lateness_s, frame_timeout_s=10**9)

    whole, before, after = watching(), watching(), watching()
    results = [
        before.apply(batch(rows[:cut]), NOW),
        migrate(before, after, NOW),
        after.apply(batch(rows[cut:]), NOW),
    ]
    assert outputs(results) == outputs([whole.apply(batch(rows[:cut]), NOW), whole.apply(batch(rows[cut:]), NOW)])


@given(readings, st.integers(0, 50), st.sampled_from([0, 1, 5]), st.sampled_from([0, 1, 5]))
def test_with_another_lateness_no_reading_is_lost_and_no_frame_steps_twice(rows, cut, old_s, new_s):
    before = engine(HIGH, lateness_s=old_s, frame_timeout_s=10**9)
    after = engine(HIGH, lateness_s=new_s, frame_timeout_s=10**9)
    results = [
        before.apply(batch(rows[:cut]), NOW),
        migrate(before, after, NOW),
        after.apply(batch(rows[cut:]), NOW),
        after.apply(batch([(stream, 1000, {}) for stream in "abc"]), NOW),
    ]
    _, steps = outputs(results)
    frames = [(row, tick) for row, tick, _, _ in steps]
    assert len(frames) == len(set(frames))
    late = sum(len(indices) for result in results for indices in result.rejected.values())
    assert sum(result.accepted for result in results) + late == len(rows) + 3
    for row in {row for row, _ in frames}:
        ticks = [
            int(tick)
            for result in results
            for made in result.steps
            for r, tick in zip(made.rows, made.tick, strict=True)
            if r == row
        ]
        assert ticks == sorted(ticks)


def test_a_new_limit_counts_for_active_alarms_from_the_next_frame_and_raises_none_twice():
    before = engine(alarm("hr-high", Above(0, 120, 5)))
    after = engine(alarm("hr-high", Above(0, 140, 5)))
    results = [before.apply(one_a_second(0, 130, 131), NOW)]
    swapped = migrate(before, after, NOW)
    results += [swapped, after.apply(one_a_second(2, 150, 151, 130), NOW)]
    assert swapped.events == []
    assert happened(results) == [("a", "hr-high", "active", 0.0), ("a", "hr-high", "inactive", 4.0)]


def test_a_delay_that_has_begun_begins_anew_for_another_limit_but_not_for_the_same():
    for limit, active_at in ((120, 3.0), (125, 5.0)):
        before = engine(alarm("hr-high", Above(0, 120, 5), on_delay_s=3))
        after = engine(alarm("hr-high", Above(0, limit, 5), on_delay_s=3))
        results = [before.apply(one_a_second(0, 130, 131), NOW), migrate(before, after, NOW)]
        results.append(after.apply(one_a_second(2, 130, 130, 130, 130, 130), NOW))
        assert happened(results) == [("a", "hr-high", "active", active_at)]


@pytest.mark.parametrize(
    "other",
    [
        (),
        (alarm("hr-high", Below(0, 40, 5)),),
        (alarm("hr-high", Above(1, 120, 5)),),
        (replace(alarm("hr-high", Above(0, 120, 5)), priority=Priority.LOW),),
    ],
    ids=["gone", "another kind", "another channel", "another priority"],
)
def test_an_alarm_that_is_not_the_same_any_more_clears_and_says_why(other):
    before, after = engine(alarm("hr-high", Above(0, 120, 5)), NO_SPO2), engine(*other, NO_SPO2)
    before.apply(one_a_second(0, 130), NOW)
    (change,) = migrate(before, after, NOW).events
    assert (change.stream, change.alarm, change.kind) == ("a", "hr-high", "removed")
    assert "configuration" in change.report.reason
    assert up(after) == {}


def test_silence_goes_on_and_ends_with_the_next_reading():
    silent = alarm("silent", Silent(10 * S))
    before, after = engine(silent), engine(HIGH, silent)
    results = [before.apply(one_a_second(0, 80), START), before.apply(Readings.of([]), START + 20 * S)]
    results.append(migrate(before, after, START + 20 * S))
    assert up(after) == {"silent": 1}
    results.append(after.apply(one_a_second(20, 80), START + 21 * S))
    assert [entry[:3] for entry in happened(results)] == [("a", "silent", "active"), ("a", "silent", "inactive")]


def with_another_model(*alarms, period_ns=S, warm_up_ticks=2):
    model = replace(engine(warm_up_ticks=warm_up_ticks).watch.model, version="2", sha256="1" * 64, period_ns=period_ns)
    return Engine(Watch(model, alarms, FrameClock(0, S), 100))


def test_with_another_model_limits_go_on_at_once_and_the_score_warms_up():
    alarms = alarm("hr-high", Above(0, 120, 5)), ODD
    before, after = engine(*alarms), with_another_model(*alarms)
    results = [before.apply(Readings.of([("a", START, {"age": 70.0})]), NOW)]
    results += [before.apply(one_a_second(0, 130, 131, 132), NOW), migrate(before, after, NOW)]
    assert up(after) == {"hr-high": 1, "odd": 1}
    results.append(after.apply(one_a_second(3, 140, 141, 142, spo2=100.0), NOW))
    assert happened(results) == [
        ("a", "hr-high", "active", 0.0),
        ("a", "odd", "active", 0.0),
        ("a", "odd", "uncertain", 3.0),  # what the old model reported is neither withdrawn nor repeated
        ("a", "odd", "certain", 5.0),
    ]
    (last,) = after.apply(one_a_second(6, 80, spo2=100.0), NOW).steps
    assert last.x[0].tolist() == [80, 100, 70, pytest.approx(6 / 3600)]  # age and hours since the beginning stay


def test_with_another_period_nothing_that_was_stepped_comes_again():
    before, after = engine(HIGH), with_another_model(HIGH, period_ns=10 * S)
    results = [before.apply(one_a_second(0, *[80] * 12), NOW), migrate(before, after, NOW)]
    again = after.apply(one_a_second(11, 80), NOW)
    assert len(again.rejected["late"]) == 1
    fresh = after.apply(one_a_second(20, *[80] * 11), NOW)
    assert [int(made.tick[0]) - START // (10 * S) for made in fresh.steps] == [2, 3]
    assert [len(result.events) for result in results] == [0, 0]


def test_streams_beyond_a_smaller_cap_stay_and_new_ones_are_refused():
    before, after = engine(HIGH, max_streams=10), engine(HIGH, max_streams=1)
    before.apply(batch([("a", 0, {"hr": 80.0}), ("b", 0, {"hr": 80.0})]), NOW)
    migrate(before, after, NOW)
    result = after.apply(batch([("a", 2, {"hr": 80.0}), ("b", 2, {"hr": 80.0}), ("c", 2, {"hr": 80.0})]), NOW)
    assert result.accepted == 2
    assert result.rejected["too_many_streams"].tolist() == [2]
