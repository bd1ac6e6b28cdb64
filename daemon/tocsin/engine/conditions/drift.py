"""Drift: a score creeps up against the stream's own beginning. A one-sided cumulative sum tells it.

The first hours of a stream are its reference, and stay it: one that followed the score would hide the very thing it
should show. From then on every frame adds by how much the score is above the reference, less a slack, and the sum never
falls below 0 (Page, Continuous inspection schemes, Biometrika 41, 1954). It is counted in units of the noise that
normal streams have about their own middle, on the score's logarithm, and in hours: a score three noises up with a slack
of one adds two an hour. A single frame counts for at most `WIDEST` noises.

What it looks at is the score as the model gave it, whatever adaptation makes of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.conditions.base import Drift

CELLS = 3
"""The reference's logarithm, how many frames it is the mean of, the sum."""

WIDEST = 4.0
LOWEST = 1e-3  # of the score: what lies below is as good as nothing
HIGHEST_SUM = 2.0  # times the limit: what has come up for a day need not go down for a day
_NS_PER_H = 3_600_000_000_000


def note(
    condition: Drift,
    notes: NDArray[np.float64],
    score: NDArray[np.float32],
    counts: NDArray[np.bool_],
    period_ns: int,
) -> None:
    """Take one score each of n streams into their cells (n, 3), in place.

    Args:
        condition: What is asked.
        notes: (n, 3) the cells.
        score: (n,) as the model gave them; unknown (NaN) changes nothing.
        counts: (n,) whether a frame is a new one; others change nothing.
        period_ns: Of a tick.
    """
    there = counts & ~np.isnan(score)
    logarithm = np.log(np.maximum(np.where(there, score, 1.0).astype(np.float64), LOWEST))
    seen = np.where(np.isnan(notes[:, 1]), 0.0, notes[:, 1])
    reference = np.where(np.isnan(notes[:, 0]), 0.0, notes[:, 0])
    total = np.where(np.isnan(notes[:, 2]), 0.0, notes[:, 2])
    settling = seen < condition.settle_ns // period_ns
    above = np.clip((logarithm - reference) / condition.noise, -WIDEST, WIDEST) - condition.slack
    grown = np.clip(total + above * (period_ns / _NS_PER_H), 0.0, HIGHEST_SUM * condition.limit)
    notes[:, 0] = np.where(there & settling, reference + (logarithm - reference) / (seen + 1.0), notes[:, 0])
    notes[:, 1] = np.where(there & settling, seen + 1.0, notes[:, 1])
    notes[:, 2] = np.where(there & ~settling, grown, notes[:, 2])


def total(notes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) the sums; NaN while there is no reference."""
    return notes[:, 2]
