"""How fast a channel rises or falls: the line through its last values, which one artefact doesn't tilt.

The time that is looked back on is cut into pieces of equal length, and of each piece the mean value and mean time is
noted. The rate is the median of the slopes between all pairs of pieces (Theil and Sen: Sen, "Estimates of the
regression coefficient based on Kendall's tau", JASA 63, 1968). Up to 29 % of the pieces may be wrong without moving it
far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIECES = 12
CELLS = 4 * PIECES  # float64: number of the piece, values in it, sum of their ticks from its start, sum of the values
_LEAST_REACH = 0.5  # of the time looked back on: with less there is no rate yet

_FIRST, _SECOND = np.triu_indices(PIECES, k=1)


def piece_ticks(span_ticks: int) -> int:
    """How long a piece is, so that all of them reach back over `span_ticks`."""
    return -(-(span_ticks + 1) // (PIECES - 1))


def note(
    notes: NDArray[np.float64], tick: NDArray[np.int64], value: NDArray[np.float32], there: NDArray[np.bool_], span: int
) -> None:
    """Note n values.

    Args:
        notes: (n, CELLS) of this condition, NaN at first; change in place.
        tick: (n,) of the frames.
        value: (n,) in them.
        there: (n,) whether there is one.
        span: Ticks that are looked back on.
    """
    length = piece_ticks(span)
    rows = np.flatnonzero(there)
    piece = tick[rows] // length
    columns = (piece % PIECES * 4)[:, None] + np.arange(4)
    begun = notes[rows[:, None], columns]  # (r, 4)
    begun = np.where((begun[:, 0] == piece)[:, None], begun, 0.0)
    begun[:, 0] = piece
    begun[:, 1] += 1
    begun[:, 2] += tick[rows] - piece * length
    begun[:, 3] += value[rows]
    notes[rows[:, None], columns] = begun


def change(notes: NDArray[np.float64], tick: NDArray[np.int64], span: int) -> NDArray[np.float64]:
    """By how much n channels rise in `span` ticks, at the rate of the last `span`.

    Args:
        notes: (n, CELLS) as `note` left them.
        tick: (n,) of the frames.
        span: Ticks.

    Returns:
        (n,) in the channel's unit, negative where it falls; NaN where the values don't reach back over half of it.

    >>> notes, seen = np.full((1, CELLS), np.nan), np.array([True])
    >>> for k, value in enumerate([98, 97, 96, 40, 94, 93]):
    ...     note(notes, np.array([k]), np.array([value], dtype=np.float32), seen, 10)
    >>> change(notes, np.array([5]), 10).tolist()
    [-10.0]
    """
    ring = notes.reshape(len(notes), PIECES, 4)
    at, reaches = _looked_back_on(ring, tick, span)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = ring[:, :, 3] / ring[:, :, 1]
        slopes = (mean[:, _SECOND] - mean[:, _FIRST]) / (at[:, _SECOND] - at[:, _FIRST])  # (n, pairs)
    slopes.sort(axis=1)  # NaN goes last
    count = (~np.isnan(slopes)).sum(axis=1)
    every = np.arange(len(slopes))
    upper, lower = slopes[every, count // 2], slopes[every, np.maximum(count - 1, 0) // 2]
    return np.where((count > 0) & reaches, (upper + lower) / 2.0 * span, np.nan)


def mean(notes: NDArray[np.float64], tick: NDArray[np.int64], span: int) -> NDArray[np.float64]:
    """The mean of n channels' values in the last `span` ticks.

    Args:
        notes: (n, CELLS) as `note` left them.
        tick: (n,) of the frames.
        span: Ticks.

    Returns:
        (n,) in the channel's unit; NaN where the values don't reach back over half of it.

    >>> notes, seen = np.full((1, CELLS), np.nan), np.array([True])
    >>> for k, value in enumerate([0, 1, 0, 1, 1]):
    ...     note(notes, np.array([k]), np.array([value], dtype=np.float32), seen, 8)
    >>> mean(notes, np.array([4]), 8).tolist()
    [0.6]
    """
    ring = notes.reshape(len(notes), PIECES, 4)
    at, reaches = _looked_back_on(ring, tick, span)
    counts, sums = np.where(np.isnan(at)[:, :, None], 0.0, ring[:, :, (1, 3)]).sum(axis=1).T  # (n,) each
    means: NDArray[np.float64] = np.full(len(notes), np.nan)
    np.divide(sums, counts, out=means, where=reaches & (counts > 0))
    return means


def _looked_back_on(
    ring: NDArray[np.float64], tick: NDArray[np.int64], span: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The pieces (n, P) of the last `span` ticks.

    Returns:
        (n, P) the mean time of each in ticks from now, NaN for others; (n,) whether they reach back far enough.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        at = ring[:, :, 2] / ring[:, :, 1] + (ring[:, :, 0] * piece_ticks(span) - tick[:, None])
        at = np.where((at >= -span) & (at <= 0), at, np.nan)
    reach = -np.where(np.isnan(at), 0.0, at).min(axis=1)
    return at, reach >= _LEAST_REACH * span
