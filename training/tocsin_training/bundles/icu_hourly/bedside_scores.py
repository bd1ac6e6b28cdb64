"""Bedside scores from the last values, hour by hour.

Parts of published scores that hourly records allow: NEWS2 (Royal College of Physicians 2017) without oxygen and
consciousness, SOFA (Vincent et al. 1996) without lungs and brain, SIRS (Bone et al. 1992), qSOFA (Singer et al. 2016)
without consciousness. Unknown values score nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.news2_chart import news2
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ROOM_AIR = 0.21  # of oxygen
LATELY = 6  # hours


def scores(last: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """Scores (T, D) from the last values (T,) of every reading.

    Raises:
        TrainingError: A channel is missing.
    """
    try:
        return _scores(last)
    except KeyError as error:
        raise TrainingError(f"the bedside scores need channel {error}; add it to the recipe's channels") from error


def _scores(last: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    hr, sbp, mean, dbp, rr, temp = (last[name] for name in ("hr", "sbp", "map", "dbp", "rr", "temp"))
    spo2, wbc, platelets = last["spo2"], last["wbc"], last["platelets"]
    fio2 = np.where(np.isnan(last["fio2"]), ROOM_AIR, last["fio2"])
    unknown = np.full(len(hr), np.nan)
    news = news2(
        respiration=rr, spo2=spo2, systolic=sbp, pulse=hr, temperature=temp, oxygen=unknown, alert=unknown
    ).total
    sofa = (
        _points(platelets, (20, 50, 100, 150), (4, 3, 2, 1, 0))
        + _points(last["bilirubin_total"], (1.2, 2, 6, 12), (0, 1, 2, 3, 4))
        + _points(last["creatinine"], (1.2, 2, 3.5, 5), (0, 1, 2, 3, 4))
        + _points(mean, (70,), (1, 0))
    )
    sirs = (
        ((temp > 38) | (temp < 36)) * 1.0  # noqa: PLR2004  (the criteria)
        + (hr > 90)  # noqa: PLR2004
        + ((rr > 20) | (last["paco2"] < 32))  # noqa: PLR2004
        + ((wbc > 12) | (wbc < 4))  # noqa: PLR2004
    )
    qsofa = (sbp <= 100) * 1.0 + (rr >= 22)  # noqa: PLR2004
    hours = np.arange(1, len(hr) + 1)
    return np.stack(
        [
            hr / sbp,  # shock index
            hr / mean,
            sbp - dbp,  # pulse pressure
            (sbp - dbp) / sbp,
            (sbp + 2 * dbp) / 3,
            last["bun"] / last["creatinine"],
            spo2 / fio2,
            last["sao2"] / fio2,
            spo2 / fio2 / rr,  # ROX index
            last["chloride"] + last["hco3"],  # of the anion gap; sodium is not in the records
            hr - 10 * (temp - 37),  # what fever alone would not explain
            wbc / platelets,
            news,
            np.maximum.accumulate(news),
            np.cumsum(news) / hours,
            np.convolve(news, np.full(LATELY, 1 / LATELY))[: len(news)],
            sofa,
            sirs,
            qsofa,
        ],
        axis=1,
    )


def _points(values: NDArray[np.float32], edges: tuple[float, ...], points: tuple[int, ...]) -> NDArray[np.float64]:
    """Points (T,) of the interval between edges that holds each value; 0 where unknown.

    >>> _points(np.array([15.0, 150.0, 300.0, np.nan]), (20, 50, 100, 150), (4, 3, 2, 1, 0)).tolist()
    [4.0, 0.0, 0.0, 0.0]
    """
    found = np.array(points, dtype=np.float64)[np.searchsorted(edges, values, side="right")]
    return np.where(np.isnan(values), 0.0, found)
