"""Out-of-distribution patients, and the engine's scores of whole days."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine import Engine, FrameClock, Readings, Watch
from tocsin_training.simulation.ward import parameters as p
from tocsin_training.simulation.ward.physiology import Profile
from tocsin_training.simulation.ward.simulator import BLOCK_TICKS, CHANNELS, Ward

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.engine.model import Model

NS_PER_S = 1_000_000_000
BEYOND = 0.5  # of a baseline's range, at the most
HIGHEST_SPO2 = 99.5  # %, where half a range beyond would be more than there is
NO_FRAME = -np.inf


def out_of_distribution_profile(rng: np.random.Generator) -> Profile:
    """Draw a patient with each baseline outside the range of the training patients, on either side.

    >>> patient = out_of_distribution_profile(np.random.default_rng(1))
    >>> p.BASELINE_HR.low <= patient.hr <= p.BASELINE_HR.high
    False
    """
    typical = Profile.draw(rng)
    sbp, dbp = _outside(p.BASELINE_SBP, rng), _outside(p.BASELINE_DBP, rng)
    return replace(
        typical,
        hr=_outside(p.BASELINE_HR, rng),
        spo2=min(_outside(p.BASELINE_SPO2, rng), HIGHEST_SPO2),
        rr=_outside(p.BASELINE_RR, rng),
        mean_pressure=dbp + (sbp - dbp) / 3.0,
        pulse_pressure=sbp - dbp,
        temp=_outside(p.BASELINE_TEMP, rng),
    )


def _outside(typical: p.Range, rng: np.random.Generator) -> float:
    """Draw from beyond one of a range's ends."""
    by = rng.uniform(0.0, BEYOND) * (typical.high - typical.low)
    return float(typical.low - by if rng.random() < 0.5 else typical.high + by)  # noqa: PLR2004  (either end)


def scores(model: Model, wards: Sequence[Ward], hours: int) -> NDArray[np.float32]:
    """Score all beds of some wards for so many hours with a bundle's engine.

    Returns:
        (T, beds) float32, by tick: NaN where unknown, `NO_FRAME` where there was no frame.
    """
    beds = sum(len(ward.streams) for ward in wards)
    engine = Engine(Watch(model, [], FrameClock(0, NS_PER_S), beds))
    names = [str(bed) for bed in range(beds)]
    made = np.full((hours * BLOCK_TICKS, beds), NO_FRAME, dtype=np.float32)
    for hour in range(hours):
        values = np.concatenate([ward.read(BLOCK_TICKS) for ward in wards])  # (beds, 3600, C)
        for second in range(BLOCK_TICKS):
            tick = hour * BLOCK_TICKS + second
            present = np.flatnonzero(~np.isnan(values[:, second]).all(axis=1)).astype(np.int32)
            at = np.full(len(present), tick * NS_PER_S)
            outcome = engine.apply(Readings(names, CHANNELS, present, at, values[present, second]), tick * NS_PER_S)
            for steps in outcome.steps:
                made[steps.tick, steps.rows] = steps.score
    return made
