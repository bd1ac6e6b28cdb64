"""Synthetic anomalies for streams.

Each kind is a pure function of a stream's values and of what was drawn: the same seed gives the same stream. Sizes are
in standard deviations of the channel over the stream. Missing values stay missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class AnomalyKind(StrEnum):
    """Kind of an anomaly."""

    SPIKE = "spike"  # one value stands out, then all is as before
    LEVEL_SHIFT = "level_shift"  # a step up or down
    DRIFT = "drift"  # a ramp that reaches its size at the end
    VARIANCE = "variance"  # noise of this size comes on top
    FLAT_LINE = "flat_line"  # the last value stands still; its size says nothing
    CORRELATION_BREAK = "correlation_break"  # mirrored at its mean: itself as before, against the others turned round
    LAG = "lag"  # what comes is late, by so many ticks


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One anomaly, complete but for noise.

    Attributes:
        kind: Of the anomaly.
        start: First tick.
        length: Ticks; a spike has one.
        channels: Affected columns.
        size: Signed, in standard deviations of each channel; for a lag, ticks.
    """

    kind: AnomalyKind
    start: int
    length: int
    channels: tuple[int, ...]
    size: float


@dataclass(frozen=True, slots=True)
class Injected:
    """A stream with an anomaly.

    Attributes:
        values: (T, C).
        label: (T,) float32, 1 in the anomaly's ticks.
        channels: Affected columns.
    """

    values: NDArray[np.float64]
    label: NDArray[np.float32]
    channels: tuple[int, ...]


def draw(
    rng: np.random.Generator,
    ticks: int,
    channels: Sequence[int],
    *,
    kinds: Sequence[AnomalyKind] = tuple(AnomalyKind),
    size: tuple[float, float] = (2.0, 6.0),
    length: tuple[int, int] = (10, 100),
    lag: tuple[int, int] = (2, 20),
) -> Anomaly:
    """Draw an anomaly that fits into a stream.

    Args:
        rng: Source of randomness.
        ticks: T of the stream, at least 2.
        channels: Columns that may be affected; one to all of them are.
        kinds: Kinds, with equal probability.
        size: Smallest and largest.
        length: Shortest and longest; an anomaly ends with the stream at the latest.
        lag: Shortest and longest, ticks.
    """
    kind = kinds[int(rng.integers(len(kinds)))]
    longest = min(length[1], ticks - 1)
    lasts = 1 if kind is AnomalyKind.SPIKE else int(rng.integers(min(length[0], longest), longest + 1))
    start = int(rng.integers(1, ticks - lasts + 1))  # something precedes it
    count = int(rng.integers(1, len(channels) + 1))
    chosen = tuple(sorted(int(c) for c in rng.choice(np.asarray(channels), count, replace=False)))
    if kind is AnomalyKind.LAG:
        return Anomaly(kind, start, lasts, chosen, float(rng.integers(lag[0], lag[1] + 1)))
    signed = rng.uniform(*size) * (1 if rng.random() < 0.5 else -1)  # noqa: PLR2004  (up or down)
    return Anomaly(kind, start, lasts, chosen, float(signed))


def deviation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C,) each channel's standard deviation over a stream (T, C); 1 where it never moves or is never measured.

    >>> deviation(np.array([[1.0, 5.0, np.nan], [3.0, 5.0, np.nan]])).tolist()
    [1.0, 1.0, 1.0]
    """
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (values - mean) ** 2, 0.0).sum(axis=0) / count)
    return np.where(spread > 0, spread, 1.0)


def inject(values: NDArray[np.float64], anomaly: Anomaly, rng: np.random.Generator) -> Injected:
    """Put an anomaly into a stream.

    Args:
        values: (T, C), NaN where not measured; stays as it is.
        anomaly: Which.
        rng: For the noise of `variance`.

    >>> values = np.array([[1.0], [3.0], [1.0], [3.0], [1.0], [3.0]])
    >>> shift = Anomaly(AnomalyKind.LEVEL_SHIFT, 2, 2, (0,), 5.0)
    >>> inject(values, shift, np.random.default_rng(0)).values[:, 0].tolist()
    [1.0, 3.0, 6.0, 8.0, 1.0, 3.0]
    """
    during = slice(anomaly.start, anomaly.start + anomaly.length)
    columns = list(anomaly.channels)
    before = values[:, columns]  # (T, K)
    out = values.copy()
    out[during, columns] = np.where(np.isnan(before[during]), np.nan, _changed(before, anomaly, deviation(before), rng))
    label = np.zeros(len(values), dtype=np.float32)
    label[during] = 1.0
    return Injected(out, label, anomaly.channels)


def _changed(
    values: NDArray[np.float64], anomaly: Anomaly, unit: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Values (L, K) of the channels (T, K) during the anomaly; `unit` (K,) is one unit of its size."""
    start, length = anomaly.start, anomaly.length
    now = values[start : start + length]
    match anomaly.kind:
        case AnomalyKind.SPIKE | AnomalyKind.LEVEL_SHIFT:
            return now + anomaly.size * unit
        case AnomalyKind.DRIFT:
            return now + anomaly.size * unit * (np.arange(1, length + 1) / length)[:, None]
        case AnomalyKind.VARIANCE:
            return now + anomaly.size * unit * rng.standard_normal(now.shape)
        case AnomalyKind.FLAT_LINE:
            return np.broadcast_to(_carried(values)[start - 1], now.shape)
        case AnomalyKind.CORRELATION_BREAK:
            known = ~np.isnan(now)
            mean = np.where(known, now, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
            mirrored: NDArray[np.float64] = 2.0 * mean - now
            return mirrored
        case AnomalyKind.LAG:
            late = np.maximum(np.arange(start, start + length) - round(anomaly.size), 0)
            return _carried(values)[late]


def _carried(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values (T, K) with gaps filled by the last value, and rows before the first by the first."""
    known = ~np.isnan(values)
    row = np.where(known, np.arange(len(values))[:, None], -1)
    row = np.maximum.accumulate(row, axis=0)
    first = np.where(known.any(axis=0), known.argmax(axis=0), 0)
    return np.take_along_axis(values, np.where(row < 0, first, row), axis=0)
