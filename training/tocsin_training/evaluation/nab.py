"""Score of the Numenta Anomaly Benchmark (NAB): detections weighted by how early they come.

A series has labelled windows around its anomalies. The first detection inside a window is worth up to 1, nearly all
of it in the first half; one outside costs up to 0.11, less if it comes shortly after a window; a window without any
costs 1. The first rows of a series are probation and count nothing. One threshold serves all series (standard
profile; Lavin and Ahmad, Evaluating Real-Time Anomaly Detection Algorithms, ICMLA 2015, arXiv:1510.03336).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.backtest import onsets
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FALSE_POSITIVE = 0.11  # the standard profile's weights
MISSED = 1.0
STEEPNESS = 5.0
FAR = 3.0  # window widths past a window's end; from there on a false detection costs all it can
PROBATION = 0.15  # share of rows, of at most `PROBATION_OF` rows
PROBATION_OF = 5000

GRID = 120  # thresholds tried
MOST_RINGING = 0.03  # share of rows


@dataclass(frozen=True, slots=True)
class WindowLabels:
    """One series' labels.

    Attributes:
        reward: (T,) reward of a detection in this row inside a window, its cost (negative) outside.
        window: (T,) the number of the window that the row lies in; -1 outside, and in probation.
        scored: (T,) False in probation.
        windows: W, the number of windows.
    """

    reward: NDArray[np.float64]
    window: NDArray[np.int64]
    scored: NDArray[np.bool_]
    windows: int


@dataclass(frozen=True, slots=True)
class NabOperation:
    """Result of one threshold over all series.

    Attributes:
        threshold: A row with this score or a higher one is a detection.
        score: Normalised: 0 without detections, 100 for every window at its first row and nothing else.
        found: Windows with a detection.
        windows: All windows.
        false: Rows outside windows that are detections.
    """

    threshold: float
    score: float
    found: int
    windows: int
    false: int


def scaled_sigmoid(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reward of a detection at a position (in window widths, 0 at the window's end, -1 at its start).

    >>> scaled_sigmoid(np.array([-1.0, -0.5, 0.0, 1.0, 9.0])).round(5).tolist()
    [0.98661, 0.84828, 0.0, -0.98661, -1.0]
    """
    near = np.minimum(position, FAR)
    return np.where(position >= FAR, -1.0, 2.0 / (1.0 + np.exp(STEEPNESS * near)) - 1.0)


def probation(rows: int) -> int:
    """Number of first rows of a series that are not scored.

    >>> probation(4032), probation(15902)
    (604, 750)
    """
    return int(min(PROBATION * rows, PROBATION * PROBATION_OF))


def labels(rows: int, windows: Sequence[tuple[int, int]]) -> WindowLabels:
    """Say what a detection in each row is worth.

    Args:
        rows: T.
        windows: First and last row of each, in order, apart from each other.

    >>> made = labels(100, [(40, 49)])
    >>> made.reward[[20, 40, 45, 49, 50, 80]].round(3).tolist()
    [-0.11, 1.0, 0.86, 0.248, -0.03, -0.11]
    >>> made.window[[39, 40, 49, 50]].tolist(), int(made.scored.sum())
    ([-1, 0, 0, -1], 85)
    """
    row = np.arange(rows)
    reward = np.full(rows, -FALSE_POSITIVE)
    window = np.full(rows, -1)
    most = float(scaled_sigmoid(np.array(-1.0)))
    for number, (first, last) in enumerate(windows):
        if not 0 <= first < last < rows:
            raise TrainingError(f"window {first} to {last} does not lie in {rows} rows; give its first and last row")
        width = last - first + 1
        inside = slice(first, last + 1)
        reward[inside] = scaled_sigmoid((row[inside] - last - 1) / width) / most
        window[inside] = number
        reward[last + 1 :] = FALSE_POSITIVE * scaled_sigmoid((row[last + 1 :] - last) / (width - 1))
    scored = row >= probation(rows)
    return WindowLabels(reward, np.where(scored, window, -1), scored, len(windows))


def at(scores: Sequence[NDArray[np.floating]], truths: Sequence[WindowLabels], threshold: float) -> NabOperation:
    """What a given threshold gives; scores are one (T,) a series, NaN where there is none.

    >>> truth = labels(100, [(40, 49)])
    >>> score = np.zeros(100)
    >>> score[40] = 1.0
    >>> at([score], [truth], 0.5)
    NabOperation(threshold=0.5, score=100.0, found=1, windows=1, false=0)
    >>> at([score], [truth], 2.0).score
    0.0
    """
    swept = sweep(scores, truths)
    alarm_rows = int(np.searchsorted(-swept.threshold, -threshold, side="right"))
    return swept.operation(alarm_rows, threshold)


def best(scores: Sequence[NDArray[np.floating]], truths: Sequence[WindowLabels]) -> NabOperation:
    """The threshold with the highest score over all series, as the leaderboard chooses it: with the labels.

    >>> truth = labels(100, [(40, 49)])
    >>> score = np.zeros(100)
    >>> score[[45, 80]] = 0.9, 0.5
    >>> chosen = best([score], [truth])
    >>> chosen.threshold, round(chosen.score, 1), chosen.found, chosen.false
    (0.9, 93.0, 1, 0)
    """
    swept = sweep(scores, truths)
    alarm_rows = int(np.argmax(swept.total))
    threshold = float(swept.threshold[alarm_rows - 1]) if alarm_rows else np.inf
    return swept.operation(alarm_rows, threshold)


def alarms_at(
    scores: Sequence[NDArray[np.floating]], truths: Sequence[WindowLabels], threshold: float, quiet: int
) -> NabOperation:
    """What an alarm with this threshold gives that clears after `quiet` rows below it: its onsets are the detections.

    An alarm that goes on for ten rows is one detection, not ten.

    >>> truth = labels(100, [(40, 49)])
    >>> score = np.zeros(100)
    >>> score[[40, 41, 80, 82, 84]] = 1.0
    >>> alarms_at([score], [truth], 0.5, 5).false, at([score], [truth], 0.5).false
    (1, 3)
    """
    alarm_rows = [alarm_onsets(score, threshold, quiet) for score in scores]
    return replace(at(alarm_rows, truths, 1.0), threshold=threshold)


def alarm_onsets(score: NDArray[np.floating], threshold: float, quiet: int) -> NDArray[np.float64]:
    """(T,) 1 in the rows in which such an alarm rises, else 0."""
    whole = np.array([0, len(score)])
    is_up = onsets.up(score, threshold, np.arange(len(score), dtype=float), whole, onsets.Delays(off_s=quiet))
    risen = np.zeros(len(score))
    risen[onsets.onsets(is_up, whole)] = 1.0
    return risen


def best_alarms(scores: Sequence[NDArray[np.floating]], truths: Sequence[WindowLabels], quiet: int) -> NabOperation:
    """Threshold with the highest score of those on `GRID`, which alarm in few to many rows."""
    every = np.concatenate([score[truth.scored] for score, truth in zip(scores, truths, strict=True)])
    every = every[~np.isnan(every)]
    grid = np.unique(np.quantile(every, 1.0 - np.geomspace(1.0 / len(every), MOST_RINGING, GRID)))
    tried = [alarms_at(scores, truths, float(threshold), quiet) for threshold in grid]
    return max(tried, key=lambda operation: operation.score)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Results of all thresholds: entry k is the threshold at which the k rows of highest score alarm.

    Attributes:
        threshold: (R,) the scores of all scored rows, falling.
        total: (R + 1,) the sum of rewards and costs; -inf between equal scores.
        found: (R + 1,) windows with a detection.
        false: (R + 1,) detections outside windows.
        windows: All windows.
    """

    threshold: NDArray[np.float64]
    total: NDArray[np.float64]
    found: NDArray[np.int64]
    false: NDArray[np.int64]
    windows: int

    def operation(self, alarm_rows: int, threshold: float) -> NabOperation:
        """Entry with this number of alarm rows."""
        return NabOperation(
            threshold=threshold,
            score=normalised(float(self.total[alarm_rows]), self.windows),
            found=int(self.found[alarm_rows]),
            windows=self.windows,
            false=int(self.false[alarm_rows]),
        )


def normalised(total: float, windows: int) -> float:
    """From a sum of rewards and costs to 0 for silence and 100 for perfection."""
    return 100.0 * (total + MISSED * windows) / ((1.0 + MISSED) * windows)


def sweep(scores: Sequence[NDArray[np.floating]], truths: Sequence[WindowLabels]) -> Sweep:
    """Lower the threshold row by row over all series at once, in O(R log R).

    A row outside windows adds its cost once it alarms. One inside adds its reward less that of the best row of its
    window so far.
    """
    offsets = np.cumsum([0, *(truth.windows for truth in truths)])
    windows = int(offsets[-1])
    if not windows:
        raise TrainingError("no series has a labelled window; the score is normalised by their number")
    score = np.concatenate([np.asarray(part, dtype=np.float64) for part in scores])
    counts = np.concatenate([truth.scored for truth in truths]) & ~np.isnan(score)
    reward = np.concatenate([truth.reward for truth in truths])[counts]
    window = np.concatenate(
        [
            np.where(truth.window >= 0, truth.window + before, -1)
            for truth, before in zip(truths, offsets[:-1], strict=True)
        ]
    )[counts]
    score = score[counts]

    order = np.argsort(-score, kind="stable")
    score, reward, window = score[order], reward[order], window[order]
    inside = window >= 0
    gain = np.where(inside, 0.0, reward)
    first = np.zeros(len(score), dtype=np.int64)
    for number in np.unique(window[inside]):
        rows = np.flatnonzero(window == number)
        reached = np.maximum.accumulate(reward[rows])
        gain[rows] = np.diff(reached, prepend=-MISSED)
        first[rows[0]] = 1
    total = np.concatenate([[0.0], np.cumsum(gain)]) - MISSED * windows
    total[1:-1][score[:-1] == score[1:]] = -np.inf  # equal scores share a threshold
    return Sweep(
        threshold=score,
        total=total,
        found=np.concatenate([[0], np.cumsum(first)]),
        false=np.concatenate([[0], np.cumsum(~inside)]),
        windows=windows,
    )
