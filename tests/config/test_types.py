"""Durations are seconds, or a number with a unit."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tocsin.config.types import MOST_S, Seconds

SECONDS = TypeAdapter(Seconds)
UNITS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}


@pytest.mark.parametrize(
    ("written", "meant"),
    [(90, 90), (0, 0), (0.25, 0.25), ("250ms", 0.25), ("90 s", 90), (" 1.5 min ", 90), ("2h", 7200), ("1d", 86400)],
)
def test_what_is_meant(written, meant):
    assert SECONDS.validate_python(written) == meant


@pytest.mark.parametrize(
    "written", ["", "s", "90", "1 m", "1 week", "-1 s", "1e3 s", "1,5 s", "1 s 2 ms", "inf s", None, [1]]
)
def test_what_is_none(written):
    with pytest.raises(ValidationError):
        SECONDS.validate_python(written)


@pytest.mark.parametrize("number", [-1, -0.001, 1e9, math.inf, -math.inf, math.nan])
def test_numbers_that_are_none(number):
    with pytest.raises(ValidationError):
        SECONDS.validate_python(number)


@given(st.integers(0, 10**6), st.integers(0, 999), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " ", "  "]))
def test_any_number_with_any_unit(whole, thousandths, unit, space):
    number = f"{whole}.{thousandths:03d}"
    assume(float(number) * UNITS[unit] <= MOST_S)
    assert SECONDS.validate_python(f"{number}{space}{unit}") == pytest.approx(float(number) * UNITS[unit])


@given(st.text())
def test_the_fault_of_other_text_lists_what_is_legal(text):
    assume(not re.match(r"\s*\d", text))
    with pytest.raises(
        ValidationError, match=r"is no duration \(legal: seconds, or a number with ms, s, min, h or d\)"
    ):
        SECONDS.validate_python(text)
