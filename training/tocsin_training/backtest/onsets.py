"""Onsets and duration of alarms on a score, for whole records at once.

`tocsin.engine.conditions.delays` decides tick by tick; a curve needs dozens of thresholds, which here cost a few passes
over columns each. A test compares the two, and so does every evaluation at its operating point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Delays:
    """On- and off-delay of an alarm, in seconds."""

    on_s: float = 0.0
    off_s: float = 0.0


def up(
    score: NDArray[np.floating],
    threshold: float,
    t_s: NDArray[np.floating],
    start: NDArray[np.int64],
    delays: Delays,
) -> NDArray[np.bool_]:
    """Whether the alarm is up after each row, (R,).

    It rises once the score has been at or above the threshold for the on-delay, and falls once it has been below for
    the off-delay. An unknown score (NaN) restarts both delays and changes nothing.

    Args:
        score: (R,) NaN is unknown.
        threshold: At or above it the condition is true.
        t_s: (R,) time of each row in seconds, ascending within a stream.
        start: (B + 1,) stream b owns the rows `start[b]:start[b + 1]`.
        delays: Of the alarm.

    >>> score, row, start = np.array([0, 2, 2, np.nan, 0, 0, 2.0]), np.arange(7.0), np.array([0, 7])
    >>> up(score, 1.0, row, start, Delays()).astype(int).tolist()
    [0, 1, 1, 1, 0, 0, 1]
    >>> up(score, 1.0, row, start, Delays(on_s=1, off_s=1)).astype(int).tolist()
    [0, 0, 1, 1, 1, 0, 0]
    """
    rows = np.arange(len(score))
    with np.errstate(invalid="ignore"):
        truth = np.where(np.isnan(score), 0, np.where(score >= threshold, 2, 1)).astype(np.int8)
    first = np.zeros(len(score), dtype=bool)
    first[start[:-1]] = True
    changed = first | (np.diff(truth, prepend=-1) != 0)
    since = t_s[np.maximum.accumulate(np.where(changed, rows, 0))]
    # In whole nanoseconds, as the engine counts: 0.3 s are three ticks of 0.1 s.
    lasted = np.rint((t_s - since) * 1e9)
    sets = (truth == 2) & (lasted >= np.rint(delays.on_s * 1e9))  # noqa: PLR2004  (true)
    clears = (truth == 1) & (lasted >= np.rint(delays.off_s * 1e9))
    # The last row that set or cleared decides; a stream's first row clears, so that nothing comes from the one before.
    decided = np.maximum.accumulate(np.where(sets | clears | first, rows, 0))
    decision: NDArray[np.bool_] = sets[decided]
    return decision


def onsets(is_up: NDArray[np.bool_], start: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows in which an alarm rises; stream b owns the rows `start[b]:start[b + 1]`.

    >>> onsets(np.array([True, True, False, True, True, False]), np.array([0, 4, 6])).tolist()
    [0, 3, 4]
    """
    before = np.concatenate([[False], is_up[:-1]])
    before[start[:-1]] = False
    return np.flatnonzero(is_up & ~before)
