"""Each kind of condition on a small stream: exact changes, and what they say."""

from __future__ import annotations

import numpy as np
import pytest
import toy_bundle
from counting_watch import AGE, HR, SPO2, START, S, alarm, engine, happened
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.bundle import load
from tocsin.engine import Engine, EventClock, FrameClock, Readings, Watch
from tocsin.engine.conditions.absent import Absent
from tocsin.engine.conditions.base import Truth
from tocsin.engine.conditions.combination import AllOf, AnyOf, all_of, any_of
from tocsin.engine.conditions.flatline import Flatline
from tocsin.engine.conditions.forecast import Forecast
from tocsin.engine.conditions.implausible import Implausible
from tocsin.engine.conditions.limit import Above, Below
from tocsin.engine.conditions.news2 import EarlyWarning
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.conditions.silent import Silent
from tocsin.engine.conditions.trend import Trend


def play(watching, frames, *, stream="bed"):
    """One reading a second; a frame is channel → value."""
    rows = [(stream, START + k * S, values) for k, values in enumerate(frames) if values is not None]
    return [EventClock(watching).apply(Readings.of(rows))]


def reasons(results):
    return [change.report.reason for result in results for change in result.events]


def pulse(*values):
    return [{"hr": value, "spo2": 97} for value in values]


# Rates of change.


def test_a_channel_that_rises_fast_rings_and_one_that_rises_slowly_does_not():
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
    watching = engine(alarm("hr-rises", Trend(HR, 20, 20 * S, rising=True)), linger_s=0)
    frames = [{"hr": 80 + 10 * k, "spo2": 97} for k in range(12)] + [{"spo2": 97}] * 2
    assert happened(play(watching, frames)) == [("bed", "hr-rises", "active", 11), ("bed", "hr-rises", "uncertain", 12)]


# The early warning score.

VITALS = EarlyWarning(
    at_least=5,
    single=False,
    parameter_channels=(None, SPO2, None, None, HR, None, None),
    constants=(None, None, None, None, None, None, None),
    scale=1,
    scale_channel=None,
    max_age_ns=10 * S,
)


def changed(**values):
    return EarlyWarning(**{name: getattr(VITALS, name) for name in VITALS.__dataclass_fields__} | values)


def test_the_early_warning_score_rings_by_its_lower_bound_and_says_so():
    watching = engine(alarm("news2", VITALS))
    results = play(watching, [{"hr": 80, "spo2": 97}, {"hr": 115, "spo2": 91}, {"hr": 95, "spo2": 97}])
    assert happened(results) == [("bed", "news2", "active", 1), ("bed", "news2", "inactive", 2)]
    unknown = "respiration, oxygen, systolic, alert, temperature"
    assert reasons(results) == [
        f"NEWS2 at least 5: spo2 3, pulse 2; without {unknown}",
        f"NEWS2 at least 1, no longer calls for a response; without {unknown}",
    ]


def test_three_points_in_one_parameter_ring_where_they_are_asked_for():
    watching = engine(alarm("five", VITALS), alarm("single", changed(single=True)))
    results = play(watching, [{"hr": 80, "spo2": 90}])
    assert happened(results) == [("bed", "single", "active", 0)]
    assert reasons(results)[0].startswith("NEWS2 at least 3 (3 in one): spo2 3; without ")


def test_what_holds_for_everybody_counts():
    on_oxygen = changed(constants=(None, None, 1.0, None, None, 1.0, None), at_least=4)
    watching = engine(alarm("news2", on_oxygen))
    results = play(watching, [{"hr": 80, "spo2": 93}])
    assert reasons(results) == ["NEWS2 at least 4: spo2 2, oxygen 2; without respiration, systolic, temperature"]


def test_the_scale_can_be_the_patients_own():
    """The toy has one static channel; here it says the scale."""
    watching = engine(alarm("news2", changed(single=True, scale_channel=AGE)))
    rows = [("one", START, {"age": 1}), ("two", START, {"age": 2})]
    rows += [(bed, START, {"hr": 80, "spo2": 90}) for bed in ("one", "two")]
    assert happened([watching.apply(Readings.of(rows), START)]) == [("one", "news2", "active", 0)]


def test_a_profile_says_what_no_channel_does():
    """A person set it for one bed; what is configured holds for the other."""
    watching = engine(alarm("news2", changed(at_least=4, constants=(None, None, 0.0, None, None, 1.0, None))))
    watching.table.rows(["one", "two"])
    watching.table.profile[1] = [2, 1, np.nan]
    rows = [(bed, START, {"hr": 95, "spo2": 94}) for bed in ("one", "two")]
    (change,) = watching.apply(Readings.of(rows), START).events
    assert change.stream == "two"
    assert change.report.reason.startswith("NEWS2 at least 4: oxygen 2, spo2 1, pulse 1; without")


def test_the_last_values_count_until_they_are_too_old_and_then_nothing_clears():
    watching = engine(alarm("news2", changed(at_least=3)), linger_s=0)
    low = {"hr": 115, "spo2": 93}
    only_pulse = [{"hr": 80}] * 12
    results = play(watching, [low, *only_pulse, {"hr": 80, "spo2": 97}])
    # From second 1 on the pulse gives none of the 4 points. SpO2's 2 are too few, and known for 10 s.
    assert happened(results) == [("bed", "news2", "active", 0), ("bed", "news2", "inactive", 1)]

    watching = engine(alarm("news2", changed(at_least=3)), linger_s=0)
    results = play(watching, [{"hr": 80, "spo2": 90}, *only_pulse, {"hr": 80, "spo2": 97}])
    assert happened(results) == [
        ("bed", "news2", "active", 0),
        ("bed", "news2", "uncertain", 11),
        ("bed", "news2", "inactive", 13),
    ]
    assert reasons(results)[1] == "NEWS2 is unknown now: no recent spo2"


def test_a_missing_value_that_could_not_reach_the_score_does_not_keep_it_unknown():
    watching = engine(alarm("news2", changed(at_least=5)), linger_s=0)
    results = play(watching, [{"hr": 115, "spo2": 91}, {"hr": 80, "spo2": 91}, *[{"hr": 80}] * 20])
    assert happened(results) == [("bed", "news2", "active", 0), ("bed", "news2", "inactive", 1)]


# Forecasts.


def seq2seq(tmp_path, *alarms):
    bundle = load(toy_bundle.write_seq2seq(tmp_path / "toy"))
    return Engine(Watch(bundle.model, alarms, FrameClock(lateness_ns=0, frame_timeout_ns=S), max_streams=10))


def test_a_forecast_rings_by_the_chance_that_the_limit_is_crossed(tmp_path):
    """The toy's maximum has its median where the value is, and its 90 % quantile 5 above."""
    watching = seq2seq(tmp_path, alarm("hr-will-rise", Forecast(0, 120, rising=True, probability=0.3)))
    results = play(watching, pulse(100, 117, 118, 121, 110))
    assert happened(results) == [("bed", "hr-will-rise", "active", 2), ("bed", "hr-will-rise", "inactive", 4)]
    assert reasons(results) == [
        "hr above 120 /min within 3 s: p = 0.34, now 118",
        "hr above 120 /min within 3 s: p = 0.0018, back below 0.3",
    ]
    assert results[0].events[0].report.model.startswith("toy/1 ")


def test_a_forecast_of_a_fall_asks_for_the_minimum(tmp_path):
    watching = seq2seq(tmp_path, alarm("spo2-will-fall", Forecast(1, 90, rising=False, probability=0.4)))
    frames = [{"hr": 80, "spo2": value} for value in (99, 90, 88)]
    assert happened(play(watching, frames)) == [("bed", "spo2-will-fall", "active", 1)]


def test_a_model_without_quantiles_knows_of_no_crossing():
    watching = engine(alarm("hr-will-rise", Forecast(HR, 120, rising=True, probability=0.3)))
    assert happened(play(watching, pulse(200, 200))) == []


# A stream's own limits.


def test_a_streams_own_limit_holds_for_it_alone():
    watching = engine(alarm("hr-high", Above(HR, 120, 0)), alarm("spo2-low", Below(SPO2, 90, 0)))
    watching.table.rows(["athlete", "other"])
    watching.table.stream_limit[0] = [np.nan, 85]
    for bed in ("athlete", "other"):
        results = play(watching, [{"hr": 80, "spo2": 88}], stream=bed)
        assert happened(results) == ([] if bed == "athlete" else [("other", "spo2-low", "active", 0)])
    results = play(watching, [None, {"hr": 80, "spo2": 84}], stream="athlete")
    assert reasons(results) == ["spo2 84 % is below 85"]


# Faults of the measurement.


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
    watching = engine(alarm("still", Flatline(HR, 0, 6 * S)), linger_s=0)
    frames = [{"hr": 80, "spo2": 97} if k % 5 == 0 else {"spo2": 97} for k in range(20)]
    assert happened(play(watching, frames)) == []


def test_nothing_but_implausible_values_is_told_and_makes_no_value():
    watching = engine(alarm("hr-broken", Implausible(HR, 3 * S)), alarm("hr-high", Above(HR, 120, 0)), linger_s=0)
    results = play(watching, pulse(80, 900, 900, 900, 900, 900, 80))
    assert happened(results) == [("bed", "hr-broken", "active", 4), ("bed", "hr-broken", "inactive", 6)]
    assert reasons(results) == ["hr outside 0 to 300 /min for 3 s or longer", "hr is plausible again"]


def test_a_plausible_value_now_and_then_is_enough():
    watching = engine(alarm("hr-broken", Implausible(HR, 3 * S)), linger_s=0)
    assert happened(play(watching, pulse(900, 900, 80, 900, 900, 900, 80, 900))) == []


def test_a_sensor_that_flips_between_plausible_and_implausible_values_is_told_by_their_share():
    watching = engine(alarm("hr-flickers", Implausible(HR, 10 * S, 0.4)), linger_s=0)
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
    watching = engine(alarm("hr-flickers", Implausible(HR, 10 * S, 0.4)), linger_s=0)
    frames = [{"hr": 900 if k % 4 == 0 else 80, "spo2": 97} if k % 2 == 0 else {"spo2": 97} for k in range(20)]
    turns = [(kind, at) for _, _, kind, at in happened(play(watching, frames))]
    assert turns[:2] == [("active", 6), ("uncertain", 7)]  # 2 of 4 frames; the next one carries none
    assert "inactive" not in dict(turns)


def test_fewer_implausible_values_than_the_share_are_told_by_nobody():
    watching = engine(alarm("hr-flickers", Implausible(HR, 10 * S, 0.5)), linger_s=0)
    assert happened(play(watching, pulse(*[900, 80, 80] * 20))) == []


def test_a_share_is_unknown_until_half_the_time_has_been_seen():
    watching = engine(alarm("hr-flickers", Implausible(HR, 10 * S, 0.4)), linger_s=0)
    assert happened(play(watching, pulse(*[900] * 10))) == [("bed", "hr-flickers", "active", 5)]


def test_readings_of_which_nothing_is_plausible_are_told_too_and_are_no_silence():
    watching = engine(alarm("hr-broken", Implausible(HR, 3 * S)), alarm("silent", Silent(3 * S)), linger_s=0)
    results = play(watching, [{"hr": 80, "spo2": 97}, *[{"hr": 900}] * 6])
    assert happened(results) == [("bed", "hr-broken", "active", 4)]


def test_without_such_an_alarm_readings_of_which_nothing_is_plausible_are_as_good_as_none():
    watching = engine(alarm("silent", Silent(3 * S)), linger_s=0)
    assert happened(play(watching, [{"hr": 80, "spo2": 97}, *[{"hr": 900}] * 6])) == [("bed", "silent", "active", 3)]


# Combinations.


def test_all_of_needs_every_member_and_names_them():
    both = AllOf((Above(HR, 100, 0), Below(SPO2, 92, 1)))
    watching = engine(alarm("shock", both))
    frames = [{"hr": 110, "spo2": 97}, {"hr": 110, "spo2": 91}, {"hr": 110, "spo2": 92.5}, {"hr": 90, "spo2": 92.5}]
    results = play(watching, frames)
    assert happened(results) == [("bed", "shock", "active", 1), ("bed", "shock", "inactive", 3)]
    assert reasons(results) == [
        "hr 110 /min is above 100 and spo2 91 % is below 92",
        "hr 90 /min, no longer above 100",
    ]


def test_any_of_needs_one_and_names_it():
    watching = engine(alarm("either", AnyOf((Above(HR, 100, 0), Below(SPO2, 92, 0)))), linger_s=0)
    results = play(watching, [{"hr": 80, "spo2": 97}, {"hr": 80, "spo2": 91}, {"hr": 80}, {"hr": 110}, {"hr": 80}])
    assert happened(results) == [
        ("bed", "either", "active", 1),
        ("bed", "either", "uncertain", 2),
        ("bed", "either", "certain", 3),
        ("bed", "either", "uncertain", 4),
    ]
    assert reasons(results)[0] == "spo2 91 % is below 92"
    assert reasons(results)[2] == "hr 110 /min is above 100"


truths = st.lists(st.sampled_from(Truth), min_size=1, max_size=5)


@given(truths)
def test_the_logic_is_kleenes(given_truths):
    """As of the least and the greatest, with unknown between false and true."""
    rank = {Truth.FALSE: 0, Truth.UNKNOWN: 1, Truth.TRUE: 2}
    columns = [np.array([truth], dtype=np.int8) for truth in given_truths]
    assert rank[Truth(all_of(columns)[0])] == min(rank[truth] for truth in given_truths)
    assert rank[Truth(any_of(columns)[0])] == max(rank[truth] for truth in given_truths)


@given(truths, st.data())
def test_knowing_more_never_turns_what_was_known(given_truths, data):
    """Whatever an unknown member turns out to be, a judgement that was known stays."""
    settled = [data.draw(st.sampled_from([Truth.FALSE, Truth.TRUE])) if t is Truth.UNKNOWN else t for t in given_truths]
    for combine in (all_of, any_of):
        before, after = (
            combine([np.array([truth], dtype=np.int8) for truth in members])[0] for members in (given_truths, settled)
        )
        assert before in {Truth.UNKNOWN, after}


def test_what_is_technical_and_what_is_looked_at():
    assert AnyOf((Flatline(HR, 0, S), Absent(SPO2, S))).technical
    assert not AllOf((Flatline(HR, 0, S), Below(SPO2, 90, 0))).technical
    assert AllOf((Above(HR, 1, 0), Below(SPO2, 1, 0), Above(HR, 2, 0), ScoreAbove(1))).channels == (HR, SPO2)
    assert VITALS.channels == (SPO2, HR)


# All of them.

EVERY = (
    alarm("rises", Trend(HR, 10, 6 * S, rising=True), on_delay_s=1),
    alarm("news2", changed(at_least=3), off_delay_s=2),
    alarm("still", Flatline(SPO2, 1, 3 * S)),
    alarm("broken", Implausible(HR, 2 * S)),
    alarm("flickers", Implausible(HR, 4 * S, 0.4)),
    alarm("any", AnyOf((Above(HR, 100, 5), Below(SPO2, 92, 1), Absent(SPO2, 3 * S)))),
)
values = st.fixed_dictionaries(
    {}, optional={"hr": st.sampled_from([60.0, 95.0, 120.0, 135.0, 900.0]), "spo2": st.sampled_from([89.0, 93.0, 97.0])}
)
readings = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 30), values), max_size=40)


@settings(max_examples=40)
@given(readings, st.lists(st.integers(1, 6), max_size=40))
def test_no_condition_depends_on_the_cut_into_batches_or_on_other_streams(rows, sizes):
    rows = [(stream, START + tick * S // 2, by_channel) for stream, tick, by_channel in rows]
    whole, cut = engine(*EVERY, linger_s=1.5), engine(*EVERY, linger_s=1.5)
    at_once = [EventClock(whole).apply(Readings.of(rows))]
    clock, pieces, rest = EventClock(cut), [], rows
    for size in [*sizes, len(rows) or 1]:
        pieces.append(clock.apply(Readings.of(rest[:size])))
        rest = rest[size:]

    def of_stream(results):
        return sorted(happened(results), key=lambda entry: entry[0])

    assert of_stream(at_once) == of_stream(pieces)
    assert np.array_equal(whole.table.condition_state, cut.table.condition_state, equal_nan=True)


@pytest.mark.parametrize("name", [entry.name for entry in EVERY])
@settings(max_examples=20)
@given(rows=readings)
def test_what_is_unknown_clears_nothing(name, rows):
    """A condition only ceases in a frame in which it is judged false, and then off-delay later."""
    (entry,) = (entry for entry in EVERY if entry.name == name)
    watching = engine(entry, linger_s=0)
    clock = EventClock(watching)
    for stream, tick, by_channel in sorted(rows, key=lambda row: row[1]):
        result = clock.apply(Readings.of([(stream, START + tick * S // 2, by_channel)]))
        for change in result.events:
            if change.kind == "inactive":
                assert watching.table.truth[watching.table.names.index(change.stream), 0] == Truth.FALSE
