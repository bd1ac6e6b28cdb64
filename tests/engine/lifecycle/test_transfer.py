"""Streams can be exported and imported, and continue to the bit; another model's are refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from counting_watch import START, S, alarm, engine, happened
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine import Readings
from tocsin.engine.conditions.limit import Above
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.conditions.silent import Silent
from tocsin.engine.lifecycle import checkpoint
from tocsin.engine.lifecycle.commands import StreamRefused
from tocsin.engine.streams.state import StreamState

NOW = START + 10**6 * S
ALARMS = (
    alarm("hr-high", Above(0, 120, 5), on_delay_s=2, off_delay_s=1),
    alarm("odd", ScoreAbove(105)),
    alarm("silent", Silent(60 * S)),
)
values = st.fixed_dictionaries(
    {}, optional={"hr": st.integers(60, 140).map(float), "spo2": st.integers(80, 100).map(float)}
)
readings = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 40), values), max_size=50)


def batch(rows):
    return Readings.of([(stream, START + round(tick * S / 2), by_channel) for stream, tick, by_channel in rows])


def reread(memory):
    """A state as written to a file and read again."""
    return StreamState(json.loads(json.dumps(memory.meta)), {n: np.array(c) for n, c in memory.columns.items()})


def bits(watching, *, without=()):
    memory = watching.export_streams(sorted(watching.table.names))
    return {name: column.tobytes() for name, column in memory.columns.items() if name not in without}


def outputs(results, names):
    steps = [
        (names[row], tick, score.tobytes())
        for result in results
        for made in result.steps
        for row, tick, score in zip(made.rows.tolist(), made.tick.tolist(), made.score, strict=True)
    ]
    return sorted(happened(results)), sorted(steps)


def fast(second, stream="a"):
    return (stream, 2 * second, {"hr": 150.0, "spo2": 97.0})


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "reprocess_late_ticks": st.integers(0, 5),
        "lateness_s": st.integers(0, 3),
        "aggregate": st.just({"hr": "mean"}),
    },
)


@given(readings, st.integers(0, 50), SETTINGS)
def test_a_restart_in_the_middle_changes_nothing(rows, cut, settings):
    whole, before, after = (engine(*ALARMS, frame_timeout_s=10**9, **settings) for _ in range(3))
    first = before.apply(batch(rows[:cut]), NOW)
    checkpoint.restore(after.state, checkpoint.export(before.state))
    results = [first, after.apply(batch(rows[cut:]), NOW)]
    expected = [whole.apply(batch(rows[:cut]), NOW), whole.apply(batch(rows[cut:]), NOW)]
    assert outputs(results, after.table.names) == outputs(expected, whole.table.names)
    assert bits(after) == bits(whole)
    assert after.now == whole.now


@given(readings, st.integers(0, 50), SETTINGS, SETTINGS)
def test_after_an_import_the_model_continues_whatever_the_frame_clock_there(rows, cut, here, there):
    """With another lateness some readings may be late that were not; what is in time scores as it would have."""
    in_order = sorted(rows, key=lambda row: row[1])
    in_order = [
        row for i, row in enumerate(in_order) if (row[0], row[1] // 2) not in {(r[0], r[1] // 2) for r in in_order[:i]}
    ]
    here, there = ({**settings, "aggregate": {}} for settings in (here, there))
    whole, before, after = (engine(*ALARMS, frame_timeout_s=10**9, **settings) for settings in (here, here, there))
    whole.apply(batch(in_order), NOW)
    before.apply(batch(in_order[:cut]), NOW)
    after.import_streams(reread(before.export_streams()), NOW)
    after.apply(batch(in_order[cut:]), NOW)
    for watched in (whole, after):
        watched.apply(batch([(stream, 1000, {"hr": 80.0}) for stream in "abc"]), NOW)
    for stream in "abc":
        one, other = (w.table.state[w.table.row_of(stream)] for w in (after, whole))
        assert one.tobytes() == other.tobytes()


def test_an_active_alarm_is_raised_at_its_new_place_as_soon_as_it_is_judged():
    before, after = engine(*ALARMS), engine(*ALARMS)
    result = before.apply(batch([fast(k) for k in range(5)]), NOW)
    assert ("a", "hr-high", "active", 2) in happened([result])
    after.import_streams(reread(before.export_streams(["a"])), NOW)
    assert not after.alarms_up()[0][1]
    assert ("a", "hr-high", "active", 5) in happened([after.apply(batch([fast(5)]), NOW)])


def test_silence_counts_from_the_import_of_a_stream():
    before, after = engine(*ALARMS), engine(*ALARMS)
    before.apply(batch([fast(0)]), START)
    after.import_streams(before.export_streams(["a"]), START + 1000 * S)
    results = [after.apply(batch([]), START + second * S) for second in (1059, 1060)]
    assert [len(result.events) for result in results] == [0, 1]


def test_an_import_replaces_a_stream_of_the_same_name():
    before, after = engine(*ALARMS), engine(*ALARMS)
    before.apply(batch([("a", 0, {"hr": 70.0, "spo2": 97.0})]), NOW)
    after.apply(batch([fast(k) for k in range(5)]), NOW)
    result = after.import_streams(before.export_streams(["a"]), NOW)
    assert {(c.alarm, c.kind, c.report.reason) for c in result.events} == {
        (name, "removed", "replaced by an import") for name in ("hr-high", "odd")
    }
    assert after.table.count == 1
    assert after.table.frame_count[after.table.row_of("a")] == 1


def test_labels_and_a_limit_of_the_stream_are_imported():
    before, after = engine(*ALARMS), engine(*ALARMS)
    rows = batch([fast(0)])
    before.apply(replace(rows, labels=[{"ward": "icu"}]), NOW)
    before.table.stream_limit[before.table.row_of("a"), 0] = 160
    after.import_streams(reread(before.export_streams(["a"])), NOW)
    row = after.table.row_of("a")
    assert after.table.labels[row] == {"ward": "icu"}
    assert after.table.stream_limit[row, 0] == 160


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sha256": "1" * 64}, r"stream 'a': memory is of counting/1, whose sha256 is 1{64} \(legal: counting/1, sha"),
        ({"channels": ["hr"]}, "whose channels is"),
        ({"period_ns": 5}, "whose period_ns is 5"),
        ({"format": 2, "version": "9.9"}, r"memory has format 2, written by Tocsin 9.9 \(legal: format 1; upgrade"),
    ],
)
def test_the_state_of_another_model_is_refused(change, says):
    watching = engine(*ALARMS)
    watching.apply(batch([fast(0)]), NOW)
    memory = watching.export_streams(["a"])
    before = bits(watching)
    with pytest.raises(StreamRefused, match=says):
        watching.import_streams(replace(memory, meta={**memory.meta, **change}), NOW)
    assert bits(watching) == before


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda columns: columns.pop("state"), "memory lacks state"),
        (lambda columns: columns.update(state=columns["state"][:, :3]), r"memory's state is \(1, 3\) float32"),
        (
            lambda columns: columns.update(frame_count=columns["frame_count"].astype(float)),
            r"frame_count is \(1,\) float64",
        ),
        (lambda columns: columns.update(truth=columns["truth"][:, :1]), r"truth is \(1, 1\) int8"),
        (lambda columns: columns.update(newest_t=columns["newest_t"][:0]), r"newest_t is \(0,\) int64"),
    ],
)
def test_a_damaged_state_is_refused(damage, says):
    watching = engine(*ALARMS)
    watching.apply(batch([fast(0)]), NOW)
    memory = watching.export_streams(["a"])
    columns = dict(memory.columns)
    damage(columns)
    with pytest.raises(StreamRefused, match=says):
        engine(*ALARMS).import_streams(replace(memory, columns=columns), NOW)


def test_there_must_be_room():
    before = engine(*ALARMS)
    before.apply(batch([fast(0, stream) for stream in "abc"]), NOW)
    small = engine(*ALARMS, max_streams=2)
    with pytest.raises(StreamRefused, match="max_streams leaves room for 2"):
        small.import_streams(before.export_streams(), NOW)
    assert small.table.count == 0


def test_an_unknown_stream_cannot_be_exported():
    with pytest.raises(StreamRefused, match="stream 'unknown': is not known"):
        engine(*ALARMS).export_streams(["unknown"])
