"""Selection of a threshold from a false-alarm curve by a budget."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tocsin.bundle.calibration import BudgetError, Curve, OnsetRates, Tail

TAIL = Tail(threshold=3.0, per_day=1.0, shape=0.2, scale=0.5, peaks=50)
SLOW = OnsetRates(
    on_delay_ticks=0, off_delay_ticks=0, thresholds=(1.0, 2.0, 3.0), per_day=(100.0, 10.0, 1.0), tail=TAIL
)
HELD = SLOW.model_copy(update={"on_delay_ticks": 10, "thresholds": (0.5, 1.5, 2.5), "tail": None})
CURVE = Curve(stream_days=50, streams=100, data="toys", rates=(SLOW, HELD))


def test_between_counted_thresholds_the_logarithm_of_the_rate_is_linear():
    assert CURVE.threshold_at(10, 0, 0).threshold == 2
    assert CURVE.threshold_at(math.sqrt(1000), 0, 0).threshold == pytest.approx(1.5)
    assert not CURVE.threshold_at(10, 0, 0).extrapolated


def test_beyond_counted_thresholds_the_rate_follows_the_fitted_tail():
    # 1 + 0.2 (θ − 3) / 0.5 = 10^0.2, so that the rate is a tenth of that at 3.
    chosen = CURVE.threshold_at(0.1, 0, 0)
    assert chosen.threshold == pytest.approx(3 + 0.5 / 0.2 * (10**0.2 - 1))
    assert chosen.extrapolated
    straight = SLOW.model_copy(update={"tail": TAIL.model_copy(update={"shape": 0.0})})
    assert straight.threshold_at(0.1) == pytest.approx(3 + 0.5 * math.log(10))


def test_delays_longer_than_the_counted_ones_give_no_more_alarms():
    assert CURVE.threshold_at(10, 3, 60).threshold == 2
    assert CURVE.threshold_at(10, 12, 60).threshold == 1.5
    # Where the line with the longer delay ends, the other one still applies.
    assert CURVE.threshold_at(0.5, 12, 60).threshold > 3


@given(st.floats(1 / 1000, 100), st.floats(1 / 1000, 100))
def test_a_smaller_budget_never_has_a_lower_threshold(one, other):
    few, many = sorted((one, other))
    assert CURVE.threshold_at(few, 0, 0).threshold >= CURVE.threshold_at(many, 0, 0).threshold - 1e-9


@pytest.mark.parametrize(
    ("curve", "budget", "on", "fault"),
    [
        (CURVE, 0.0009, 0, "0.0009 a stream-day is too rare: .* 50 stream-days, which reach down to 0.001 a day"),
        (CURVE, 101, 0, "101 a stream-day is more than the 100 that"),
        (
            CURVE.model_copy(update={"rates": (HELD,)}),
            0.5,
            10,
            "0.5 a stream-day is rarer than the 1 that were counted",
        ),
        (CURVE.model_copy(update={"rates": (HELD,)}), 5, 9, r"on- and an off-delay of 10 and 0 ticks.*\(9 and 0\)"),
    ],
)
def test_a_budget_beyond_the_curve_is_refused(curve, budget, on, fault):
    with pytest.raises(BudgetError, match=fault):
        curve.threshold_at(budget, on, 0)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"thresholds": (1.0, 1.0, 3.0)}, "thresholds do not ascend"),
        ({"per_day": (1.0, 10.0, 100.0)}, "per_day does not descend"),
        ({"per_day": (1.0,)}, "3 thresholds for 1 rates"),
    ],
)
def test_an_invalid_curve_is_refused(changes, fault):
    with pytest.raises(ValidationError, match=fault):
        OnsetRates.model_validate(SLOW.model_dump() | changes)
