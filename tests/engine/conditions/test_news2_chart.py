"""NEWS2, row by row of the chart."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.engine.conditions.news2_chart import news2

NORMAL = {
    "respiration": 16.0,
    "spo2": 97.0,
    "systolic": 120.0,
    "pulse": 70.0,
    "temperature": 37.0,
    "oxygen": 0.0,
    "alert": 1.0,
}


def score(scale=1, **changed):
    return news2(**{name: np.array([value]) for name, value in (NORMAL | changed).items()}, scale=scale)


def points(scale=1, **changed):
    return int(score(scale, **changed).total[0])


@pytest.mark.parametrize(
    ("sign", "columns"),
    [
        ("respiration", [(4, 3), (8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3), (60, 3)]),
        ("spo2", [(70, 3), (91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0), (100, 0)]),
        ("systolic", [(60, 3), (90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0), (220, 3)]),
        (
            "pulse",
            [(30, 3), (40, 3), (41, 1), (50, 1), (51, 0), (90, 0), (91, 1), (110, 1), (111, 2), (130, 2), (131, 3)],
        ),
        ("temperature", [(33, 3), (35.0, 3), (35.1, 1), (36.0, 1), (36.1, 0), (38.0, 0), (38.1, 1), (39.0, 1)]),
        ("temperature", [(39.1, 2), (42, 2)]),
        ("oxygen", [(0, 0), (1, 2)]),
        ("alert", [(1, 0), (0, 3)]),
    ],
)
def test_every_column_of_the_chart(sign, columns):
    assert [(value, points(**{sign: float(value)})) for value, _ in columns] == columns


def test_scale_2_is_for_those_whose_saturation_shall_be_low():
    air = [(83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0), (92, 0), (93, 0), (100, 0)]
    assert [(value, points(2, spo2=float(value))) for value, _ in air] == air
    oxygen = [(83, 5), (85, 4), (87, 3), (88, 2), (92, 2), (93, 3), (94, 3), (95, 4), (96, 4), (97, 5), (100, 5)]
    assert [(value, points(2, spo2=float(value), oxygen=1.0)) for value, _ in oxygen] == oxygen, "2 for the oxygen"


def test_values_between_the_columns_are_rounded_first():
    assert points(spo2=91.4) == 3
    assert points(spo2=91.5) == 2
    assert points(respiration=20.4) == 0
    assert points(temperature=38.04) == 0
    assert points(temperature=38.06) == 1


@pytest.mark.parametrize("sign", NORMAL)
def test_what_is_missing_makes_the_score_a_lower_bound(sign):
    worst = dict.fromkeys(NORMAL, 0.0) | {"oxygen": 1.0}
    whole = score(**worst)
    part = score(**(worst | {sign: np.nan}))
    assert (int(whole.total[0]), int(whole.known[0])) == (20, 7)
    assert int(part.known[0]) == 6
    assert int(part.total[0]) == 20 - (2 if sign == "oxygen" else 3)


def test_a_single_three_is_urgent():
    assert score(pulse=131.0).urgent.all()
    assert not score(pulse=130.0, respiration=22.0).urgent.any(), "4 points, none of them 3"
    assert score(pulse=130.0, respiration=22.0, temperature=38.5).urgent.all(), "5 points"
