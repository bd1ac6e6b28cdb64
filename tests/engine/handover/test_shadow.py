"""A new model warms up in the shadow of the old one: all streams stay watched, no alarm is raised twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from counting_watch import START, S, alarm, counting_step, engine, happened
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine import Engine, EngineResult, FrameClock, Readings, Watch
from tocsin.engine.conditions.absent import Absent
from tocsin.engine.conditions.adaptation import Adaptation
from tocsin.engine.conditions.limit import Above
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.conditions.silent import Silent
from tocsin.engine.conditions.trend import Trend
from tocsin.engine.handover.shadow import Shadow, obstacle
from tocsin.engine.lifecycle.commands import Discharge

NOW = START + 10**6 * S
HIGH = alarm("hr-high", Above(0, 120, 5), on_delay_s=2, off_delay_s=1)
ODD = alarm("odd", ScoreAbove(105))
NO_SPO2 = alarm("no-spo2", Absent(1, 4 * S))

values = st.fixed_dictionaries(
    {}, optional={"hr": st.integers(60, 140).map(float), "spo2": st.integers(80, 100).map(float)}
)
readings = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 40), values), max_size=40)


def doubling_step(x, mask, delta, state):
    """Twice the score."""
    result = counting_step(x, mask, delta, state)
    return replace(result, score=2 * result.score)


def another(*alarms, warm_up_ticks=2, step=counting_step, lateness_s=0.0, frame_timeout_s=1.0, **of_model):
    at_work = engine(warm_up_ticks=warm_up_ticks, step=step).watch.model
    model = replace(at_work, version="2", sha256="1" * 64, **of_model)
    return Engine(Watch(model, alarms, FrameClock(round(lateness_s * S), round(frame_timeout_s * S)), 100))


class Ward:
    """An old engine, perhaps with a new one in its shadow; `published` has the results."""

    def __init__(self, old):
        self.old = old
        self.shadow = None
        self.published = []

    def start(self, new, now=NOW):
        self.shadow, result = Shadow.start(self.old, new, now)
        self.published.append(result)

    def apply(self, batch, now=NOW):
        before = self.old.apply(batch, now)
        if self.shadow is None:
            self.published.append(before)
            return before, None
        after = self.shadow.new.apply(batch, now)
        self.published.append(EngineResult(now, events=self.shadow.merged_events(before, after)))
        self.shadow.cut_over_ready()
        return before, after

    def back(self, now=NOW):
        self.published.append(EngineResult(now, events=self.shadow.roll_back(now)))
        self.shadow = None


def batch(rows):
    return Readings.of([(stream, START + tick * S // 2, by_channel) for stream, tick, by_channel in rows])


def frame(second, hr, spo2=97.0, *, beds="a"):
    """Whole frames, which close at once."""
    return Readings.of([(bed, START + second * S, {"hr": float(hr), "spo2": spo2}) for bed in beds])


def everything(watched):
    return {name: column.tobytes() for name, column in watched.export_streams().columns.items()}


def up(watched):
    return {alarm.name: count for alarm, count in watched.alarms_up() if count}


def test_an_active_alarm_stays_active_and_is_not_raised_twice():
    ward = Ward(engine(HIGH, ODD))
    for second in range(4):
        ward.apply(frame(second, 140))  # score 118.5
    ward.start(another(HIGH, ODD, warm_up_ticks=2))
    for second in range(4, 10):
        ward.apply(frame(second, 140))
    assert ward.shadow.is_over
    new = ward.shadow.new
    assert up(new) == {"hr-high": 1, "odd": 1}
    for second in range(10, 13):
        ward.apply(frame(second, 80))
    assert happened(ward.published) == [
        ("a", "odd", "active", 0.0),
        ("a", "hr-high", "active", 2.0),
        ("a", "odd", "inactive", 10.0),  # by the new model's judgement, with no word between
        ("a", "hr-high", "inactive", 11.0),
    ]


def test_the_old_model_raises_alarms_until_the_new_one_is_warm():
    """The new one would raise alarms at everything: until it is warm none is published."""
    ward = Ward(engine(ODD))
    ward.apply(frame(0, 80))
    ward.start(another(ODD, warm_up_ticks=3, step=doubling_step))
    found = []
    for second, hr in enumerate([80, 140, 80, 80, 80, 80], start=1):
        ward.apply(frame(second, hr))
        found.append((sorted(ward.shadow.waiting), happened(ward.published[-1:])))
    assert found == [
        (["a"], []),
        (["a"], [("a", "odd", "active", 2.0)]),
        (["a"], [("a", "odd", "inactive", 3.0)]),
        ([], []),  # its fourth frame: it has a score, and no event yet
        ([], [("a", "odd", "active", 5.0)]),
        ([], []),
    ]
    (began,) = ward.published[-2].events
    assert began.report.model.startswith("counting/2 ")


def test_streams_go_over_one_by_one():
    ward = Ward(engine(ODD))
    ward.apply(frame(0, 80, beds="ab"))
    ward.start(another(ODD, warm_up_ticks=1))
    assert ward.shadow.waiting == {"a", "b"}
    ward.apply(frame(1, 80, beds="a"))
    ward.apply(frame(2, 80, beds="a"))
    assert (ward.shadow.waiting, ward.shadow.is_over) == ({"b"}, False)
    ward.apply(frame(3, 80, beds="b"))
    ward.apply(frame(4, 80, beds="b"))
    assert ward.shadow.is_over


def test_a_stream_that_has_nothing_to_lose_goes_over_at_once():
    ward = Ward(engine(ODD, warm_up_ticks=5))
    ward.apply(frame(0, 80))
    ward.start(another(ODD, warm_up_ticks=2))
    assert ward.shadow.is_over  # three frames to go, against five


def test_a_stream_that_is_discharged_is_waited_for_no_more():
    ward = Ward(engine(ODD))
    ward.apply(frame(0, 140))
    ward.start(another(ODD))
    before, after = (one.execute(Discharge("a"), NOW) for one in (ward.old, ward.shadow.new))
    (ended,) = ward.shadow.merged_events(before, after)
    assert (ended.alarm, ended.kind) == ("odd", "removed")
    ward.shadow.cut_over_ready()
    assert ward.shadow.is_over


def test_a_new_limit_counts_at_once_and_a_new_threshold_with_its_model():
    ward = Ward(engine(HIGH, ODD))
    ward.apply(frame(0, 110))
    ward.start(another(alarm("hr-high", Above(0, 100, 5)), alarm("odd", ScoreAbove(50)), warm_up_ticks=2))
    for second in range(1, 5):
        ward.apply(frame(second, 110))
    assert happened(ward.published) == [("a", "hr-high", "active", 1.0), ("a", "odd", "active", 4.0)]


def test_an_alarm_that_is_gone_ends_at_once_and_one_that_is_new_begins_in_the_new_engine():
    ward = Ward(engine(ODD))
    ward.apply(frame(0, 140))
    ward.start(another(alarm("extra", ScoreAbove(105)), warm_up_ticks=1))
    for second in range(1, 4):
        ward.apply(frame(second, 140))
    assert happened(ward.published)[:2] == [("a", "odd", "active", 0.0), ("a", "odd", "removed", 0.0)]
    assert happened(ward.published)[2:] == [("a", "extra", "active", 2.0)]


def test_both_are_counted():
    ward = Ward(engine(ODD))
    ward.apply(frame(0, 80, beds="ab"))
    ward.start(another(ODD, warm_up_ticks=0, step=doubling_step))
    shadow = ward.shadow
    before, after = ward.apply(frame(1, 80))
    assert shadow.onsets(before) == []
    assert shadow.onsets(after) == ["odd"]
    assert shadow.differences(before, after) == [pytest.approx(88.5)]  # 177 against 88.5


def test_silence_and_what_has_been_away_for_long_go_on():
    silent = alarm("silent", Silent(10 * S))
    ward = Ward(engine(NO_SPO2, silent))
    for second in range(8):
        ward.apply(Readings.of([("a", START + second * S, {"hr": 80.0})]), START + second * S)
    ward.start(another(NO_SPO2, silent), START + 8 * S)
    assert up(ward.shadow.new) == {"no-spo2": 1}
    ward.apply(Readings.of([]), START + 20 * S)
    ward.apply(frame(21, 80), START + 21 * S)
    assert happened(ward.published) == [
        ("a", "no-spo2", "active", 4.0),
        ("a", "silent", "active", 17.0),
        ("a", "no-spo2", "uncertain", 17.0),
        ("a", "silent", "inactive", 21.0),
        ("a", "no-spo2", "inactive", 21.0),
    ]


ALARMS = (HIGH, ODD, NO_SPO2, alarm("rising", Trend(0, 30, 10 * S, rising=True)))


@given(readings, st.integers(0, 40), st.integers(0, 40), st.sampled_from([0, 1.5]))
def test_going_back_before_anybody_has_gone_over_is_as_if_nothing_had_been(rows, first, second, lateness_s):
    def watching():
        return engine(*ALARMS, lateness_s=lateness_s, frame_timeout_s=10**9)

    whole, ward = watching(), Ward(watching())
    first, second = sorted((first, second))
    pieces = [batch(rows[:first]), batch(rows[first:second]), batch(rows[second:])]
    never = [whole.apply(piece, NOW) for piece in pieces]
    ward.apply(pieces[0])
    ward.start(another(*ALARMS, warm_up_ticks=10**6, lateness_s=lateness_s, frame_timeout_s=10**9))
    ward.apply(pieces[1])
    ward.back()
    ward.apply(pieces[2])
    assert sorted(happened(ward.published)) == sorted(happened(never))
    assert everything(ward.old) == everything(whole)


@given(readings, st.integers(0, 40), st.integers(0, 3), st.sampled_from([0, 1.5]), st.booleans())
def test_whatever_comes_conditions_begin_and_cease_in_turn_and_limits_know_of_no_model(
    rows, cut, warm_up_ticks, lateness_s, goes_back
):
    def watching():
        return engine(*ALARMS, lateness_s=lateness_s, frame_timeout_s=10**9)

    whole, ward = watching(), Ward(watching())
    pieces = [batch(rows[:cut]), *(batch([row]) for row in rows[cut:])]
    never = [whole.apply(piece, NOW) for piece in pieces]
    ward.apply(pieces[0])
    ward.start(
        another(*ALARMS, warm_up_ticks=warm_up_ticks, step=doubling_step, lateness_s=lateness_s, frame_timeout_s=10**9)
    )
    for n, piece in enumerate(pieces[1:]):
        if goes_back and n == len(pieces) // 2:
            ward.back()
        ward.apply(piece)
    holds = set()
    for result in ward.published:
        for change in result.events:
            key = change.stream, change.alarm
            assert (key in holds) == (change.kind != "active")
            holds = holds - {key} if change.kind == "inactive" else holds | {key}
    limits = [[entry for entry in happened(published) if entry[1] != "odd"] for published in (ward.published, never)]
    assert sorted(limits[0]) == sorted(limits[1])
    assert {name: column.tobytes() for name, column in _of_the_model(ward.old)} == {
        name: column.tobytes() for name, column in _of_the_model(whole)
    }


def _of_the_model(watched):
    columns = watched.export_streams().columns
    return [
        (name, columns[name])
        for name in ("state", "mean", "scale", "frame_count", "observed_tick", "truth", "condition_state")
    ]


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ({}, None),
        ({"period_ns": 2 * S}, "its period is another"),
        ({"channels": engine().watch.model.channels[:2]}, "its channels are others"),
    ],
)
def test_what_stands_in_the_way(model, why):
    assert obstacle(engine().watch.model, another(**model).watch.model) == why
    assert obstacle(engine().watch.model, engine().watch.model) == "it is the same model"


def test_a_model_whose_thresholds_are_adapted_takes_over_when_it_knows_what_is_usual():
    ward = Ward(engine(ODD))
    ward.apply(frame(0, 80))
    new = another(ODD, warm_up_ticks=1)
    like = Adaptation(middle=60.0, high=90.0, max_ratio=4.0, settle_ticks=5, step=0.01)
    ward.start(Engine(replace(new.watch, adaptation=like)))
    waited = []
    for second in range(1, 9):
        ward.apply(frame(second, 80))
        waited.append(not ward.shadow.is_over)
    assert waited == [True] * 5 + [False] * 3  # one frame to warm up, five scores to settle
