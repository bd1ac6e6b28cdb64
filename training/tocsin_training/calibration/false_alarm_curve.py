"""False-alarm curve of a bundle's manifest: onsets a stream-day on normal data, by threshold.

Scores come from the daemon's own engine (`backtest`), and onsets are those of its alarms: one that rises after its
on-delay and falls after its off-delay is one onset. So the curve is declustered as in the daemon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import genpareto

from tocsin.bundle.calibration import Curve, OnsetRates, ScoreStatistics, Tail
from tocsin.engine.conditions.adaptation import HIGH
from tocsin_training.backtest.backtest import backtest
from tocsin_training.backtest.onsets import Delays, onsets, up
from tocsin_training.scores.thresholds import SECONDS_PER_DAY, sustained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.engine.model import Model
    from tocsin_training.data.dataset import StreamDataset

STREAMS_TOGETHER = 512  # played at once: what the engine says of a row takes more memory than the row
OFTENEST = 50.0  # onsets per stream-day
COUNTED = 20  # onsets at the least where a rate is called counted
PEAKS = 50  # onsets from which the tail begins, where there are so many
TRIED = 80  # thresholds
APART = 1.15  # from one rate of the curve to the next
_SD_OF_MEDIAN = 1.4826  # of a normal distribution: its standard deviation by the median of absolute deviations
STEEPEST, FLATTEST = -0.5, 0.5  # shapes of a tail: beyond them few peaks say nothing that one could trust


@dataclass(frozen=True, slots=True)
class EngineScores:
    """Scores of the daemon's engine for R rows of normal streams.

    Attributes:
        score: (R,) NaN where unknown.
        tick: (R,) int64.
        start: (B + 1,) stream b owns the rows `start[b]:start[b + 1]`.
        period_s: Length of a tick.
    """

    score: NDArray[np.float32]
    tick: NDArray[np.int64]
    start: NDArray[np.int64]
    period_s: float

    @property
    def days(self) -> float:
        """Stream-days."""
        return float(self.days_of_each.sum())

    @property
    def days_of_each(self) -> NDArray[np.float64]:
        """Days (B,) from each stream's first tick to its last."""
        first, last = self.tick[self.start[:-1]], self.tick[self.start[1:] - 1]
        return (last - first + 1).astype(np.float64) * (self.period_s / SECONDS_PER_DAY)


def normal_streams(data: StreamDataset) -> StreamDataset | None:
    """Streams of the first class, or those without a labelled row; None if there are none."""
    event = np.zeros(len(data), dtype=bool)
    if data.label is not None:
        event = np.maximum.reduceat(data.label, data.start[:-1]) > 0
    if data.kind is not None:
        event = data.kind > 0
    if not event.any():
        return data
    return None if event.all() else data.pick(np.flatnonzero(~event))


def engine_scores(model: Model, data: StreamDataset) -> EngineScores:
    """Score streams with the daemon's engine, some of them at a time."""
    parts = []
    for first in range(0, len(data), STREAMS_TOGETHER):
        some = data.pick(np.arange(first, min(first + STREAMS_TOGETHER, len(data))))
        parts.append(backtest(model, [], some).score)
    return EngineScores(np.concatenate(parts), np.asarray(data.tick), data.start, model.period_ns / 1e9)


def false_alarm_curve(
    seen: EngineScores, delays: Sequence[tuple[int, int]], data: str, *, probability: bool = False
) -> Curve | None:
    """Count onsets at many thresholds, and fit the tail beyond.

    Args:
        seen: Scores of normal streams.
        delays: On- and off-delays in ticks, a line of the curve each; a line with too few onsets is left out.
        data: Description of the streams.
        probability: Whether scores are probabilities; those have no baseline, as their thresholds do not adapt.

    Returns:
        The curve; None if no line has enough onsets.
    """
    rates = [made for on, off in delays if (made := _rates(seen, on, off)) is not None]
    if not rates:
        return None
    return Curve(
        stream_days=_short(seen.days),
        streams=len(seen.start) - 1,
        data=data,
        rates=tuple(rates),
        score_statistics=None if probability else score_statistics(seen),
    )


def score_statistics(seen: EngineScores) -> ScoreStatistics | None:
    """Median, high quantile and noise of normal streams' scores; None if a known score is not positive.

    The noise is the median absolute deviation of each stream's log score about its own median, scaled to a normal
    distribution's standard deviation.
    """
    known = seen.score[~np.isnan(seen.score)].astype(np.float64)
    if not len(known) or known.min() <= 0.0:
        return None
    deviations = []
    for begin, end in zip(seen.start[:-1], seen.start[1:], strict=True):
        score = seen.score[begin:end]
        logarithm = np.log(score[~np.isnan(score)].astype(np.float64))
        deviations.append(np.abs(logarithm - np.median(logarithm)) if len(logarithm) else logarithm)
    noise = float(np.median(np.concatenate(deviations))) * _SD_OF_MEDIAN
    middle, high = (float(np.quantile(known, level)) for level in (0.5, HIGH))
    if noise <= 0 or high <= middle:  # as good as constant
        return None
    return ScoreStatistics(median=_short(middle), p90=_short(high), log_std=_short(noise))


def alarm_intervals(
    seen: EngineScores, threshold: float, on_ticks: int, off_ticks: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows (A,) in which an alarm at this threshold rises, and rows (A,) in which it falls or its stream ends.

    Only the ends of stretches below the threshold are evaluated: inside them nothing changes.
    """
    with np.errstate(invalid="ignore"):
        below = seen.score < threshold
    edge = np.zeros(len(below), dtype=bool)
    edge[seen.start[:-1]] = edge[seen.start[1:] - 1] = True
    inner = below & ~edge
    inner[1:] &= below[:-1]
    inner[:-1] &= below[1:]
    rows = np.flatnonzero(~inner)
    start = np.searchsorted(rows, seen.start)
    t_s = seen.tick[rows] * seen.period_s
    is_up = up(seen.score[rows], threshold, t_s, start, Delays(on_ticks * seen.period_s, off_ticks * seen.period_s))
    rises = onsets(is_up, start)
    after = np.append(is_up[1:], False)
    after[start[1:] - 1] = False
    falls = np.flatnonzero(is_up & ~after)
    return rows[rises], rows[falls]


def _rates(seen: EngineScores, on_ticks: int, off_ticks: int) -> OnsetRates | None:
    """One line of the curve."""
    held = sustained(np.where(np.isnan(seen.score), -np.inf, seen.score), seen.start, on_ticks)
    known = held[np.isfinite(held)]
    if len(known) < COUNTED:
        return None
    shares = np.geomspace(min(COUNTED / len(known), 0.5), 0.5, TRIED)
    tried = np.unique(np.quantile(known, 1.0 - shares).astype(np.float64))[::-1]  # the highest first
    thresholds: list[float] = []
    counts: list[int] = []
    for threshold in tried:
        count = len(alarm_intervals(seen, float(threshold), on_ticks, off_ticks)[0])
        if counts and count < counts[-1] / 2:
            break  # below here the score is up more often than it rises
        if count >= COUNTED and (not counts or count >= APART * counts[-1]):
            thresholds.append(float(threshold))
            counts.append(count)
        if count > OFTENEST * seen.days:
            break
    if not counts:
        return None
    thresholds.reverse()
    counts.reverse()
    return OnsetRates(
        on_delay_ticks=on_ticks,
        off_delay_ticks=off_ticks,
        thresholds=tuple(_short(threshold) for threshold in thresholds),
        per_day=tuple(_short(count / seen.days) for count in counts),
        tail=_tail(seen, held, thresholds, counts, (on_ticks, off_ticks)),
    )


def _tail(
    seen: EngineScores,
    held: NDArray[np.float32],
    thresholds: list[float],
    counts: list[int],
    delays: tuple[int, int],
) -> Tail | None:
    """Generalised Pareto fit of the peaks over the highest threshold with enough of them."""
    able = [i for i, count in enumerate(counts) if count >= PEAKS]
    if not able:
        return None
    threshold, count = thresholds[able[-1]], counts[able[-1]]
    rises, falls = alarm_intervals(seen, threshold, *delays)
    bounds = np.column_stack([rises, falls + 1]).ravel()
    peaks = np.maximum.reduceat(np.append(held, -np.inf), bounds)[::2]
    excess = np.maximum(peaks.astype(np.float64) - threshold, 0.0)
    shape, _, scale = genpareto.fit(excess, floc=0.0)
    if not STEEPEST <= shape <= FLATTEST:
        shape, scale = 0.0, float(excess.mean())
    # What was counted beyond u counts for more than what was fitted: the tail begins where counting ends. A generalised
    # Pareto distribution over a higher threshold has the same shape, and this scale.
    scale += shape * (thresholds[-1] - threshold)
    if scale <= 0:
        return None
    return Tail(
        threshold=_short(thresholds[-1]),
        per_day=_short(counts[-1] / seen.days),
        shape=_short(shape),
        scale=_short(scale),
        peaks=count,
    )


def _short(value: float) -> float:
    """Value rounded to six digits, for the manifest."""
    return float(f"{value:.6g}")
