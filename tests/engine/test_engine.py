"""The engine as an observer sees it: exact events for exact readings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from counting_watch import START, S, alarm, counting_step, engine, happened

from tocsin.engine import ReadingReject, Readings
from tocsin.engine.conditions.absent import Absent
from tocsin.engine.conditions.limit import Above, Below
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.conditions.silent import Silent
from tocsin.engine.lifecycle.commands import Standby

HR, SPO2, AGE, HOURS = range(4)


def reading(stream="bed", at=0.0, **values):
    return (stream, START + round(at * S), values)


def apply(watching, *readings, now=None):
    batch = Readings.of(readings)
    return watching.apply(batch, int(batch.t.max()) if now is None else START + round(now * S))


def let_pass(watching, *, until):
    return watching.apply(Readings.of([]), START + round(until * S))


def test_a_limit_raises_its_alarm_when_exceeded_and_clears_beyond_its_deadband():
    watching = engine(alarm("hr-high", Above(HR, 120, 5)))
    values = [100, 121, 119, 116, 115, 114.9, 100]
    results = [apply(watching, reading(at=k, hr=v, spo2=97)) for k, v in enumerate(values)]
    assert happened(results) == [("bed", "hr-high", "active", 1), ("bed", "hr-high", "inactive", 5)]
    raised = results[1].events[0]
    assert raised.report.reason == "hr 121 /min is above 120"
    assert raised.since == START + S


def test_a_low_limit_waits_for_its_on_delay():
    watching = engine(alarm("spo2-low", Below(SPO2, 90, 0), on_delay_s=3))
    results = [apply(watching, reading(at=k, hr=80, spo2=85)) for k in range(5)]
    assert happened(results) == [("bed", "spo2-low", "active", 3)]


def test_a_channel_not_measured_makes_its_limit_unknown_and_keeps_the_alarm():
    watching = engine(alarm("hr-high", Above(HR, 120, 0)), frame_timeout_s=0.5)
    results = [
        apply(watching, reading(at=0, hr=130, spo2=97)),
        apply(watching, reading(at=1, spo2=97)),
        apply(watching, reading(at=2, hr=131, spo2=97)),
        apply(watching, reading(at=3, hr=90, spo2=97)),
    ]
    assert happened(results) == [
        ("bed", "hr-high", "active", 0),
        ("bed", "hr-high", "uncertain", 1),
        ("bed", "hr-high", "certain", 2),
        ("bed", "hr-high", "inactive", 3),
    ]


def test_the_score_names_its_channels():
    watching = engine(alarm("odd", ScoreAbove(95)))
    apply(watching, reading(at=0, hr=80, spo2=97))
    (change,) = apply(watching, reading(at=1, hr=130, spo2=97)).events
    assert change.report.score == 113.5
    assert change.report.reason == "score 114, threshold 95: hr 130 /min (expected 80 ± 1); spo2 97 % (expected 97 ± 1)"
    assert change.report.model == "counting/1 000000000000"
    assert [e.channel for e in change.report.evidence] == ["hr", "spo2"]


def test_while_warming_up_the_score_is_unknown_and_limits_work():
    watching = engine(alarm("odd", ScoreAbove(95)), alarm("hr-high", Above(HR, 120, 0)), warm_up_ticks=2)
    results = [apply(watching, reading(at=k, hr=130, spo2=97)) for k in range(4)]
    assert happened(results) == [("bed", "hr-high", "active", 0), ("bed", "odd", "active", 2)]
    assert np.isnan(results[0].steps[0].score).all()


def test_silence_raises_its_alarm_once_and_makes_active_conditions_uncertain():
    watching = engine(alarm("hr-high", Above(HR, 120, 0)), alarm("silent", Silent(10 * S)))
    results = [apply(watching, reading(at=0, hr=130, spo2=97), now=0)]
    results += [let_pass(watching, until=k) for k in (5, 9.5, 17, 18)]
    results.append(apply(watching, reading(at=20, hr=80, spo2=97), now=20))
    assert happened(results) == [
        ("bed", "hr-high", "active", 0),
        ("bed", "silent", "active", 10),
        ("bed", "hr-high", "uncertain", 10),
        ("bed", "silent", "inactive", 20),
        ("bed", "hr-high", "inactive", 20),
    ]


def stale(watching, *streams, now):
    return watching.mark_stale(streams, START + round(now * S))


def test_a_stream_whose_source_is_gone_is_silent_at_once_and_what_was_up_uncertain():
    watching = engine(alarm("hr-high", Above(HR, 120, 0)), alarm("silent", Silent(10 * S)))
    results = [apply(watching, reading(at=0, hr=130, spo2=97), reading("other", at=0, hr=130, spo2=97), now=0)]
    results.append(stale(watching, "bed", "absent", "bed", now=1))
    assert results[-1].events[0].report.reason == "its source says that it is gone"
    assert results[-1].events[1].report.reason == "hr was above 120 /min and is not measured now"
    results += [stale(watching, "bed", now=2), apply(watching, reading("other", at=9, hr=130, spo2=97), now=9)]
    results.append(let_pass(watching, until=12))
    results.append(apply(watching, reading(at=14, hr=80, spo2=97), now=14))
    assert happened(results) == [
        ("bed", "hr-high", "active", 0),
        ("other", "hr-high", "active", 0),
        ("bed", "silent", "active", 0),
        ("bed", "hr-high", "uncertain", 0),
        ("bed", "silent", "inactive", 14),
        ("bed", "hr-high", "inactive", 14),
    ]
    assert [row is None for row in map(watching.table.row_of, ("bed", "other", "absent"))] == [False, False, True]


def test_what_was_measured_before_the_source_was_gone_is_judged_first():
    watching = engine(alarm("hr-high", Above(HR, 120, 0)), alarm("silent", Silent(10 * S)), lateness_s=2)
    results = [apply(watching, reading(at=k, hr=hr), now=k) for k, hr in ((0, 80), (1, 130))]
    assert happened(results) == []  # neither frame has closed
    results.append(stale(watching, "bed", now=1.5))
    results.append(let_pass(watching, until=9))
    assert happened(results) == [
        ("bed", "hr-high", "active", 1),
        ("bed", "silent", "active", 1),
        ("bed", "hr-high", "uncertain", 1),
    ]
    again = apply(watching, reading(at=1, hr=80), now=10)
    assert list(again.rejected) == [ReadingReject.LATE]
    assert happened([again]) == [("bed", "silent", "inactive", 1)]


def test_a_stream_that_is_silent_already_or_on_standby_is_not_lost():
    watching = engine(alarm("silent", Silent(10 * S)))
    apply(watching, reading(at=0, hr=80, spo2=97), reading("idle", at=0, hr=80, spo2=97), now=0)
    watching.execute(Standby("idle", None), START + S)
    assert happened([let_pass(watching, until=10)]) == [("bed", "silent", "active", 10)]
    assert happened([stale(watching, "bed", "idle", now=11)]) == []


def test_an_absent_channel_raises_its_alarm_while_the_others_continue():
    watching = engine(alarm("no-spo2", Absent(SPO2, 3 * S)))
    results = [apply(watching, reading(at=k, hr=80, **({} if 1 <= k < 6 else {"spo2": 97}))) for k in range(8)]
    # A frame that lacks an expected channel closes when the next tick begins.
    assert happened(results) == [("bed", "no-spo2", "active", 3), ("bed", "no-spo2", "inactive", 6)]


def test_readings_of_one_tick_share_a_frame_and_the_newest_value_stays():
    watching = engine()
    apply(watching, reading(at=0.1, hr=80), reading(at=0.6, hr=90), reading(at=0.3, hr=70))
    result = apply(watching, reading(at=0.9, spo2=97))
    (steps,) = result.steps
    assert steps.x[0, :2].tolist() == [90, 97]
    assert steps.t.tolist() == [START + round(0.9 * S)]


def test_a_complete_frame_closes_at_once_and_an_incomplete_one_lingers():
    watching = engine(frame_timeout_s=0.5)
    assert len(apply(watching, reading(at=0, hr=80, spo2=97)).steps) == 1
    assert apply(watching, reading(at=1, hr=80), now=1).steps == []
    assert let_pass(watching, until=1.4).steps == []
    (steps,) = let_pass(watching, until=1.5).steps
    assert steps.mask[0].tolist() == [1, 0, 0, 1]


def test_out_of_order_within_lateness_is_put_right():
    watching = engine(lateness_s=2)
    order = [0, 2, 1, 4, 3, 5, 6]
    results = [apply(watching, reading(at=k, hr=80 + k, spo2=97)) for k in order]
    seen = [(x - 80) for o in results for steps in o.steps for x in steps.x[:, HR]]
    assert seen == [0, 1, 2, 3, 4, 5, 6]
    assert not any(o.rejected for o in results)


def test_a_late_reading_and_a_doubled_one_are_refused_and_change_nothing():
    watching = engine()
    apply(watching, reading(at=5, hr=80, spo2=97))
    before = watching.table.state.copy()
    for again in (reading(at=5, hr=80, spo2=97), reading(at=3, hr=200, spo2=50)):
        result = apply(watching, again)
        assert result.rejected[ReadingReject.LATE].tolist() == [0]
        assert result.accepted == 0
    assert (watching.table.state == before).all()


def test_an_implausible_value_is_left_out_and_a_reading_of_nothing_else_makes_no_frame():
    watching = engine(frame_timeout_s=0.5)
    result = apply(watching, reading(at=0, hr=1e300, spo2=97), now=1)
    assert result.rejected[ReadingReject.IMPLAUSIBLE].tolist() == [0]
    (steps,) = let_pass(watching, until=2).steps
    assert steps.mask[0].tolist() == [0, 1, 0, 1]
    result = apply(watching, reading(at=1, hr=-1), now=3)
    assert result.accepted == 0
    assert let_pass(watching, until=9).steps == []


def test_a_reading_without_values_makes_a_frame():
    watching = engine(frame_timeout_s=0.5)
    apply(watching, reading(at=0))
    (steps,) = let_pass(watching, until=1).steps
    assert steps.mask[0].tolist() == [0, 0, 0, 1]
    assert np.isnan(steps.score).all()


def test_static_values_stay_and_make_no_frame():
    watching = engine()
    assert apply(watching, reading(at=0, age=71)).steps == []
    for k in (1, 2):
        (steps,) = apply(watching, reading(at=k, hr=80, spo2=97)).steps
        assert steps.x[0, AGE] == 71
        assert steps.mask[0, AGE] == 1


def test_the_clock_channel_counts_hours_from_the_first_frame():
    watching = engine(max_gap_ticks=10**6)
    apply(watching, reading(at=0, hr=80, spo2=97))
    (steps,) = apply(watching, reading(at=5400, hr=80, spo2=97)).steps
    assert steps.x[0, HOURS] == 1.5


def test_delta_counts_from_the_last_observation_and_is_capped():
    deltas = []

    def step(x, mask, delta, state):
        deltas.append(delta[0, :2].tolist())
        return counting_step(x, mask, delta, state)

    watching = engine(step=step, frame_timeout_s=0)
    for k, values in ((0, {"hr": 80}), (1, {"hr": 80}), (4, {"hr": 80, "spo2": 97}), (5, {"spo2": 97}), (50, {})):
        apply(watching, reading(at=k, **values))
    assert deltas == [[0, 0], [1, 1], [3, 4], [1, 1], [30, 30]]


def test_a_long_gap_resets_the_state_and_warms_up_again():
    watching = engine(alarm("odd", ScoreAbove(50)), warm_up_ticks=1, max_gap_ticks=60)
    for k in (0, 1, 61):
        apply(watching, reading(at=k, hr=80, spo2=97))
    assert watching.table.state[0, 0] == 3
    (steps,) = apply(watching, reading(at=122, hr=80, spo2=97)).steps
    assert watching.table.state[0, 0] == 1
    assert np.isnan(steps.score[0])


def test_more_streams_than_allowed_are_refused_and_the_others_go_on():
    watching = engine(max_streams=2)
    result = apply(watching, *(reading(f"bed-{k}", hr=80, spo2=97) for k in range(4)))
    assert result.rejected[ReadingReject.TOO_MANY_STREAMS].tolist() == [2, 3]
    assert result.accepted == 2


def test_an_event_has_the_labels_that_came_with_the_readings():
    watching = engine(alarm("hr-high", Above(HR, 120, 0)))
    batch = Readings.of([reading("a", hr=130, spo2=97), reading("b", hr=130, spo2=97)])
    result = watching.apply(replace(batch, labels=[{"ward": "icu"}, {}]), START)
    assert [(change.stream, change.labels) for change in result.events] == [("a", {"ward": "icu"}), ("b", {})]


def test_labels_that_one_topic_gives_stay_when_another_of_the_stream_gives_fewer():
    watching = engine(alarm("hr-high", Above(HR, 120, 0)))
    for k, labels in enumerate([{"ward": "icu", "bed": "7"}, {"bed": "7"}, {"ward": "er"}]):
        batch = Readings.of([reading("a", k, hr=80, spo2=97)])
        watching.apply(replace(batch, labels=[labels]), START)
        assert watching.table.labels[0] == {"ward": "er" if k == 2 else "icu", "bed": "7"}
