"""A late reading is put in, and in the end the model remembers what it would if nothing had been late."""

from __future__ import annotations

import numpy as np
import pytest
from counting_watch import START, S, alarm, counting_step, engine, happened
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.engine import Readings
from tocsin.engine.conditions.limit import Above
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.lifecycle.commands import Admit, ResetStream, Transfer
from tocsin.engine.model import StepResult
from tocsin.engine.streams.schema import STEPPED

NOW = START + 10**6 * S
HIGH = alarm("hr-high", Above(0, 120, 0))
values = st.fixed_dictionaries(
    {}, optional={"hr": st.integers(60, 140).map(float), "spo2": st.integers(80, 100).map(float)}
)


def mixing_step(x, mask, delta, state):
    """A step whose state depends on every frame and on their order."""
    result = counting_step(x, mask, delta, state)
    mixed = result.state
    mixed[:, 1:] = np.tanh(0.5 * state[:, 1:] + 0.01 * x + 0.1 * delta)
    return StepResult(result.score + mixed[:, 1], result.contribution, result.mean, result.scale, mixed)


def batch(rows):
    return Readings.of([(stream, START + round(second * S), by_channel) for stream, second, by_channel in rows])


def remembered(watching, stream="a"):
    row = watching.table.row_of(stream)
    return {column.key: column.of(watching.table)[row].tobytes() for column, _ in STEPPED}


def reading(second, hr, stream="a"):
    return (stream, second, {"hr": float(hr), "spo2": 97.0})


def test_a_late_reading_is_put_in_and_the_newest_frame_is_judged_again():
    watching = engine(HIGH, many := alarm("many", ScoreAbove(3.5)), step=counting_score, reprocess_late_ticks=5)
    results = [watching.apply(batch([reading(k, 80)]), NOW) for k in (0, 1, 3)]
    assert watching.alarms_up() == [(HIGH, 0), (many, 0)]
    results.append(watching.apply(batch([reading(2, 150)]), NOW))
    # Four frames have been now, so that the newest scores 4. A limit passed in the past does not ring.
    assert happened(results) == [("a", "many", "active", 3)]
    assert results[-1].events[0].report.reason.endswith("(reprocessed after a late reading)")
    assert (results[-1].accepted, results[-1].reprocessed, results[-1].rejected) == (1, 1, {})


def counting_score(x, mask, delta, state):
    result = counting_step(x, mask, delta, state)
    return StepResult(result.state[:, 0], result.contribution, result.mean, result.scale, result.state)


@pytest.mark.parametrize(("second", "late"), [(14, 1), (15, 0)])
def test_it_goes_back_so_many_ticks_and_no_further(second, late):
    watching = engine(HIGH, reprocess_late_ticks=5)
    watching.apply(batch([reading(20, 80)]), NOW)
    assert len(watching.apply(batch([reading(second, 80)]), NOW).rejected.get("late", ())) == late


def test_what_is_delivered_twice_changes_nothing_and_is_counted_as_late():
    watching = engine(HIGH, reprocess_late_ticks=5)
    watching.apply(batch([reading(k, 80) for k in range(5)]), NOW)
    before = remembered(watching)
    result = watching.apply(batch([reading(k, 80) for k in range(5)]), NOW)
    assert result.rejected["late"].tolist() == [0, 1, 2, 3, 4]
    assert not result.steps
    assert remembered(watching) == before


@pytest.mark.parametrize("command", [Admit("a"), ResetStream("a"), Transfer("a", "a2")])
def test_it_never_goes_back_to_a_stay_that_has_ended(command):
    watching = engine(HIGH, reprocess_late_ticks=50)
    watching.apply(batch([reading(k, 80) for k in range(0, 10, 2)]), NOW)
    watching.execute(command, NOW)
    stream = "a2" if isinstance(command, Transfer) else "a"
    result = watching.apply(batch([reading(3, 80, stream), reading(20, 80, stream), reading(4, 90, stream)]), NOW)
    assert result.rejected["late"].tolist() == [0, 2]


late = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 80), st.integers(0, 12), values, st.booleans()), max_size=40
)


@pytest.mark.parametrize("gaps", ["delta", "blind"])
@pytest.mark.parametrize("aggregate", [{}, {"hr": "mean", "spo2": "min"}])
@given(late, st.lists(st.integers(1, 7), max_size=40))
@example([("a", 0, 0, {"hr": 80.0}, False), ("a", 60, 0, {}, False), ("a", 58, 6, {"spo2": 90.0}, True)], [1])
def test_in_the_end_the_model_remembers_to_the_bit_what_it_would_of_the_ordered_stream(gaps, aggregate, rows, sizes):
    """Readings come up to six seconds late, to the half second, and some twice."""

    def watching(lateness_s, late_ticks):
        more = {"step": mixing_step, "gaps": gaps, "max_blind": 3, "max_gap_ticks": 20, "aggregate": aggregate}
        return engine(HIGH, lateness_s=lateness_s, reprocess_late_ticks=late_ticks, frame_timeout_s=10**9, **more)

    seen = {}
    for stream, half, delay, by_channel, twice in rows:
        if by_channel:  # one reading a moment: of two, the first that comes is the one that counts
            seen.setdefault((stream, half), (stream, half / 2, delay, by_channel, twice))
    taken = sorted(seen.values(), key=lambda row: row[1])
    arrivals = [(second + delay / 2, row) for row in taken for second, delay in [(row[1], row[2])]]
    arrivals += [(second + 6, row) for row in taken if row[4] for second in [row[1]]]
    arriving = [(stream, second, by) for _, (stream, second, _, by, _) in sorted(arrivals, key=lambda a: a[0])]
    ordered = [(stream, second, by) for stream, second, _, by, _ in taken]
    end = [(stream, 1000, {"hr": 80.0}) for stream in "ab"]  # every frame before it closes

    right, put_right = watching(10, 0), watching(0, 8)
    right.apply(batch(ordered), NOW)
    rest = list(arriving)
    for size in [*sizes, len(rest)]:
        result = put_right.apply(batch(rest[:size]), NOW)
        assert not {"crowded", "implausible"} & result.rejected.keys()
        rest = rest[size:]
    for watched in (right, put_right):
        watched.apply(batch(end), NOW)
    for stream in "ab":
        assert remembered(put_right, stream) == remembered(right, stream)
