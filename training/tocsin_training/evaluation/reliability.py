"""Reliability: probabilities against observed frequencies, budgets against false-alarm rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.evaluation import bootstrap, events
from tocsin_training.evaluation.detection import alarm_rows
from tocsin_training.evaluation.result import Bin, Budget, Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tocsin_training.backtest.onsets import Delays
    from tocsin_training.evaluation.detection import GroundTruth

BINS = 10
BRIER, SKILL, ERROR = "Brier score", "Brier skill", "calibration error"


def bins(ground: GroundTruth, probability: NDArray[np.floating]) -> list[Bin]:
    """Ten bins of rows by probability (R,), each with the share in which the label was 1."""
    rows = _labelled_rows(ground, probability)
    order = rows[np.argsort(probability[rows], kind="stable")]
    made = []
    for part in np.array_split(order, BINS):
        if not len(part):
            continue
        hits = ground.per_stream(part[ground.label[part] > 0])
        observed = bootstrap.ratio(hits, ground.per_stream(part), ground.weights)
        predicted = float(np.mean(probability[part], dtype=np.float64))
        made.append(Bin(predicted=predicted, observed=bootstrap.figure(observed), rows=len(part)))
    return made


def figures(ground: GroundTruth, probability: NDArray[np.floating], made: list[Bin]) -> dict[str, Estimate]:
    """Brier score, its skill over the base rate, and expected calibration error over the bins."""
    rows = _labelled_rows(ground, probability)
    label = (ground.label[rows] > 0).astype(np.float64)
    error = np.zeros(len(probability))
    error[rows] = (probability[rows] - label) ** 2
    squared = ground.summed(error)
    count, hits = ground.per_stream(rows), ground.per_stream(rows[label > 0])
    brier = bootstrap.ratio(squared, count, ground.weights)
    share = bootstrap.ratio(hits, count, ground.weights)
    reference = share * (1.0 - share)  # the Brier score of the base rate; 0 where one label alone was drawn
    skill = 1.0 - np.divide(brier, reference, out=np.full(len(brier), np.nan), where=reference > 0)
    total = sum(one.rows for one in made)
    distance = sum(one.rows * abs(one.predicted - one.observed.value) for one in made) / max(total, 1)
    return {
        BRIER: bootstrap.figure(brier),
        SKILL: bootstrap.figure(skill),
        ERROR: Estimate(value=distance, low=np.nan, high=np.nan),
    }


def budgets(
    ground: GroundTruth, score: NDArray[np.floating], delays: Delays, thresholds: Mapping[float, float]
) -> list[Budget]:
    """False-alarm rates in normal rows for each budget (false alarms a stream-day → threshold)."""
    made = []
    for per_day, threshold in thresholds.items():
        risen, is_up = alarm_rows(ground, score, threshold, delays)
        false = events.match(risen, is_up, ground.events, ground.label).false
        realised = bootstrap.ratio(ground.per_stream(false), ground.days, ground.weights)
        made.append(
            Budget(
                per_day=per_day,
                threshold=threshold,
                realised=bootstrap.figure(realised),
                expected=per_day * float(ground.days.sum()),
            )
        )
    return made


def _labelled_rows(ground: GroundTruth, probability: NDArray[np.floating]) -> NDArray[np.int64]:
    return np.flatnonzero(~np.isnan(ground.label) & ~np.isnan(probability))
