"""Utility of the PhysioNet/CinC Challenge 2019: value of an alarm in each hour of a stay.

An alarm is worth most six hours before the onset of sepsis, silence during sepsis costs most, and a false alarm costs a
little: one true alarm pays for 20 false hours.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABEL_LEADS = 6  # hours by which the label precedes the onset of sepsis
EARLIEST, OPTIMAL, LATEST = -12, -6, 3  # hours relative to the onset
FALSE_ALARM = -0.05
MISSED = -2.0


def rows(label: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Utility of silence (T,) and of an alarm (T,) in each hour of one stay.

    Args:
        label: (T,) 1 from six hours before the onset to the end, one row an hour.

    >>> silence, alarm = rows(np.array([0, 0, 0, 1, 1], dtype=np.float32))
    >>> alarm.round(2).tolist(), silence.round(2).tolist()
    ([0.5, 0.67, 0.83, 1.0, 0.89], [0.0, 0.0, 0.0, 0.0, -0.22])
    """
    if not label.any():
        return np.zeros(len(label)), np.full(len(label), FALSE_ALARM)
    onset = int(np.argmax(label)) + LABEL_LEADS
    hour = np.arange(len(label)) - onset  # (T,) relative to the onset
    falls = (hour - OPTIMAL) / (LATEST - OPTIMAL)  # 0 at the best hour, 1 where it is too late
    rises = (hour - EARLIEST) / (OPTIMAL - EARLIEST)
    alarm = np.where(hour <= OPTIMAL, rises, 1.0 - falls)
    silence = np.where(hour <= OPTIMAL, 0.0, MISSED * falls)
    alarm = np.where(hour < EARLIEST, FALSE_ALARM, alarm)
    over = hour > LATEST
    return np.where(over, 0.0, silence), np.where(over, 0.0, alarm)


def by_row(
    label: NDArray[np.float32], start: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Utility of silence, utility of an alarm, and the best predictor's alarms, (R,) each, of stays in sequence."""
    stays = [label[a:b] for a, b in itertools.pairwise(start)]
    utilities = [rows(stay) for stay in stays]
    silence = np.concatenate([silence for silence, _ in utilities])
    alarm = np.concatenate([alarm for _, alarm in utilities])
    best = np.concatenate([_within_reach(stay) for stay in stays])
    return silence, alarm, best


def _within_reach(label: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Hours (T,) of the best predictor's alarms: -12 to +3 around sepsis; none in a stay without it."""
    hour = np.arange(len(label)) - (int(np.argmax(label)) + LABEL_LEADS)
    return bool(label.any()) & (hour >= EARLIEST) & (hour <= LATEST)


def per_stay(
    alarming: NDArray[np.bool_], label: NDArray[np.float32], start: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gain over silence of each stay's alarms (B,), and of the best predictor's (B,)."""
    silence, alarm, best = by_row(label, start)
    gain = alarm - silence
    return (
        np.add.reduceat(np.where(alarming, gain, 0.0), start[:-1]),
        np.add.reduceat(np.where(best, gain, 0.0), start[:-1]),
    )


def normalised(alarming: NDArray[np.bool_], label: NDArray[np.float32], start: NDArray[np.int64]) -> float:
    """Normalised utility: 0 for no alarm, 1 for the best predictor; alarms everywhere lie far below 0.

    Args:
        alarming: (R,) whether the row is in alarm.
        label: (R,).
        start: (B + 1,) stay b owns the rows `start[b]:start[b + 1]`.
    """
    gained, best = per_stay(alarming, label, start)
    return float(gained.sum() / best.sum())
