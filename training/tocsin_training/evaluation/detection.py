"""Detection by alarms: events detected, delay, false alarms a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.backtest import onsets
from tocsin_training.evaluation import bootstrap, events
from tocsin_training.evaluation.result import DetectionCurve, OperatingPoint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.backtest.onsets import Delays
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.evaluation.events import Events

SECONDS_PER_DAY = 86_400.0
STEPS = 48  # thresholds of a curve
ALIKE = 1e-6  # rates of false alarms that differ by less are equal
HALVINGS = 14  # of the interval in which an equal rate of false alarms is looked for
QUANTILES = {"delay, median": 0.5, "delay, p90": 0.9}


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """Labels and events that alarms are compared with.

    Attributes:
        label: (R,) 1 in an event, 0 where normal, NaN where unknown.
        start: (B + 1,) stream b owns the rows `start[b]:start[b + 1]`.
        t_s: (R,) seconds.
        stream: (R,) index of the row's stream.
        events: E of them.
        days: (B,) days of normal rows.
        horizon_s: Seconds from an event's first row to its onset; 0 where the label begins with the onset.
        weights: (1 + K, B) of the bootstrap.
    """

    label: NDArray[np.floating]
    start: NDArray[np.int64]
    t_s: NDArray[np.float64]
    stream: NDArray[np.int64]
    events: Events
    days: NDArray[np.float64]
    horizon_s: float
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, data: StreamDataset, period_s: float, horizon_s: float, weights: NDArray[np.float64]) -> GroundTruth:
        """Build from labelled records; without labels every row counts as normal."""
        label = np.zeros(len(data.x), dtype=np.float32) if data.label is None else data.label
        stream = np.repeat(np.arange(len(data)), data.lengths)
        normal_rows = np.bincount(stream[label == 0], minlength=len(data)).astype(np.float64)
        days = normal_rows * (period_s / SECONDS_PER_DAY)
        t_s = data.tick.astype(np.float64) * period_s
        return cls(label, data.start, t_s, stream, events.of(label, data.start), days, horizon_s, weights)

    def per_stream(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Number (B,) of these rows in each stream."""
        return np.bincount(self.stream[rows], minlength=len(self.days)).astype(np.float64)

    def summed(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Sum (B,) of values (R,) over each stream."""
        return np.bincount(self.stream, weights=values, minlength=len(self.days)).astype(np.float64)


def detected_share(ground: GroundTruth, hit: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share (1 + K,) of events with `hit` (E,) true."""
    first = ground.events.first
    return bootstrap.ratio(ground.per_stream(first[hit]), ground.per_stream(first), ground.weights)


def operation(
    ground: GroundTruth, threshold: float, risen: NDArray[np.int64], is_up: NDArray[np.bool_]
) -> OperatingPoint:
    """Evaluate alarms that rose in `risen` (A,) and were active in `is_up` (R,)."""
    found = events.match(risen, is_up, ground.events, ground.label)
    hit = found.detected >= 0
    detected, false = ground.per_stream(ground.events.first[hit]), ground.per_stream(found.false)
    normal = ground.label == 0
    weighted = ground.weights

    recall = detected_share(ground, hit)
    precision = bootstrap.ratio(detected, detected + false, weighted)
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, out=np.where(np.isnan(recall), np.nan, 0.0), where=both > 0)
    delay_s = np.full(len(hit), np.inf)
    begin_s = ground.t_s[ground.events.first] + ground.horizon_s
    delay_s[hit] = ground.t_s[found.detected[hit]] - begin_s[hit]
    figures = {
        "recall": recall,
        "precision": precision,
        "F1": f1,
        "false alarms a day": bootstrap.ratio(false, ground.days, weighted),
        "time in alarm": bootstrap.ratio(
            ground.per_stream(np.flatnonzero(is_up & normal)), ground.per_stream(np.flatnonzero(normal)), weighted
        ),
    } | {name: _quantile(delay_s, weighted[:, ground.events.stream], share) for name, share in QUANTILES.items()}
    return OperatingPoint(
        threshold=threshold,
        figures={name: bootstrap.figure(values) for name, values in figures.items()},
        events=len(hit),
        detected=int(hit.sum()),
        standing=int(found.standing.sum()),
        false=len(found.false),
        repeats=found.repeats,
        delays_s=delay_s.tolist(),
    )


def _quantile(values: NDArray[np.float64], weighted: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Quantile (1 + K,) at `share` of event values (E,), weighted by (1 + K, E); infinite where missed."""
    if not len(values):
        return np.full(len(weighted), np.nan)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weighted[:, order], axis=1)
    at = (reached >= share * reached[:, -1:] - 1e-9).argmax(axis=1)
    return np.where(reached[:, -1] > 0, values[order][at], np.nan)


def alarm_rows(
    ground: GroundTruth, score: NDArray[np.floating], threshold: float, delays: Delays
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Rows in which an alarm on a score rises (A,), and whether it is active (R,)."""
    is_up = onsets.up(score, threshold, ground.t_s, ground.start, delays)
    return onsets.onsets(is_up, ground.start), is_up


def curve(ground: GroundTruth, score: NDArray[np.floating], delays: Delays, marked: list[float]) -> DetectionCurve:
    """False alarms a day and share of events detected, at thresholds over the whole score and at those marked."""
    known = score[np.isfinite(score)]
    levels = np.quantile(known, 1 - np.geomspace(0.3 / len(known), 1.0, STEPS)) if len(known) else np.zeros(0)
    thresholds = np.unique(np.concatenate([levels, marked]))[::-1]
    points = [_point(ground, score, float(threshold), delays) for threshold in thresholds]
    return DetectionCurve(
        threshold=thresholds.tolist(),
        false_per_day=[round(false, 6) for false, _ in points],
        recall=[round(recall, 6) for _, recall in points],
    )


def at_rate(
    ground: GroundTruth, score: NDArray[np.floating], delays: Delays, swept: DetectionCurve, per_day: float
) -> float | None:
    """Lowest threshold at which the alarm is false at most `per_day` times a day.

    None where even the highest threshold with an alarm exceeds that.
    """
    above: float | None = None
    for threshold, false in zip(swept.threshold, swept.false_per_day, strict=True):
        if false > per_day + ALIKE:
            if above is None:
                return None
            below = threshold
            for _ in range(HALVINGS):
                middle = (above + below) / 2
                if _point(ground, score, middle, delays)[0] > per_day + ALIKE:
                    below = middle
                else:
                    above = middle
            return above
        above = threshold
    return above


def _point(ground: GroundTruth, score: NDArray[np.floating], threshold: float, delays: Delays) -> tuple[float, float]:
    """False alarms a day, and share of events detected."""
    risen, is_up = alarm_rows(ground, score, threshold, delays)
    found = events.match(risen, is_up, ground.events, ground.label)
    days = float(ground.days.sum())
    recall = float((found.detected >= 0).mean()) if len(ground.events) else np.nan
    return len(found.false) / days if days else np.nan, recall
