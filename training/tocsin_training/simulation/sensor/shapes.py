"""Shapes of normal sensors: families of series, drawn at random, many at a time.

Each family gives n series of T ticks, (n, T) float64, in units of its own; `series.py` joins, rounds and scales them.
No recording goes into any of them: the ranges are wide on purpose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Rng = np.random.Generator
    Many = NDArray[np.float64]

SHORTEST_DAY, LONGEST_DAY = 20.0, 600.0  # ticks of a period; 288 is a day of five-minute ticks
DAYS_OF_A_WEEK = 7


def chosen(rng: Rng, n: int, share: float) -> NDArray[np.bool_]:
    """Random selection (n, 1) of this share of the series."""
    return rng.random((n, 1)) < share


def noise(rng: Rng, n: int, ticks: int) -> Many:
    """White noise of unit size: normal, Laplace, Student-t, uniform or one-sided."""
    kinds = (
        rng.standard_normal((n, ticks)),
        rng.laplace(size=(n, ticks)) / np.sqrt(2.0),
        rng.standard_t(rng.uniform(2.2, 6.0, (n, 1)), (n, ticks)) / 1.6,
        rng.uniform(-1.7, 1.7, (n, ticks)),
        rng.gamma(rng.uniform(0.4, 4.0, (n, 1)), 1.0, (n, ticks)),
    )
    return np.choose(rng.integers(0, len(kinds), (n, 1)), kinds)


def wandering(rng: Rng, n: int, ticks: int, shortest: float = 1.0, longest: float = 400.0) -> Many:
    """Autoregressive series of unit size, each with its own time constant in ticks."""
    memory = np.exp(rng.uniform(np.log(shortest), np.log(longest), n))
    keep = np.exp(-1.0 / memory)
    drawn = noise(rng, n, ticks)
    drawn -= drawn.mean(axis=1, keepdims=True)
    return np.stack([lfilter([np.sqrt(1.0 - a * a)], [1.0, -a], row) for a, row in zip(keep, drawn, strict=True)])


def seasonal(rng: Rng, n: int, ticks: int) -> Many:
    """Days of harmonics of about unit size; some with weekends, some square, some peaked."""
    day = np.exp(rng.uniform(np.log(SHORTEST_DAY), np.log(LONGEST_DAY), (n, 1)))
    t = np.arange(ticks) / day + rng.random((n, 1))  # in days
    wave = sum(
        rng.normal(size=(n, 1)) / order * np.sin(2.0 * np.pi * (order * t + rng.random((n, 1))))
        for order in (1, 2, 3, 4)
    )
    form = rng.integers(0, 4, (n, 1))
    hours = t % 1.0
    square = np.where(hours < rng.uniform(0.2, 0.7, (n, 1)), 1.0, -1.0)
    wave = np.select([form <= 1, form == 2], [wave, np.exp(wave) - 1.0], square)  # noqa: PLR2004  (one form in four)
    restful = (np.floor(t) % DAYS_OF_A_WEEK >= DAYS_OF_A_WEEK - 2) & chosen(rng, n, 0.3)
    return np.where(restful, rng.uniform(0.3, 1.0, (n, 1)) * wave, wave)


def steady(rng: Rng, n: int, ticks: int) -> Many:
    """A level with white or coloured noise."""
    share = rng.random((n, 1))
    return share * noise(rng, n, ticks) + (1.0 - share) * wandering(rng, n, ticks)


def daily(rng: Rng, n: int, ticks: int) -> Many:
    """Days with noise, from nearly none to as much as the day itself."""
    size = 10.0 ** rng.uniform(-2.5, 0.3, (n, 1))
    return seasonal(rng, n, ticks) + size * steady(rng, n, ticks)


def counts(rng: Rng, n: int, ticks: int) -> Many:
    """Events per tick: a daily rate with slow variation, and bursts that decay; long-tailed, never below zero."""
    rate = rng.uniform(0.5, 5.5, (n, 1)) + rng.uniform(0.0, 0.8, (n, 1)) * seasonal(rng, n, ticks)
    rate += rng.uniform(0.0, 0.4, (n, 1)) * wandering(rng, n, ticks)
    sparks = rng.random((n, ticks)) < 10.0 ** rng.uniform(-3.5, -1.2, (n, 1))
    sizes = np.where(sparks, np.minimum(rng.pareto(rng.uniform(1.5, 4.0, (n, 1)), (n, ticks)), 8.0), 0.0)
    fading = np.exp(-1.0 / np.exp(rng.uniform(0.0, 2.5, n)))
    excited = np.stack([lfilter([1.0], [1.0, -keep], row) for keep, row in zip(fading, sizes, strict=True)])
    mean = np.exp(np.clip(rate, -3.0, 9.0)) * (1.0 + excited)
    clumping = 10.0 ** rng.uniform(-0.3, 1.7, (n, 1))  # a gamma's shape: a negative binomial
    return rng.poisson(np.minimum(rng.gamma(clumping, 1.0 / clumping, (n, ticks)) * mean, 1e12)).astype(np.float64)


def load(rng: Rng, n: int, ticks: int) -> Many:
    """A machine's load: an idle level, jobs that come at regular or irregular times, a ceiling of 100."""
    base = rng.uniform(0.5, 50.0, (n, 1)) + 10.0 ** rng.uniform(-2.0, 0.8, (n, 1)) * noise(rng, n, ticks)
    every = np.exp(rng.uniform(np.log(6.0), np.log(400.0), (n, 1)))
    t = np.arange(ticks)
    regular = (t + rng.integers(0, 400, (n, 1))) % np.round(every) < rng.integers(1, 5, (n, 1))
    irregular = rng.random((n, ticks)) < 1.0 / every
    jobs = np.where(chosen(rng, n, 0.5), regular, irregular)
    height = rng.uniform(0.0, 40.0, (n, 1)) * (1.0 + rng.uniform(0.0, 0.5, (n, 1)) * rng.standard_normal((n, ticks)))
    return np.clip(base + jobs * height, 0.0, 100.0)


def switching(rng: Rng, n: int, ticks: int) -> Many:
    """A few regimes with a level and a deviation each, entered again and again."""
    stay = np.exp(rng.uniform(np.log(15.0), np.log(250.0), (n, 1)))
    switches = rng.random((n, ticks)) < 1.0 / stay
    number = np.cumsum(switches, axis=1)
    regimes = rng.integers(2, 5, (n, 1))
    kind = rng.integers(0, 2**31, (n, ticks + 1))[np.arange(n)[:, None], number] % regimes  # (n, T)
    rows = np.arange(n)[:, None]
    level: Many = rng.normal(0.0, 3.0, (n, 4))[rows, kind]
    spread: Many = 10.0 ** rng.uniform(-1.5, 0.3, (n, 4))[rows, kind]
    return level + spread * steady(rng, n, ticks)


def cycling(rng: Rng, n: int, ticks: int) -> Many:
    """On and off, as a compressor or a heater, with durations that vary little; some approach their level slowly."""
    on, off = (np.exp(rng.uniform(np.log(4.0), np.log(120.0), (n, 1))) for _ in range(2))
    most = ticks // 4 + 2
    jitter = 1.0 + rng.uniform(0.0, 0.25, (n, 1)) * rng.standard_normal((n, 2 * most))
    sustained = np.where(np.arange(2 * most) % 2 == 0, on, off) * np.maximum(jitter, 0.3)
    edges = np.cumsum(np.maximum(sustained, 1.0), axis=1)
    square = np.stack([np.searchsorted(row, np.arange(ticks)) % 2 for row in edges]).astype(np.float64)
    keep = np.where(chosen(rng, n, 0.5)[:, 0], 0.0, rng.uniform(0.5, 0.95, n))
    smooth = np.stack([lfilter([1.0 - a], [1.0, -a], row) for a, row in zip(keep, square, strict=True)])
    return 3.0 * smooth + 10.0 ** rng.uniform(-2.5, -0.2, (n, 1)) * noise(rng, n, ticks)


def walking(rng: Rng, n: int, ticks: int) -> Many:
    """Random walks with slow mean reversion, as temperatures and tank levels."""
    slow = wandering(rng, n, ticks, 200.0, 3000.0)
    return 3.0 * slow + 10.0 ** rng.uniform(-2.0, -0.3, (n, 1)) * noise(rng, n, ticks)


def latency(rng: Rng, n: int, ticks: int) -> Many:
    """Response times: long-tailed and clustered."""
    mood = rng.uniform(0.05, 0.8, (n, 1)) * wandering(rng, n, ticks)
    tail = rng.uniform(0.05, 0.7, (n, 1)) * noise(rng, n, ticks)
    return np.exp(np.clip(mood + tail, -6.0, 6.0))


def sparse(rng: Rng, n: int, ticks: int) -> Many:
    """Mostly zero, with rare values of very unequal size."""
    busy = rng.random((n, ticks)) < 10.0 ** rng.uniform(-2.0, -0.3, (n, 1))
    size = np.exp(rng.uniform(0.1, 1.2, (n, 1)) * rng.standard_normal((n, ticks)))
    return busy * size + 10.0 ** rng.uniform(-4.0, -1.0, (n, 1)) * np.abs(noise(rng, n, ticks))


def trending(rng: Rng, n: int, ticks: int) -> Many:
    """A steady rise or fall under noise or days."""
    slope = rng.normal(0.0, 4.0, (n, 1)) * np.arange(ticks) / ticks
    return slope + np.where(chosen(rng, n, 0.5), steady(rng, n, ticks), daily(rng, n, ticks))


FAMILIES: tuple[Callable[[Rng, int, int], Many], ...] = (
    steady,
    daily,
    daily,
    counts,
    counts,
    counts,
    load,
    load,
    switching,
    cycling,
    walking,
    latency,
    latency,
    sparse,
    trending,
)
"""Some stand here more than once: they are that much more common."""
