from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest.timestamps import UNREADABLE, TimeUnit, column_of_times

T = 1_764_000_000_123_456_000  # 2025-11-24T16:00:00.123456Z


def one(value, unit=TimeUnit.AUTO):
    t, missing = column_of_times([value], unit)
    assert not missing[0]
    return int(t[0])


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        (1_764_000_000, 1_764_000_000 * 10**9),
        (1_764_000_000_123, 1_764_000_000_123 * 10**6),
        (1_764_000_000_123_456, T),
        (1_764_000_000_123_456_789, 1_764_000_000_123_456_789),
        (1_764_000_000.0, 1_764_000_000 * 10**9),
        (1_764_000_000.123456, T),
        (1_764_000_000.1, 1_764_000_000_100_000_000),
        (1_764_000_000_123.456, T),
        ("2025-11-24T16:00:00.123456Z", T),
        ("2025-11-24T17:00:00.123456+01:00", T),
        ("2025-11-24 16:00:00.123456+00:00", T),
        ("20251124T160000.123456Z", T),
    ],
)
def test_units_are_inferred_by_magnitude(value, ns):
    assert one(value) == ns


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        (TimeUnit.SECONDS, 1_764_000_000.123456),
        (TimeUnit.MILLISECONDS, 1_764_000_000_123.456),
        (TimeUnit.MICROSECONDS, 1_764_000_000_123_456),
        (TimeUnit.NANOSECONDS, T),
    ],
)
def test_a_unit_that_is_given(unit, value):
    assert one(value, unit) == T


@pytest.mark.parametrize(
    "value",
    [
        "2025-11-24T16:00:00",  # whose clock?
        "2025-11-24",
        "1764000000",  # a number as text is no time, as it is no value
        "",
        "yesterday",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        10**30,
        -(10**30),
        1e300,
        -1e300,
        float("nan"),
        float("inf"),
        99_999_999_999,  # seconds, in the year 5138: beyond int64
    ],
)
def test_unreadable(value):
    assert one(value) == UNREADABLE


def test_a_mixed_column_keeps_its_order():
    t, missing = column_of_times([1_764_000_000, 1_764_000_000.5, None, "2025-11-24T16:00:00Z", "x"], TimeUnit.AUTO)
    second = 1_764_000_000 * 10**9
    assert t[[0, 1, 3, 4]].tolist() == [second, second + 5 * 10**8, second, UNREADABLE]
    assert missing.tolist() == [False, False, True, False, False]


def test_an_empty_column():
    t, missing = column_of_times([], TimeUnit.AUTO)
    assert t.dtype == np.int64
    assert len(t) == len(missing) == 0


@given(st.lists(st.integers() | st.floats() | st.text() | st.none()), st.sampled_from(TimeUnit))
def test_anything_gives_a_column(raw, unit):
    t, missing = column_of_times(raw, unit)
    assert t.dtype == np.int64
    assert t.shape == missing.shape == (len(raw),)
    assert missing.tolist() == [value is None for value in raw]


@given(st.integers(946_684_800_000_000, 4_000_000_000_000_000))
def test_a_column_of_floats_agrees_with_one_of_integers_to_the_microsecond(us):
    assert one(us / 1e6, TimeUnit.SECONDS) == one(us, TimeUnit.MICROSECONDS)
