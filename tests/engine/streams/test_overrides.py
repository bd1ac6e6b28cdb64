"""Some streams are different by their names: limits, profiles, alarms that are off. The others are as ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
from counting_watch import START, S, alarm, counting_step, engine, happened
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine import Engine, EngineResult, Readings
from tocsin.engine.conditions.forecast import Forecast
from tocsin.engine.conditions.limit import Above, Below
from tocsin.engine.conditions.news2 import EarlyWarning
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.conditions.silent import Silent
from tocsin.engine.events import ConditionEventKind
from tocsin.engine.handover.migration import migrate
from tocsin.engine.handover.shadow import Shadow
from tocsin.engine.lifecycle.commands import (
    Admit,
    Discharge,
    ResetStream,
    Resume,
    SetLimit,
    SetProfile,
    Standby,
    StreamRefused,
    Transfer,
)
from tocsin.engine.streams.overrides import Override

NOW = START + 10**6 * S
HIGH = alarm("hr-high", Above(0, 120, 5))
LOW = alarm("spo2-low", Below(1, 90, 0))
ODD = alarm("odd", ScoreAbove(105))
SILENT = alarm("silent", Silent(10 * S))
AGE = 2
SPO2_POINTS = EarlyWarning(
    at_least=3,
    single=False,
    parameter_channels=(None, 1, None, None, None, None, None),
    constants=(None,) * 7,
    scale=1,
    scale_channel=None,
    max_age_ns=60 * S,
)


def override(streams, *, off=(), profile=None, **limits):
    patterns = (streams,) if isinstance(streams, str) else tuple(streams)
    return Override(patterns, {name.replace("_", "-"): v for name, v in limits.items()}, profile or {}, tuple(off))


CHILDREN = override("paediatric/*", hr_high=160, profile={"news2_scale": 2.0, "age": 4.0})
QUIET = override(["icu/3", "icu/4"], off=["odd"])


def at(second):
    return START + round(second * S)


def send(watching, *readings, now=None):
    """Each is (stream, second, hr)."""
    rows = [(stream, at(second), {"hr": float(hr), "spo2": 97.0}) for stream, second, hr in readings]
    batch = Readings.of(rows)
    return watching.apply(batch, int(batch.t.max()) if now is None else at(now))


def rates(stream, *hrs, first=0):
    return [(stream, first + i, hr) for i, hr in enumerate(hrs)]


def reported(result):
    return [(change.stream, change.alarm, change.kind.value, change.report.reason) for change in result.events]


def test_a_limit_holds_where_the_name_matches_and_the_reason_gives_it():
    watching = engine(HIGH, overrides=(CHILDREN,))
    result = send(watching, *rates("paediatric/a/1", 140, 161, 154), *rates("adult/1", 121, 114))
    assert reported(result) == [
        ("adult/1", "hr-high", "active", "hr 121 /min is above 120"),
        ("paediatric/a/1", "hr-high", "active", "hr 161 /min is above 160"),
        ("adult/1", "hr-high", "inactive", "hr 114 /min, no longer above 120"),
        ("paediatric/a/1", "hr-high", "inactive", "hr 154 /min, no longer above 160"),
    ]


def test_a_score_has_its_threshold_and_explains_itself_by_it():
    watching = engine(ODD, overrides=(override("a", odd=120),))
    began = send(watching, *rates("a", 130, 150), *rates("b", 130)).events
    assert [(change.stream, change.report.reason.split(":")[0]) for change in began] == [
        ("b", "score 114, threshold 105"),
        ("a", "score 124, threshold 120"),
    ]
    assert [change.report.explanation.threshold for change in began] == [105, 120]


def test_a_score_that_reaches_its_threshold_in_the_scores_own_digits_raises_the_alarm():
    """0.7 is less than that in float32, as scores are: both ways to write it raise alike."""
    for configured, overrides in ((0.7, ()), (0.7, (override("b", odd=9),)), (9, (override("a", odd=0.7),))):
        watching = engine(alarm("odd", ScoreAbove(configured)), overrides=overrides)
        result = watching.apply(Readings.of([("a", at(0), {"hr": 0.7, "spo2": 0.7})]), at(0))
        assert happened([result]) == [("a", "odd", "active", 0)]


def test_a_forecast_has_its_limit():
    def step(x, mask, delta, state):
        extremes = x[:, :, None] + (0, 5)
        return replace(counting_step(x, mask, delta, state), low=extremes, high=extremes)

    soon = alarm("soon", Forecast(0, 120, rising=True, probability=0.5))
    model = {"step": step, "quantiles": (0.1, 0.9), "horizon_ticks": 60}
    watching = engine(soon, overrides=(override("a", soon=160),), **model)
    result = send(watching, *rates("a", 140, 165), *rates("b", 140))
    assert [(change.stream, change.report.reason.split(":")[0]) for change in result.events] == [
        ("b", "hr above 120 /min within 60 s"),
        ("a", "hr above 160 /min within 60 s"),
    ]


def test_the_first_that_says_something_decides_key_by_key():
    watching = engine(
        HIGH,
        LOW,
        ODD,
        overrides=(
            override("icu/1", hr_high=130, profile={"age": 60.0}),
            override("*/2", spo2_low=85),
            override("icu/*", hr_high=140, spo2_low=80, off=["odd"], profile={"age": 50.0, "alert": 1.0}),
            override("*", odd=110, off=["hr-high"]),
        ),
    )
    places = {name: watching.table.overrides.of(name) for name in ("icu/1", "icu/2", "er/2")}
    nothing = pytest.approx(float("nan"), nan_ok=True)
    assert places["icu/1"].limit.tolist() == [130, 80, nothing]
    assert places["icu/2"].limit.tolist() == [140, 85, nothing]
    assert places["er/2"].limit.tolist() == [nothing, 85, 110]
    assert [place.off.tolist() for place in places.values()] == [
        [False, False, True],
        [False, False, True],
        [True, False, False],
    ]
    assert [place.static[AGE] for place in places.values()] == [60, 50, nothing]
    assert places["icu/1"].profile.tolist() == [nothing, nothing, 1]


@pytest.mark.parametrize(
    ("pattern", "matches", "misses"),
    [
        ("icu/*", ["icu/1", "icu/a/b", "icu/"], ["icu", "ICU/1", "north/icu/1"]),
        ("icu/1", ["icu/1"], ["icu/10", "xicu/1"]),
        ("*", ["icu/1", "x"], []),
        ("*/icu/*", ["north/icu/1"], ["icu/1"]),
    ],
)
def test_a_pattern_is_of_the_whole_name(pattern, matches, misses):
    overrides = engine(HIGH, overrides=(override(pattern, hr_high=130),)).table.overrides
    assert [name for name in matches + misses if overrides.of(name).limit[0] == 130] == matches


def test_an_alarm_that_is_off_is_never_judged():
    watching = engine(ODD, SILENT, HIGH, overrides=(override("icu/3", off=["odd", "silent"]),))
    results = [send(watching, *rates("icu/3", 200, 200), *rates("icu/5", 200)), watching.mark_stale(["icu/3"], at(2))]
    results.append(watching.apply(Readings.of([]), at(60)))
    of_it = [change for change in happened(results) if change[0] == "icu/3"]
    assert of_it == [("icu/3", "hr-high", "active", 0), ("icu/3", "hr-high", "uncertain", 1)]
    assert ("icu/5", "silent", "active", 10) in happened(results)


def test_a_profile_follows_from_the_name_until_the_stream_has_its_own():
    watching = engine(alarm("news2", SPO2_POINTS), overrides=(CHILDREN,))
    result = send(watching, *rates("paediatric/1", 80))  # SpO2 97 on air is 3 points on neither scale
    assert result.events == []
    low = Readings.of([(stream, at(1), {"hr": 80.0, "spo2": 90.0}) for stream in ("paediatric/1", "adult/1")])
    assert happened([watching.apply(low, at(1))]) == [("adult/1", "news2", "active", 1)]  # 88 to 92 is meant on scale 2
    watching.execute(SetProfile("paediatric/1", {"news2_scale": 1}), at(2))
    low = Readings.of([("paediatric/1", at(2), {"hr": 80.0, "spo2": 90.0})])
    assert happened([watching.apply(low, at(2))]) == [("paediatric/1", "news2", "active", 2)]


def test_the_model_is_given_the_age_by_the_name_and_the_patients_own_before_it():
    seen = []

    def step(x, mask, delta, state):
        seen.append((float(x[0, AGE]), float(mask[0, AGE])))
        return counting_step(x, mask, delta, state)

    watching = engine(HIGH, overrides=(CHILDREN,), step=step, reprocess_late_ticks=5)
    send(watching, *rates("paediatric/1", 80))
    send(watching, ("adult/1", 0, 80))
    watching.execute(SetProfile("paediatric/1", {"age": 7}), at(1))
    send(watching, *rates("paediatric/1", 80, first=1))
    watching.execute(SetProfile("paediatric/1", {"age": None}), at(2))
    send(watching, *rates("paediatric/1", 80, first=2))
    assert seen == [(4, 1), (0, 0), (7, 1), (4, 1)]


def test_a_frame_that_a_late_reading_makes_has_the_age_by_the_name():
    seen = []

    def step(x, mask, delta, state):
        seen.append((float(x[0, 0]), float(x[0, AGE])))
        return counting_step(x, mask, delta, state)

    watching = engine(HIGH, overrides=(CHILDREN,), step=step, reprocess_late_ticks=5)
    late = [Readings.of([("paediatric/1", at(second), {"hr": hr})]) for second, hr in ((5, 80.0), (3, 70.0))]
    for part in late:
        watching.apply(part, at(5))
    send(watching, *rates("paediatric/1", 90, first=6))
    assert seen == [(70, 4), (80, 4), (90, 4)]


@pytest.mark.parametrize("command", [ResetStream("paediatric/1"), Standby("paediatric/1")])
def test_overrides_outlast_what_ends_no_stay(command):
    watching = engine(HIGH, ODD, overrides=(CHILDREN, override("*", off=["odd"])))
    send(watching, *rates("paediatric/1", 150))
    watching.execute(command, at(1))
    if isinstance(command, Standby):
        watching.execute(Resume("paediatric/1"), at(1))
    assert reported(send(watching, *rates("paediatric/1", 150, 170, first=2))) == [
        ("paediatric/1", "hr-high", "active", "hr 170 /min is above 160")
    ]


def test_a_person_goes_before_an_override_and_that_before_what_is_configured():
    watching = engine(HIGH, overrides=(CHILDREN,))
    bed = "paediatric/1"

    def lowest_raising(second):
        """Lowest of these rates that raises an alarm now."""
        rising = [110, 125, 145, 165]
        changes = send(watching, *rates(bed, 60, *rising, 60, first=second)).events
        began = next((change for change in changes if change.kind is ConditionEventKind.ACTIVE), None)
        return None if began is None else rising[(began.t - at(second)) // S - 1]

    assert lowest_raising(0) == 165
    watching.execute(SetLimit(bed, "hr-high", 140), at(10))
    assert lowest_raising(10) == 145
    watching.execute(SetLimit(bed, "hr-high", None), at(20))
    assert lowest_raising(20) == 165
    watching.execute(SetLimit(bed, "hr-high", 140), at(30))
    watching.execute(Admit(bed), at(30))
    assert lowest_raising(31) == 165
    watching.execute(SetLimit(bed, "hr-high", 140), at(40))
    watching.execute(Discharge(bed), at(40))
    assert lowest_raising(41) == 165


def test_no_limit_is_set_for_an_alarm_that_is_off():
    watching = engine(HIGH, overrides=(override("bed", off=["hr-high"]),))
    send(watching, *rates("bed", 80))
    with pytest.raises(StreamRefused, match="stream 'bed': alarm 'hr-high' is off here"):
        watching.execute(SetLimit("bed", "hr-high", 100), at(1))
    watching.execute(SetLimit("bed", "hr-high", None), at(1))


def test_a_transfer_takes_what_a_person_set_along_and_leaves_what_the_place_gave():
    watching = engine(HIGH, LOW, ODD, overrides=(CHILDREN, override("adult/9", off=["odd"])))
    send(watching, *rates("paediatric/1", 150, 150))
    watching.execute(SetLimit("paediatric/1", "spo2-low", 98), at(2))
    watching.execute(Transfer("paediatric/1", "adult/9"), at(2))
    result = send(watching, *rates("adult/9", 150, first=3))
    assert reported(result) == [
        ("adult/9", "hr-high", "active", "hr 150 /min is above 120"),
        ("adult/9", "spo2-low", "active", "spo2 97 % is below 98"),
    ]
    watching.execute(Transfer("adult/9", "paediatric/2"), at(4))
    result = send(watching, *rates("paediatric/2", 150, first=4))
    assert [change.alarm for change in result.events] == ["spo2-low", "odd"]


def test_by_a_transfer_a_delay_begins_anew_only_where_the_limit_is_another():
    delayed = alarm("hr-high", Above(0, 120, 5), on_delay_s=3)
    for to, began in (("paediatric/1", 8), ("adult/2", 5)):
        watching = engine(delayed, overrides=(CHILDREN,))
        send(watching, *rates("adult/1", 170, 170, 170, 170, 170))
        watching.execute(Transfer("adult/1", to), at(5))
        assert happened([send(watching, *rates(to, *[170] * 6, first=5))]) == [(to, "hr-high", "active", began)]


def test_what_is_imported_comes_under_the_overrides_of_where_it_goes_on():
    there = engine(HIGH, ODD, overrides=(override("bed", hr_high=160, profile={"age": 4.0}),))
    here = engine(HIGH, ODD, overrides=(override("bed", off=["odd"]),))
    plain = engine(HIGH, ODD)
    send(there, *rates("bed", 150, 150))
    for watching in (here, plain):
        watching.import_streams(there.export_streams(["bed"]), at(2))
    raised = [
        [change.alarm for change in send(watching, *rates("bed", 150, first=2)).events] for watching in (here, plain)
    ]
    assert raised == [["hr-high"], ["hr-high", "odd"]]
    assert send(there, *rates("bed", 150, first=2)).events == []


def test_a_reload_puts_overrides_in_force_and_takes_them_away():
    before, after, last = engine(HIGH, ODD), engine(HIGH, ODD, overrides=(CHILDREN,)), engine(HIGH, ODD)
    results = [send(before, *rates("paediatric/1", 80, 80))]
    results.append(migrate(before, after, at(2)))
    results.append(send(after, *rates("paediatric/1", 100, 114, first=2)))  # scores up to 105.5
    results.append(send(after, *rates("paediatric/1", 90, 150, first=4)))
    results.append(migrate(after, last, at(6)))
    results.append(send(last, *rates("paediatric/1", 112, 121, 112, first=6)))
    assert [event for event in happened(results) if event[1] == "hr-high"] == [
        ("paediatric/1", "hr-high", "active", 7),
        ("paediatric/1", "hr-high", "inactive", 8),
    ]


def test_a_delay_begins_anew_under_another_limit_and_goes_on_under_the_same():
    delayed = alarm("hr-high", Above(0, 120, 5), on_delay_s=3)
    for limits, began in (((160, 165), 5), ((160, 160), 3), ((None, 165), 5), ((160, None), 5), ((None, None), 3)):
        watching = [engine(delayed, overrides=(override("a", hr_high=limit),) if limit else ()) for limit in limits]
        results = [send(watching[0], *rates("a", 170, 170))]
        results.append(migrate(*watching, at(2)))
        results.append(send(watching[1], *rates("a", *[170] * 6, first=2)))
        assert happened(results) == [("a", "hr-high", "active", began)], limits


def test_a_reload_that_turns_an_alarm_off_clears_it_and_says_so():
    before, after = (
        engine(HIGH, ODD, SILENT),
        engine(HIGH, ODD, SILENT, overrides=(override("a", off=["odd", "silent"]),)),
    )
    results = [send(before, *rates("a", 150), *rates("b", 150)), before.apply(Readings.of([]), at(11))]
    swapped = migrate(before, after, at(11))
    off = "the configuration changed: this alarm is off for this stream"
    assert reported(swapped) == [("a", "odd", "removed", off), ("a", "silent", "removed", off)]
    results = [send(after, *rates("a", 150, 80, first=12), *rates("b", 150, first=12))]
    assert [event for event in happened(results) if event[0] == "a"] == [
        ("a", "hr-high", "certain", 12),
        ("a", "hr-high", "inactive", 13),
    ]
    again = engine(HIGH, ODD, SILENT)
    assert reported(migrate(after, again, at(14))) == []
    assert [event[1:3] for event in happened([send(again, *rates("a", 150, first=14))])] == [
        ("hr-high", "active"),
        ("odd", "active"),
    ]


def another(*alarms, overrides=(), warm_up_ticks=2):
    at_work = engine(warm_up_ticks=warm_up_ticks).watch
    model = replace(at_work.model, version="2", sha256="1" * 64)
    return Engine(replace(at_work, model=model, alarms=alarms, overrides=overrides))


def both(shadow, *readings):
    """Give both engines readings; what people hear."""
    before, after = send(shadow.old, *readings), send(shadow.new, *readings)
    changes = shadow.merged_events(before, after)
    shadow.cut_over_ready()
    return reported(EngineResult(NOW, events=changes))


def test_an_alarm_that_a_new_model_comes_with_off_is_silent_from_the_reload_on_and_back_by_a_rollback():
    old, new = engine(HIGH, ODD), another(HIGH, ODD, overrides=(override("a", off=["odd"]),))
    send(old, *rates("a", 150))
    shadow, result = Shadow.start(old, new, at(1))
    assert [entry[:3] for entry in reported(result)] == [("a", "odd", "removed")]
    for second in range(1, 3):
        assert both(shadow, ("a", second, 80 if second == 1 else 150)) == [
            ("a", "hr-high", "inactive", "hr 80 /min, no longer above 120")
            if second == 1
            else ("a", "hr-high", "active", "hr 150 /min is above 120")
        ]
    for second in range(3, 6):  # the new model knows its score by now
        assert both(shadow, ("a", second, 150)) == []
    assert shadow.is_over
    assert shadow.roll_back(at(6)) == []
    assert [entry[1:3] for entry in reported(send(old, *rates("a", 150, first=6)))] == [("odd", "active")]


def test_a_rollback_amid_the_warm_up_brings_an_alarm_back_that_the_new_model_has_off():
    old, new = engine(HIGH, ODD), another(HIGH, ODD, overrides=(override("a", off=["odd"]),))
    send(old, *rates("a", 150))
    shadow, _ = Shadow.start(old, new, at(1))
    assert both(shadow, ("a", 1, 150)) == []
    assert not shadow.is_over
    assert shadow.roll_back(at(2)) == []
    assert [entry[1:3] for entry in reported(send(old, *rates("a", 150, first=2)))] == [("odd", "active")]


def test_a_rollback_to_where_an_alarm_is_off_clears_it():
    old, new = engine(HIGH, ODD, overrides=(override("a", off=["odd", "hr-high"]),)), another(HIGH, ODD)
    send(old, *rates("a", 150))
    shadow, _ = Shadow.start(old, new, at(1))
    published = [entry[1:3] for second in range(1, 6) for entry in both(shadow, ("a", second, 150))]
    assert published == [("hr-high", "active"), ("odd", "active")]
    assert [(change.alarm, change.kind) for change in shadow.roll_back(at(6))] == [
        ("hr-high", ConditionEventKind.REMOVED),
        ("odd", ConditionEventKind.REMOVED),
    ]
    assert send(old, *rates("a", 150, first=6)).events == []


values = st.fixed_dictionaries(
    {}, optional={"hr": st.integers(60, 180).map(float), "spo2": st.integers(80, 100).map(float)}
)
readings = st.lists(st.tuples(st.sampled_from(["x/1", "x/2", "y"]), st.integers(0, 40), values), max_size=50)
commands = st.sampled_from(
    [None, SetLimit("x/1", "hr-high", 100), Transfer("x/1", "x/3"), Discharge("x/2"), SetProfile("x/2", {"age": 9})]
)
_OTHERS = (override("z*", off=["odd"], hr_high=20), override("y", hr_high=170, off=["spo2-low"], profile={"age": 5.0}))


@given(readings, st.integers(0, 50), commands)
def test_streams_that_no_pattern_matches_are_as_without_overrides_to_the_bit(rows, cut, command):
    def run(overrides):
        watching = engine(HIGH, LOW, ODD, SILENT, lateness_s=1.5, reprocess_late_ticks=5, overrides=overrides)
        results = [watching.apply(batch(rows[:cut]), NOW)]
        if command is not None and watching.table.row_of(command.stream) is not None:
            results.append(watching.execute(command, NOW))
        after = engine(HIGH, LOW, ODD, SILENT, lateness_s=1.5, reprocess_late_ticks=5, overrides=overrides)
        results += [migrate(watching, after, NOW), after.apply(batch(rows[cut:]), NOW + 20 * S)]
        changes = [change for result in results for change in result.events if change.stream != "y"]
        names = sorted(name for name in after.table.names if name.startswith("x"))
        columns = after.export_streams(names).columns
        return changes, {name: column.tobytes() for name, column in columns.items()}

    assert run(_OTHERS) == run(())


def batch(rows):
    return Readings.of([(stream, START + tick * S // 2, by_channel) for stream, tick, by_channel in rows])
