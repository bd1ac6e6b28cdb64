"""Streams begin, pause, move and end: the next patient in a bed inherits nothing."""

from __future__ import annotations

import numpy as np
import pytest
from counting_watch import START, S, alarm, engine, happened

from tocsin.engine import Readings
from tocsin.engine.conditions.absent import Absent
from tocsin.engine.conditions.limit import Above
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.conditions.silent import Silent
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

AGE, HOURS = 2, 3
HIGH = alarm("hr-high", Above(0, 120, 0))
ODD = alarm("odd", ScoreAbove(105))
SILENT = alarm("silent", Silent(10 * S))


def at(second):
    return START + round(second * S)


def send(watching, *readings, now=None):
    """Each is (stream, second, channel → value)."""
    batch = Readings.of([(stream, at(second), values) for stream, second, values in readings])
    return watching.apply(batch, int(batch.t.max()) if now is None else at(now))


def fast(second, stream="bed", **more):
    return (stream, second, {"hr": 150.0, "spo2": 97.0, **more})


def calm(second, stream="bed", **more):
    return (stream, second, {"hr": 70.0, "spo2": 97.0, **more})


def memory_of(watching, stream):
    """All that is remembered of one stream, but for when `now` was."""
    columns = watching.export_streams([stream]).columns
    return {name: column.tobytes() for name, column in columns.items()}


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (Admit("bed"), "admitted: the stay before has ended"),
        (Discharge("bed"), "discharged"),
        (Transfer("bed", "elsewhere"), "transferred to 'elsewhere'"),
        (Standby("bed"), "on standby"),
        (ResetStream("bed"), "the stream was reset"),
    ],
)
def test_whatever_ends_a_stay_ends_its_alarms_and_says_why(command, reason):
    watching = engine(HIGH, alarm("spo2-high", Above(1, 99, 0)))
    send(watching, fast(0), fast(0, "other"))
    result = watching.execute(command, at(1))
    assert [(change.stream, change.alarm, change.kind, change.report.reason) for change in result.events] == [
        ("bed", "hr-high", "removed", reason)
    ]


def test_an_alarm_that_has_ceased_is_ended_too_since_it_may_be_latched():
    watching = engine(HIGH)
    send(watching, fast(0))
    send(watching, calm(1))
    assert happened([watching.execute(Discharge("bed"), at(2))]) == [("bed", "hr-high", "removed", 1)]


@pytest.mark.parametrize("between", [[Admit("bed")], [Discharge("bed"), Admit("bed")], [Discharge("bed")]])
def test_the_next_patient_inherits_nothing(between):
    used, new = (engine(HIGH, ODD, SILENT, lateness_s=2, warm_up_ticks=1) for _ in range(2))
    send(used, *[fast(k, age=80.0) for k in range(5)])
    used.execute(SetLimit("bed", "hr-high", 100), at(5))
    used.execute(SetProfile("bed", {"news2_scale": 2}), at(5))
    for command in between:
        used.execute(command, at(6))
    later = [calm(k) for k in range(6, 12)]
    if between[-1] == Admit("bed"):
        new.execute(Admit("bed"), at(6))
    results = [send(watching, *later, now=12) for watching in (used, new)]
    assert happened(results[:1]) == happened(results[1:])
    one, other = memory_of(used, "bed"), memory_of(new, "bed")
    assert {name for name in other if other[name] != one[name]} <= {"closed_tick", "stay_began_after_tick"}


def test_a_reading_of_the_patient_before_does_not_reach_the_next():
    watching = engine(HIGH, lateness_s=5)
    send(watching, calm(3), calm(4))
    watching.execute(Discharge("bed"), at(5))
    result = send(watching, fast(2), fast(4), calm(6), now=6)
    assert result.rejected["late"].tolist() == [0, 1]
    send(watching, calm(20))
    assert not watching.alarms_up()[0][1]


def test_an_admitted_stream_without_readings_is_silent():
    watching = engine(SILENT)
    watching.execute(Admit("bed", {"ward": "icu"}), at(0))
    results = [watching.apply(Readings.of([]), at(second)) for second in (9, 10, 11)]
    assert happened(results) == [("bed", "silent", "active", 10)]
    assert results[1].events[0].labels == {"ward": "icu"}


def test_labels_of_the_topic_stay_with_the_bed_and_those_of_the_patient_go():
    watching = engine(HIGH)
    batch = Readings.of([calm(0)])
    labelled = Readings(batch.streams, batch.channels, batch.stream, batch.t + START, batch.values, [{"ward": "icu"}])
    watching.apply(labelled, at(0))
    watching.execute(Admit("bed", {"team": "a"}), at(1))
    table = watching.table
    assert table.labels[table.row_of("bed")] == {"ward": "icu", "team": "a"}
    watching.execute(Admit("bed", {}), at(2))
    assert table.labels[table.row_of("bed")] == {"ward": "icu"}


def test_a_transfer_moves_the_model_state_and_raises_alarms_again_at_once():
    moved, stayed = (
        engine(alarm("hr-high", Above(0, 120, 0), on_delay_s=3), alarm("no-age", Absent(1, S))) for _ in range(2)
    )
    for watching in (moved, stayed):
        send(watching, *[fast(k, age=80.0) for k in range(5)])
    moved.execute(Transfer("bed", "hall"), at(5))
    result = send(moved, fast(6, "hall"))
    send(stayed, fast(6))
    assert happened([result]) == [("hall", "hr-high", "active", 6)]
    for name in ("state", "mean", "frame_count", "static", "stream_first_tick"):
        one, other = (getattr(w.table, name)[w.table.live_rows()[0]] for w in (moved, stayed))
        assert one.tobytes() == other.tobytes(), name
    assert watching.unknown_streams(["bed", "hall"]) == ["hall"]
    assert moved.unknown_streams(["bed", "hall"]) == ["bed"]


def test_a_transfer_replaces_a_stream_that_began_by_itself_and_no_patient_who_was_admitted():
    watching = engine(HIGH)
    send(watching, fast(0), fast(0, "hall"), fast(0, "room"))
    watching.execute(Admit("room"), at(1))
    with pytest.raises(StreamRefused, match="stream 'bed': cannot be transferred: 'room' is admitted"):
        watching.execute(Transfer("bed", "room"), at(2))
    result = watching.execute(Transfer("bed", "hall"), at(2))
    assert [(change.stream, change.kind) for change in result.events] == [("bed", "removed"), ("hall", "removed")]
    assert watching.table.count == 2


def test_on_standby_nothing_is_judged_and_silence_does_not_count():
    watching = engine(HIGH, SILENT)
    send(watching, calm(0))
    watching.execute(Standby("bed"), at(1))
    result = send(watching, fast(2))
    assert result.rejected["standby"].tolist() == [0]
    assert not result.accepted
    results = [watching.apply(Readings.of([]), at(100))]
    results.append(watching.execute(Resume("bed"), at(101)))
    results.append(watching.apply(Readings.of([]), at(105)))
    assert happened(results) == []
    # A reading of the standby that comes afterwards counts no more than the others.
    assert send(watching, fast(2, hr=180.0), now=106).rejected["late"].tolist() == [0]
    assert happened([send(watching, fast(107))]) == [("bed", "hr-high", "active", 107)]


def test_a_standby_ends_by_itself_when_its_time_is_over():
    watching = engine(HIGH)
    send(watching, calm(0))
    watching.execute(Standby("bed", until=at(60)), at(1))
    assert happened([send(watching, fast(59))]) == []
    assert happened([send(watching, fast(60))]) == [("bed", "hr-high", "active", 60)]


def test_a_reset_warms_up_again_and_keeps_limits_profile_and_labels():
    watching = engine(HIGH, warm_up_ticks=2)
    send(watching, *[calm(k, age=80.0) for k in range(5)])
    watching.execute(SetLimit("bed", "hr-high", 160), at(5))
    assert watching.warming_up() == 0
    watching.execute(ResetStream("bed"), at(5))
    assert watching.warming_up() == 1
    result = send(watching, fast(6))
    assert happened([result]) == []
    assert np.isnan(result.steps[0].score).all()
    assert result.steps[0].x[0, AGE] == 80
    assert result.steps[0].x[0, HOURS] == 0


def test_a_profile_reaches_the_model_and_can_be_taken_back():
    watching = engine()
    watching.execute(Admit("bed", profile={"age": 71}), at(0))
    assert send(watching, calm(1)).steps[0].x[0, AGE] == 71
    watching.execute(SetProfile("bed", {"age": None, "oxygen": 1}), at(2))
    assert send(watching, calm(3)).steps[0].mask[0, AGE] == 0


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (Discharge("unknown"), "unknown-stream", "stream 'unknown': is not known"),
        (Resume("bed"), "illegal", "cannot resume: it is not on standby"),
        (Standby("bed", until=0), "illegal", "which is past"),
        (SetLimit("bed", "hr-low", 1), "unknown-alarm", r"has no alarm 'hr-low' \(legal: hr-high, odd\)"),
        (SetLimit("bed", "odd", 1), "illegal", r"alarm 'odd' has no limit \(legal: hr-high\)"),
        (SetLimit("bed", "hr-high", 400), "illegal", r"limit 400 is not plausible \(legal: 0 to 300 /min\)"),
        (SetLimit("bed", "hr-high", float("nan")), "illegal", "limit nan is not plausible"),
        (SetProfile("bed", {"hr": 1}), "unknown-channel", r"'hr' is no part of a profile \(legal: age, news2_scale"),
        (SetProfile("bed", {"news2_scale": 3}), "illegal", r"news2_scale 3 \(legal: 1 or 2\)"),
        (Admit("other", profile={"age": 200}), "illegal", r"age 200 is not plausible \(legal: 0 to 120 a\)"),
        (Admit("other"), "too-many-streams", "max_streams 1 is reached"),
        (Transfer("bed", "bed"), "illegal", "to itself"),
    ],
)
def test_an_illegal_command_is_refused_and_changes_nothing(command, code, says):
    watching = engine(HIGH, ODD, max_streams=1)
    send(watching, fast(0))
    before = memory_of(watching, "bed")
    with pytest.raises(StreamRefused, match=says) as refused:
        watching.execute(command, at(1))
    assert refused.value.code == code
    assert watching.table.count == 1
    assert memory_of(watching, "bed") == before


def test_rows_of_streams_that_have_ended_are_used_again_but_not_while_they_are_spoken_of():
    watching = engine(HIGH, max_streams=2)
    for patient in range(10):
        result = send(watching, calm(2 * patient, f"p{patient}"))
        assert [watching.table.names[row] for row in result.steps[0].rows] == [f"p{patient}"]
        watching.execute(Discharge(f"p{patient}"), at(2 * patient + 1))
        assert watching.table.names[result.steps[0].rows[0]] == f"p{patient}"
    assert len(watching.table) <= 2
    assert watching.table.count == 0
    assert watching.alarms_up() == [(HIGH, 0)]


def test_idle_streams_are_given_up_with_what_was_remembered_and_come_back_with_it():
    watching, steady = engine(HIGH, evict_after_s=60), engine(HIGH)
    for some in (watching, steady):
        send(some, fast(0), calm(0, "b"))
    result = send(watching, calm(61, "b"))
    assert [(c.stream, c.kind, c.report.reason) for c in result.events] == [
        ("bed", "removed", "evicted: idle for 61 s")
    ]
    (evicted,) = result.evicted
    assert evicted.streams == ["bed"]
    assert watching.unknown_streams(["bed", "b"]) == ["bed"]
    watching.import_streams(evicted, at(62))
    for some in (watching, steady):
        send(some, fast(62))
    for name in ("state", "mean", "frame_count", "stream_first_tick", "observed_tick"):
        one, other = (getattr(w.table, name)[w.table.row_of("bed")] for w in (watching, steady))
        assert one.tobytes() == other.tobytes(), name


def test_an_admitted_stream_is_not_evicted():
    watching = engine(evict_after_s=60)
    watching.execute(Admit("bed"), at(0))
    assert not watching.apply(Readings.of([]), at(1000)).evicted
    assert watching.table.count == 1


def test_when_the_clock_is_set_back_silence_is_still_noticed():
    watching = engine(SILENT)
    send(watching, calm(0), now=5000)
    results = [watching.apply(Readings.of([]), at(second)) for second in (0, 9, 10)]
    assert happened(results) == [("bed", "silent", "active", 10)]


def test_when_the_clock_is_set_forward_or_the_daemon_paused_no_stream_is_silent_at_once():
    watching = engine(SILENT, max_pause_s=5)
    send(watching, calm(0))
    results = [watching.apply(Readings.of([]), at(second)) for second in (5000, 5004, 5009, 5010)]
    assert [c.raised_at for o in results for c in o.events] == [at(5010)]
