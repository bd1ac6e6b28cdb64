"""Gaps, and several values of a channel in one tick."""

from __future__ import annotations

import numpy as np
import pytest
from counting_watch import START, S, counting_step, engine
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine import Readings
from tocsin.engine.frames.assembler import MAX_SAMPLES

NOW = START + 10**6 * S
HR, SPO2, AGE, HOURS = range(4)


def batch(*rows):
    return Readings.of([("bed", START + round(second * S), values) for second, values in rows])


def full(second):
    return second, {"hr": 80.0, "spo2": 97.0, "age": 60.0}


class Recording:
    """The counting step, which notes what it is called with."""

    def __init__(self):
        self.calls = []

    def __call__(self, x, mask, delta, state):
        self.calls.append((x.tolist(), mask.tolist(), delta.tolist()))
        return counting_step(x, mask, delta, state)


def test_missing_ticks_are_stepped_blind_where_the_model_was_trained_so():
    step = Recording()
    watching = engine(step=step, gaps="blind")
    result = watching.apply(batch(full(0), full(3)), NOW)
    # What is given once, and what the engine makes, is known in a blind step too.
    assert [mask[0] for _, mask, _ in step.calls] == [[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1]]
    assert [x[0][:2] for x, _, _ in step.calls[1:3]] == [[0, 0], [0, 0]]
    assert [delta[0] for _, _, delta in step.calls] == [[d, d, 0, 0] for d in (0, 1, 2, 3)]
    assert [steps.tick[0] - START // S for steps in result.steps] == [0, 3]  # no blind step is judged
    assert watching.table.frame_count[0] == 2  # nor does it count for warming up


def test_of_a_long_gap_so_many_ticks_are_stepped_blind_and_delta_says_the_rest():
    step = Recording()
    watching = engine(step=step, gaps="blind", max_blind=2)
    watching.apply(batch(full(0), full(9)), NOW)
    assert [delta[0][HR] for _, _, delta in step.calls] == [0, 1, 2, 9]


def test_beyond_the_greatest_gap_the_state_is_reset_and_nothing_is_stepped_blind():
    step = Recording()
    watching = engine(step=step, gaps="blind", max_gap_ticks=5, warm_up_ticks=1)
    result = watching.apply(batch(full(0), full(1), full(7)), NOW)
    assert len(step.calls) == 3
    assert np.isnan([steps.score[0] for steps in result.steps]).tolist() == [True, False, True]


def test_a_gap_is_bridged_by_delta_alone_unless_the_model_says_otherwise():
    step = Recording()
    engine(step=step).apply(batch(full(0), full(9)), NOW)
    assert [delta[0][HR] for _, _, delta in step.calls] == [0, 9]


@pytest.mark.parametrize(("aggregation", "hr"), [("last", 90), ("mean", 80), ("min", 70), ("max", 90)])
def test_of_several_values_in_a_tick_the_one_that_is_configured_counts(aggregation, hr):
    watching = engine(aggregate={"hr": aggregation, "spo2": "max"})
    rows = [(second, {"hr": rate}) for second, rate in ((0, 80.0), (0.2, 70.0), (0.9, 90.0))]
    result = watching.apply(batch(*rows, (0.5, {"spo2": 97.0}), full(1)), NOW)
    assert result.steps[0].x[0, :2].tolist() == [hr, 97]
    assert result.accepted == 5


moments = st.dictionaries(st.integers(0, 999), st.floats(30, 200), min_size=1, max_size=40)


@pytest.mark.parametrize("aggregation", ["last", "mean", "min", "max"])
@given(moments, st.randoms(use_true_random=False), st.integers(0, 8))
def test_the_order_of_arrival_and_doubles_do_not_matter_to_the_bit(aggregation, by_ms, random, neighbours):
    """Nor do the values of other streams, for which more room may be made."""
    ordered = [(ms / 1000, {"hr": rate}) for ms, rate in sorted(by_ms.items())]
    shuffled = ordered + ordered[::2]
    random.shuffle(shuffled)
    frames = []
    for rows, others in ((ordered, 0), (shuffled, neighbours)):
        watching = engine(aggregate={"hr": aggregation, "spo2": "max"}, frame_timeout_s=10**9)
        crowd = [("other", START + k * S // 20, {"hr": 61.0}) for k in range(others)]
        own = batch(*rows, (1, {})).streams
        assert own == ["bed"]
        readings = Readings.of([*crowd, *[("bed", START + round(s * S), v) for s, v in [*rows, (1, {})]]])
        result = watching.apply(readings, NOW)
        bed = watching.table.row_of("bed")
        frames += [s.x[i].tobytes() for s in result.steps for i, row in enumerate(s.rows) if row == bed]
        assert result.accepted == len(readings)
    assert frames[0] == frames[1]


def test_readings_of_which_a_mean_is_taken_are_not_kept_without_end():
    watching = engine(aggregate={"hr": "mean"})
    rows = [(k / (2 * MAX_SAMPLES), {"hr": float(60 + k % 2)}) for k in range(MAX_SAMPLES + 3)]
    result = watching.apply(batch(*rows), NOW - 10**6 * S)
    assert len(result.rejected["crowded"]) == 3
    assert result.accepted == MAX_SAMPLES
