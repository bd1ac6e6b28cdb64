"""Faults of a simulated sensor: one departure from normal, put into a normal series.

Sizes are in units of the series' own range, from its 1st to its 99th percentile, so that a fault is equally visible in
any unit. Each function changes `row` from `start` on and returns the fault's length in ticks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Rng = np.random.Generator
    Row = NDArray[np.float64]


def _reach(row: Row) -> float:
    low, high = np.quantile(row, [0.01, 0.99])
    return float(high - low) or float(np.ptp(row)) or max(abs(float(row[0])), 1.0) * 0.1


def _sign(rng: Rng) -> float:
    return 1.0 if rng.random() < 0.7 else -1.0  # noqa: PLR2004  (most departures are upward: loads, counts, heat)


def spike(rng: Rng, row: Row, start: int) -> int:
    """Far outside the range for a few ticks."""
    length = int(rng.integers(1, 7))
    high = float(np.max(row)) if rng.random() < 0.75 else float(np.min(row))  # noqa: PLR2004  (see `_sign`)
    away = 1.0 if high == float(np.max(row)) else -1.0
    height = rng.uniform(0.15, 2.0) * max(_reach(row), 0.3 * float(np.ptp(row)))
    row[start : start + length] = high + away * height * rng.uniform(0.7, 1.0, len(row[start : start + length]))
    return length


def shift(rng: Rng, row: Row, start: int) -> int:
    """Another level, for a while or to the end."""
    length = int(rng.integers(40, 500)) if rng.random() < 0.7 else len(row) - start  # noqa: PLR2004  (for a while)
    row[start : start + length] += _sign(rng) * rng.uniform(0.5, 2.5) * _reach(row)
    return length


def ramp(rng: Rng, row: Row, start: int) -> int:
    """Rise or fall, then as before."""
    length = int(rng.integers(30, 200))
    part = row[start : start + length]
    part += _sign(rng) * rng.uniform(0.7, 2.5) * _reach(row) * np.linspace(0.0, 1.0, len(part))
    return length


def amplified(rng: Rng, row: Row, start: int) -> int:
    """Deviations from the mean several times as large."""
    length = int(rng.integers(40, 300))
    part = row[start : start + length]
    level = np.median(part)
    part[:] = level + rng.uniform(2.5, 6.0) * (part - level)
    return length


def stuck(rng: Rng, row: Row, start: int) -> int:
    """Last value repeated, or a floor."""
    length = int(rng.integers(40, 300))
    row[start : start + length] = row[start] if rng.random() < 0.6 else np.min(row)  # noqa: PLR2004  (stuck, or dead)
    return length


def burst(rng: Rng, row: Row, start: int) -> int:
    """Surge that decays."""
    length = int(rng.integers(10, 120))
    part = row[start : start + length]
    high = np.quantile(row, 0.995) - np.median(row) or _reach(row)
    part += (
        rng.uniform(1.5, 6.0) * high * np.exp(-4.0 * np.arange(len(part)) / length) * rng.uniform(0.6, 1.4, len(part))
    )
    return length


def clustered_spikes(rng: Rng, row: Row, start: int) -> int:
    """Many spikes in a short time."""
    length = int(rng.integers(40, 200))
    part = row[start : start + length]
    hit = rng.random(len(part)) < rng.uniform(0.15, 0.5)
    part[hit] = np.quantile(row, rng.uniform(0.98, 1.0)) * np.ones(int(hit.sum()))
    return length


def attenuated(rng: Rng, row: Row, start: int) -> int:
    """Deviations missing: a day without its peak, an idle machine."""
    length = int(rng.integers(80, 400))
    part = row[start : start + length]
    level = np.quantile(row, rng.uniform(0.05, 0.5))
    part[:] = level + rng.uniform(0.0, 0.15) * (part - np.median(part))
    return length


FAULTS: tuple[Callable[[Rng, Row, int], int], ...] = (
    spike,
    spike,
    spike,
    shift,
    shift,
    ramp,
    amplified,
    stuck,
    burst,
    burst,
    clustered_spikes,
    attenuated,
)
"""Each puts a fault into `row` from `start` on, in place, and returns its length in ticks."""
