"""How often an alarm rises on normal data, against its threshold: the curve in a bundle's manifest.

Scores come from the daemon's own engine (`evaluation.backtest`), and onsets are those of its alarms: one that rises
after its on-delay and falls after its off-delay is one onset. So the curve is declustered as the daemon declusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import genpareto

from tocsin.bundle.calibration import Curve, Rates, Tail, Usual
from tocsin.engine.adaptation import HIGH
from tocsin_training.backtest.backtest import play
from tocsin_training.backtest.onsets import Delays, onsets, up
from tocsin_training.scores.thresholds import SECONDS_PER_DAY, lasting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.engine.model import Model
    from tocsin_training.data.dataset import Sequences

STREAMS_TOGETHER = 512  # played at once: what the engine says of a row takes more memory than the row
OFTENEST = 50.0  # onsets per stream-day; nobody wants more
COUNTED = 20  # onsets at the least where a rate is called counted
PEAKS = 50  # onsets from which the tail begins, where there are so many
TRIED = 80  # thresholds
APART = 1.15  # from one rate of the curve to the next
_SD_OF_MEDIAN = 1.4826  # of a normal distribution: its standard deviation by the median of absolute deviations
STEEPEST, FLATTEST = -0.5, 0.5  # shapes of a tail: beyond them few peaks say nothing that one could trust


@dataclass(frozen=True, slots=True)
class Scored:
    """What a bundle's engine made of R rows of normal streams.

    Attributes:
        score: (R,) NaN where unknown.
        tick: (R,) int64.
        start: (B + 1,) stream b owns the rows `start[b]:start[b + 1]`.
        period_s: Of a tick.
    """

    score: NDArray[np.float32]
    tick: NDArray[np.int64]
    start: NDArray[np.int64]
    period_s: float

    @property
    def days(self) -> float:
        """Stream-days in all."""
        return float(self.days_of_each.sum())

    @property
    def days_of_each(self) -> NDArray[np.float64]:
        """(B,) from each stream's first tick to its last."""
        first, last = self.tick[self.start[:-1]], self.tick[self.start[1:] - 1]
        return (last - first + 1).astype(np.float64) * (self.period_s / SECONDS_PER_DAY)


def normal(data: Sequences) -> Sequences | None:
    """The streams of the first class, or those in which no row is labelled; None if there are none."""
    event = np.zeros(len(data), dtype=bool)
    if data.label is not None:
        event = np.maximum.reduceat(data.label, data.start[:-1]) > 0
    if data.kind is not None:
        event = data.kind > 0
    if not event.any():
        return data
    return None if event.all() else data.pick(np.flatnonzero(~event))


def scored(model: Model, data: Sequences) -> Scored:
    """Let the daemon's engine score streams, some of them at a time."""
    parts = []
    for first in range(0, len(data), STREAMS_TOGETHER):
        some = data.pick(np.arange(first, min(first + STREAMS_TOGETHER, len(data))))
        parts.append(play(model, [], some).score)
    return Scored(np.concatenate(parts), np.asarray(data.tick), data.start, model.period_ns / 1e9)


def curve(seen: Scored, delays: Sequence[tuple[int, int]], data: str, *, probability: bool = False) -> Curve | None:
    """Count onsets at many thresholds, and fit what lies beyond.

    Args:
        seen: Normal streams.
        delays: On- and off-delays in ticks, a line of the curve each; one with too few onsets is left out.
        data: What the streams are, for people.
        probability: Whether scores are probabilities: of those nothing is usual, as no threshold on them adapts.

    Returns:
        None if no line has onsets enough.
    """
    rates = [made for on, off in delays if (made := _rates(seen, on, off)) is not None]
    if not rates:
        return None
    return Curve(
        stream_days=_short(seen.days),
        streams=len(seen.start) - 1,
        data=data,
        rates=tuple(rates),
        usual=None if probability else usual(seen),
    )


def usual(seen: Scored) -> Usual | None:
    """What is usual of normal streams' scores; None if some known score isn't positive.

    The noise is that of each stream's logarithm about its own median, by the median of all deviations.
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
    return Usual(middle=_short(middle), high=_short(high), noise=_short(noise))


def risen(seen: Scored, threshold: float, on_ticks: int, off_ticks: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where an alarm at this threshold rises and where it falls or its stream ends: (A,) rows each.

    Stretches far below the threshold say nothing but how long they are, so their ends alone are looked at.
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


def _rates(seen: Scored, on_ticks: int, off_ticks: int) -> Rates | None:
    """One line of the curve."""
    held = lasting(np.where(np.isnan(seen.score), -np.inf, seen.score), seen.start, on_ticks)
    known = held[np.isfinite(held)]
    if len(known) < COUNTED:
        return None
    shares = np.geomspace(min(COUNTED / len(known), 0.5), 0.5, TRIED)
    tried = np.unique(np.quantile(known, 1.0 - shares).astype(np.float64))[::-1]  # the highest first
    thresholds: list[float] = []
    counts: list[int] = []
    for threshold in tried:
        count = len(risen(seen, float(threshold), on_ticks, off_ticks)[0])
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
    return Rates(
        on_delay_ticks=on_ticks,
        off_delay_ticks=off_ticks,
        thresholds=tuple(_short(threshold) for threshold in thresholds),
        per_day=tuple(_short(count / seen.days) for count in counts),
        tail=_tail(seen, held, thresholds, counts, (on_ticks, off_ticks)),
    )


def _tail(
    seen: Scored,
    held: NDArray[np.float32],
    thresholds: list[float],
    counts: list[int],
    delays: tuple[int, int],
) -> Tail | None:
    """Fit the peaks over the highest threshold that has enough of them."""
    able = [i for i, count in enumerate(counts) if count >= PEAKS]
    if not able:
        return None
    threshold, count = thresholds[able[-1]], counts[able[-1]]
    rises, falls = risen(seen, threshold, *delays)
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
    """To six digits: the rest is noise, and a manifest is read by people too."""
    return float(f"{value:.6g}")
