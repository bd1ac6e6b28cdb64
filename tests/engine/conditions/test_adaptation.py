"""Thresholds follow a stream's own score within bounds and stand still while an alarm is up; drift shows."""

from __future__ import annotations

import json

import numpy as np
from counting_watch import START, S, alarm, engine, happened
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.engine import Readings
from tocsin.engine.conditions.adaptation import Adaptation
from tocsin.engine.conditions.combination import AllOf
from tocsin.engine.conditions.drift import Drift
from tocsin.engine.conditions.limit import Above
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.events import ConditionEventKind
from tocsin.engine.lifecycle.commands import ResetStream
from tocsin.engine.streams.overrides import Override
from tocsin.engine.streams.state import StreamState
from tocsin.engine.types import Truth

MIDDLE, HIGH, THRESHOLD = 18.0, 30.0, 60.0
FAST = Adaptation(middle=MIDDLE, high=HIGH, max_ratio=3.0, settle_ticks=200, step=0.001)
ODD = alarm("odd", ScoreAbove(THRESHOLD))
CREEPS = alarm("creeps", Drift(noise=0.5, slack=1.0, limit=0.1, settle_ns=300 * S))


def at(second):
    return START + second * S


def play(watching, scores, begin=0):
    """Let streams have these scores, a second after another: {stream: [score, …]}."""
    results = []
    for i in range(max(len(series) for series in scores.values())):
        rows = [(name, float(series[i])) for name, series in scores.items() if i < len(series)]
        readings = Readings.of([(name, at(begin + i), scoring(score)) for name, score in rows])
        results.append(watching.apply(readings, at(begin + i)))
    return results


def scoring(score):
    """What a stream must read to have this score: the mean of both."""
    spo2 = min(score, 100.0)
    return {"hr": 2 * score - spo2, "spo2": spo2}


def baseline(watching, stream):
    """The middle and the high quantile of a stream, and from how many scores they are known."""
    row = watching.table.row_of(stream)
    return [*watching.table.score_quantiles[row].tolist(), int(watching.table.score_count[row])]


def onsets(results):
    return [change.stream for result in results for change in result.events if change.kind is ConditionEventKind.ACTIVE]


def test_a_stream_with_scores_twice_as_high_raises_about_as_many_alarms():
    rng = np.random.default_rng(1)
    scores = {}
    for n in range(8):
        normal = MIDDLE * np.exp(0.4 * rng.standard_normal((2, 1200)))  # nine in ten lie below HIGH
        scores[f"normal-{n}"], scores[f"twice-{n}"] = np.minimum(normal[0], 190), np.minimum(2 * normal[1], 190)
    counts = {}
    for adaptation in (None, FAST):
        watching = engine(alarm("odd", ScoreAbove(1.4 * HIGH)), adaptation=adaptation)
        play(watching, {name: series[:600] for name, series in scores.items()})
        began = onsets(play(watching, {name: series[600:] for name, series in scores.items()}, 600))
        counts[adaptation is None] = [sum(name.startswith(kind) for name in began) for kind in ("normal", "twice")]
    normal, twice = counts[True]
    assert twice > 10 * normal
    normal, twice = counts[False]
    assert normal / 2 <= twice <= 2 * normal


def test_a_stream_above_the_threshold_from_its_beginning_raises_no_alarm_until_it_departs():
    rng = np.random.default_rng(2)
    score = 80.0 * np.exp(0.02 * rng.standard_normal(600))
    assert onsets(play(engine(ODD), {"a": score})) == ["a"]
    watching = engine(ODD, adaptation=FAST)
    assert onsets(play(watching, {"a": score})) == []
    results = play(watching, {"a": [130.0] * 5}, 600)
    assert happened(results) == [("a", "odd", "active", 600.0)]
    reason = next(change.report.reason for result in results for change in result.events)
    assert reason.startswith("score 130, threshold 8")
    assert "(the stream's own, 1." in reason
    assert "times 60)" in reason


def test_while_a_stream_settles_a_score_between_the_bounds_is_unknown_and_one_above_raises_an_alarm():
    watching = engine(ODD, adaptation=FAST)
    truths = []
    for second, score in enumerate([59.0, 100.0, 179.0, 181.0]):
        play(watching, {"a": [score]}, second)
        truths.append(Truth(int(watching.table.truth[watching.table.row_of("a"), 0])))
    assert truths == [Truth.FALSE, Truth.UNKNOWN, Truth.UNKNOWN, Truth.TRUE]


def test_a_reason_says_that_what_is_usual_is_not_known_yet():
    watching = engine(ODD, adaptation=FAST)
    (began,) = [change for result in play(watching, {"a": [181.0]}) for change in result.events]
    assert began.report.reason.startswith(
        "score 181, threshold 180 (the score quantiles of the stream aren't known yet: 3 times 60)"
    )
    assert began.report.explanation.threshold == 180.0
    (uncertain,) = [change for result in play(watching, {"a": [100.0]}, 1) for change in result.events]
    assert (uncertain.kind, uncertain.report.reason) == (
        ConditionEventKind.UNCERTAIN,
        "score 100 is above 60, and the score quantiles of the stream aren't known yet",
    )


def test_an_excursion_while_a_stream_settles_does_not_keep_it_from_settling():
    watching = engine(ODD, adaptation=FAST)
    play(watching, {"a": [181.0] + [100.0] * 60})
    assert baseline(watching, "a")[2] == 60
    results = play(watching, {"a": [100.0] * 150}, 61)
    assert [change.kind for result in results for change in result.events] == [ConditionEventKind.INACTIVE]


def test_a_quiet_stream_is_not_made_to_ring_more_often():
    watching = engine(ODD, adaptation=FAST)
    assert onsets(play(watching, {"quiet": [1.0] * 500 + [59.0] * 2})) == []
    assert onsets(play(watching, {"quiet": [60.0]}, 502)) == ["quiet"]


def test_a_threshold_rises_no_further_than_it_may():
    watching = engine(alarm("odd", ScoreAbove(55.0)), adaptation=FAST)
    assert onsets(play(watching, {"loud": [164.0] * 300 + [166.0]})) == ["loud"]


def test_quantiles_stand_still_while_an_alarm_is_up():
    watching = engine(ODD, warm_up_ticks=2, max_gap_ticks=10, adaptation=FAST)
    play(watching, {"a": [55.0] * 220})
    before = baseline(watching, "a")
    assert before[2] == 218  # the score of the first two frames is unknown
    assert onsets(play(watching, {"a": [179.0] * 100}, 220)) == ["a"]
    assert baseline(watching, "a") == before
    play(watching, {"a": [55.0] * 2}, 400)  # after a gap the score is unknown, and warms up
    assert baseline(watching, "a") == before
    play(watching, {"a": [55.0]}, 402)
    assert baseline(watching, "a")[2] == 219


def test_a_member_of_a_combination_is_judged_by_the_streams_own_threshold():
    both = alarm("both", AllOf((ScoreAbove(THRESHOLD), Above(0, 20.0, 0.0))))
    watching = engine(both, adaptation=FAST)
    assert onsets(play(watching, {"a": [100.0] * 300})) == []
    assert onsets(play(engine(both), {"a": [100.0] * 300})) == ["a"]


def test_a_threshold_that_a_stream_has_by_its_name_is_adapted_from_there():
    other = Override(("a",), limits={"odd": 40.0}, profile={})
    watching = engine(ODD, adaptation=FAST, overrides=(other,))
    assert onsets(play(watching, {"a": [119.0] * 300, "b": [119.0] * 300})) == []
    assert onsets(play(watching, {"a": [121.0], "b": [121.0]}, 300)) == ["a"]  # three times 40 is the most


def test_a_stream_may_be_left_out_by_its_name():
    watching = engine(ODD, adaptation=FAST, overrides=(Override(("a",), limits={}, profile={}, adapts=False),))
    results = play(watching, {"a": [80.0] * 300, "b": [80.0] * 300})
    assert happened(results) == [("a", "odd", "active", 0.0)]
    (began,) = [change for result in results for change in result.events]
    assert began.report.reason.startswith("score 80, threshold 60: ")


def test_a_reset_forgets_the_quantiles():
    watching = engine(ODD, CREEPS, adaptation=FAST)
    play(watching, {"a": [55.0] * 130})
    assert baseline(watching, "a")[2] == 130
    watching.execute(ResetStream("a"), at(131))
    assert baseline(watching, "a")[2] == 0
    assert np.isnan(watching.table.condition_state[watching.table.row_of("a")]).all()


def test_a_reprocessed_frame_moves_the_quantiles_once():
    watching = engine(ODD, adaptation=FAST, reprocess_late_ticks=5)
    play(watching, {"a": [55.0] * 4})
    before = baseline(watching, "a")
    result = watching.apply(Readings.of([("a", at(1) + 1, {"hr": 58.0, "spo2": 58.0})]), at(4))
    assert result.reprocessed == 1
    assert baseline(watching, "a") == before


def test_drift_shows_what_adaptation_would_absorb():
    """The score doubles within some twenty minutes. The adapted threshold goes with it; the sum does not."""
    score = 24.0 * np.exp(np.linspace(0.0, 1.1, 1500))  # to 72
    scores = {"worse": np.concatenate([np.full(300, 24.0), score]), "well": np.full(1800, 24.0)}
    assert happened(play(engine(ODD), scores)) == [("worse", "odd", "active", 1549.0)]
    assert happened(play(engine(ODD, adaptation=FAST), scores)) == []
    watching = engine(ODD, CREEPS, adaptation=FAST)
    results = play(watching, scores)
    assert happened(results) == [("worse", "creeps", "active", 1682.0)]
    reason = next(change.report.reason for result in results for change in result.events)
    assert "drifted up from 24, where the stream began" in reason
    back = play(watching, {"worse": np.full(900, 24.0)}, 1800)
    assert [(c.alarm, c.kind) for o in back for c in o.events] == [("creeps", ConditionEventKind.INACTIVE)]


def test_drift_is_not_judged_before_the_stream_has_a_beginning():
    results = play(engine(CREEPS), {"a": np.linspace(1.0, 190.0, 299)})
    assert happened(results) == []


rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 60), st.sampled_from([12.0, 36.0, 54.0, 84.0, 190.0])),
    max_size=60,
)
BRISK = alarm("creeps", Drift(noise=0.5, slack=0.5, limit=0.002, settle_ns=5 * S))


def readings(given_rows):
    return Readings.of([(stream, at(second), scoring(score)) for stream, second, score in given_rows])


def bits(watching):
    memory = watching.export_streams(sorted(watching.table.names))
    return {
        name: memory.columns[name].tobytes()
        for name in ("score_quantiles", "score_count", "condition_state", "delay_state", "truth_since")
    }


@given(rows, st.lists(st.integers(0, 60)), st.sampled_from([0, 5]))
@settings(deadline=None, max_examples=30)
def test_quantiles_do_not_depend_on_the_cut_into_batches(given_rows, cuts, reprocess_late_ticks):
    given_rows.sort(key=lambda row: row[1])
    runs = []
    for bounds in ([], sorted(cuts)):
        watching = engine(ODD, BRISK, adaptation=FAST, reprocess_late_ticks=reprocess_late_ticks, frame_timeout_s=10**6)
        pieces = [given_rows[a:b] for a, b in zip([0, *bounds], [*bounds, len(given_rows)], strict=True)]
        results = [watching.apply(readings(piece), at(1000)) for piece in pieces]
        runs.append((sorted(happened(results)), bits(watching)))
    assert runs[0] == runs[1]


@given(rows, st.integers(0, 60))
@settings(deadline=None, max_examples=30)
def test_an_imported_stream_continues_with_its_quantiles(given_rows, cut):
    given_rows.sort(key=lambda row: row[1])
    whole, first, second = (engine(ODD, BRISK, adaptation=FAST) for _ in range(3))
    for watching in (whole, first):
        watching.apply(readings(given_rows[:cut]), at(1000))
    memory = first.export_streams()
    memory = StreamState(json.loads(json.dumps(memory.meta)), {n: np.array(c) for n, c in memory.columns.items()})
    second.import_streams(memory, at(1000))
    assert bits(second)["score_quantiles"] == bits(whole)["score_quantiles"]
    rest = readings(given_rows[cut:])
    whole.apply(rest, at(1001))
    second.apply(rest, at(1001))
    assert bits(second)["score_quantiles"] == bits(whole)["score_quantiles"]
    assert bits(second)["condition_state"] == bits(whole)["condition_state"]
