"""NEWS2, the National Early Warning Score of the Royal College of Physicians (2017): seven vital signs, 0 to 20 points.

| points           | 3    | 2      | 1         | 0                     | 1            | 2            | 3          |
|------------------|------|--------|-----------|-----------------------|--------------|--------------|------------|
| respiration      | ≤ 8  |        | 9–11      | 12–20                 |              | 21–24        | ≥ 25       |
| SpO2, scale 1    | ≤ 91 | 92–93  | 94–95     | ≥ 96                  |              |              |            |
| SpO2, scale 2    | ≤ 83 | 84–85  | 86–87     | 88–92, or ≥ 93 on air | 93–94, on O2 | 95–96, on O2 | ≥ 97, on O2 |
| air or oxygen    |      | oxygen |           | air                   |              |              |            |
| systolic         | ≤ 90 | 91–100 | 101–110   | 111–219               |              |              | ≥ 220      |
| pulse            | ≤ 40 |        | 41–50     | 51–90                 | 91–110       | 111–130      | ≥ 131      |
| consciousness    |      |        |           | alert                 |              |              | C V P U    |
| temperature      | ≤ 35.0 |      | 35.1–36.0 | 36.1–38.0             | 38.1–39.0    | ≥ 39.1       |            |

5 points or more, or 3 in any single one, call for an urgent response; 7 or more for an emergency response. Scale 2 is
for patients with hypercapnic respiratory failure, whose SpO2 is meant to lie at 88 to 92.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

URGENT = 5  # points
SINGLE = 3  # points in one parameter that call for an urgent response by themselves
PARAMETERS = ("respiration", "spo2", "oxygen", "systolic", "pulse", "alert", "temperature")
MOST = (3, 3, 2, 3, 3, 3, 3)  # points that each of them can give

# (the highest value of each column but the last, the columns' points), in the chart's resolution
_RESPIRATION = ([8, 11, 20, 24], [3, 1, 0, 2, 3])
_SPO2_1 = ([91, 93, 95], [3, 2, 1, 0])
_SPO2_2_AIR = ([83, 85, 87], [3, 2, 1, 0])
_SPO2_2_OXYGEN = ([83, 85, 87, 92, 94, 96], [3, 2, 1, 0, 1, 2, 3])
_SYSTOLIC = ([90, 100, 110, 219], [3, 2, 1, 0, 3])
_PULSE = ([40, 50, 90, 110, 130], [3, 1, 0, 1, 2, 3])
_TEMPERATURE_TENTHS = ([350, 360, 380, 390], [3, 1, 0, 1, 2])


@dataclass(frozen=True, slots=True)
class News2:
    """The score of R rows.

    Attributes:
        total: (R,) points; where something is missing, the least that they can be.
        highest: (R,) the most points that any single parameter gave.
        known: (R,) how many of the seven parameters were known; below 7 the total is a lower bound.
        points: (7, R) of each parameter, in the order of `PARAMETERS`.
    """

    total: NDArray[np.int64]
    highest: NDArray[np.int64]
    known: NDArray[np.int64]
    points: NDArray[np.int64]

    @property
    def urgent(self) -> NDArray[np.bool_]:
        """(R,) whether an urgent response is called for, an emergency one among them."""
        called: NDArray[np.bool_] = (self.total >= URGENT) | (self.highest >= SINGLE)
        return called


def news2(
    *,
    respiration: NDArray[np.floating],
    spo2: NDArray[np.floating],
    systolic: NDArray[np.floating],
    pulse: NDArray[np.floating],
    temperature: NDArray[np.floating],
    oxygen: NDArray[np.floating],
    alert: NDArray[np.floating],
    scale: Literal[1, 2] = 1,
) -> News2:
    """Score rows of vital signs, all (R,), NaN where unknown.

    Values are rounded to the chart's resolution first, halves upwards: whole numbers, a tenth of a degree.

    Args:
        respiration: Breaths per minute.
        spo2: Per cent.
        systolic: mmHg.
        pulse: Beats per minute.
        temperature: °C.
        oxygen: 1 on supplemental oxygen, 0 on air. Unknown counts as air, which gives the least points.
        alert: 1 alert, 0 if confused or roused by voice, pain or nothing (C, V, P, U).
        scale: Of SpO2.

    >>> rows = {"respiration": [21, np.nan], "spo2": [91.4, 97], "systolic": [105, 118], "pulse": [95, 70]}
    >>> rows |= {"temperature": [38.05, 36.8], "oxygen": [1, 0], "alert": [1, 1]}
    >>> score = news2(**{name: np.array(values, dtype=float) for name, values in rows.items()})
    >>> score.total.tolist(), score.highest.tolist(), score.known.tolist()
    ([10, 0], [3, 0], [7, 6])
    """
    on_oxygen = oxygen > 0
    if scale == 1:
        saturation = _points(spo2, _SPO2_1)
    else:
        saturation = np.where(on_oxygen, _points(spo2, _SPO2_2_OXYGEN), _points(spo2, _SPO2_2_AIR))
    points = np.stack(
        [
            _points(respiration, _RESPIRATION),
            saturation,
            np.where(on_oxygen, 2, 0),
            _points(systolic, _SYSTOLIC),
            _points(pulse, _PULSE),
            np.where(alert == 0, 3, 0),
            _points(temperature * 10.0, _TEMPERATURE_TENTHS),
        ]
    )  # (7, R)
    given = np.stack([respiration, spo2, oxygen, systolic, pulse, alert, temperature])
    return News2(points.sum(axis=0), points.max(axis=0), (~np.isnan(given)).sum(axis=0), points)


def _points(value: NDArray[np.floating], chart: tuple[list[int], list[int]]) -> NDArray[np.int64]:
    """(R,) points of values in the chart's resolution; none where unknown."""
    highest, points = chart
    rounded = np.floor(value + 0.5)
    scored = np.array(points)[np.searchsorted(highest, rounded, side="left")]
    return np.where(np.isnan(value), 0, scored)
