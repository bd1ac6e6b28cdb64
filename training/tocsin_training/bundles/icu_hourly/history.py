"""History features of hourly stays: the whole stay up to each hour, and bedside scores.

Row t depends on no later row. Unknown is NaN.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from tocsin.engine.model import ChannelKind
from tocsin_training.bundles.icu_hourly import bedside_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.data.dataset import StreamDataset

VITALS = ("hr", "spo2", "temp", "sbp", "map", "dbp", "rr", "etco2")
WINDOWS = (6, 12, 24)  # hours


def features(data: StreamDataset) -> NDArray[np.float32]:
    """Features (R, F): readings (alone, over windows, laboratory orders), bedside scores, statics, clock."""
    names = [channel.name for channel in data.channels]
    measured = np.array([channel.kind is ChannelKind.READING for channel in data.channels])
    readings = [name for name, is_reading in zip(names, measured, strict=True) if is_reading]
    vital = np.array([name in VITALS for name in readings])
    values = np.where(data.mask > 0, data.x, np.nan).astype(np.float32)
    out: NDArray[np.float32] | None = None
    with np.errstate(divide="ignore", invalid="ignore"):
        for a, b in itertools.pairwise(data.start):
            row = _of_stay(values[a:b, measured], values[a:b, ~measured], readings, vital)
            if out is None:
                out = np.empty((len(values), row.shape[1]), dtype=np.float32)
            out[a:b] = row
    if out is None:
        raise AssertionError  # a data set holds at least one stay
    return out


def _of_stay(
    values: NDArray[np.float32], others: NDArray[np.float32], names: list[str], vital: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Features (T, F) of one stay's readings (T, C) and its statics and clock (T, O)."""
    seen = ~np.isnan(values)
    count = np.cumsum(seen, axis=0)
    row = _last_row(seen)
    last = _at(values, row)
    parts = [last, count, *_so_far(values, seen, count, row, last)]
    for hours in WINDOWS:
        parts += _window(values[:, vital], hours)
        lately = count - np.vstack([np.zeros_like(count[:1]), count])[np.maximum(np.arange(len(count)) + 1 - hours, 0)]
        orders = lately[:, ~vital]
        parts += [orders, _column(orders.sum(1)), _column(lately[:, vital].sum(1)), _column((orders > 0).sum(1))]
    ordered = _last_row(_column(np.any(seen[:, ~vital], axis=1)))
    hour = np.arange(len(values))
    parts += [
        np.where(ordered >= 0, hour[:, None] - ordered, np.nan),
        _column((count[:, ~vital] > 0).sum(1)),
        _column(count[:, ~vital].sum(1) / (hour + 1)),
        bedside_scores.scores(dict(zip(names, last.T, strict=True))),
        others,
    ]
    return np.concatenate(parts, axis=1, dtype=np.float32)


def _so_far(
    values: NDArray[np.float32],
    seen: NDArray[np.bool_],
    count: NDArray[np.int64],
    row: NDArray[np.int64],
    last: NDArray[np.float32],
) -> list[NDArray[np.float64]]:
    """Age, mean, minimum, maximum, spread, change since the previous and since the first value, (T, C) each."""
    age = np.where(row >= 0, np.arange(len(values))[:, None] - row, np.nan)
    filled = np.where(seen, values, 0.0).astype(np.float64)
    mean = np.where(count > 0, np.cumsum(filled, axis=0) / count, np.nan)
    spread = np.sqrt(np.maximum(np.cumsum(filled * filled, axis=0) / count - mean * mean, 0.0))
    lowest = np.where(count > 0, np.minimum.accumulate(np.where(seen, values, np.inf), axis=0), np.nan)
    highest = np.where(count > 0, np.maximum.accumulate(np.where(seen, values, -np.inf), axis=0), np.nan)
    earlier = np.vstack([np.full_like(row[:1], -1), row[:-1]])  # the last row measured strictly before each row
    before = _at(values, np.where(row >= 0, np.take_along_axis(earlier, np.maximum(row, 0), axis=0), -1))
    first = np.where(count > 0, values[np.argmax(seen, axis=0), np.arange(values.shape[1])], np.nan)
    return [age, mean, lowest, highest, spread, last - before, last - first]


def _window(values: NDArray[np.float32], hours: int) -> list[NDArray[np.float64]]:
    """Mean, minimum, maximum, spread and slope per hour over the last hours, (T, C) each."""
    padded = np.vstack([np.full((hours - 1, values.shape[1]), np.nan), values])
    window = np.lib.stride_tricks.sliding_window_view(padded, hours, axis=0)  # (T, C, W), the latest last
    known = ~np.isnan(window)
    count = known.sum(axis=-1)
    filled = np.where(known, window, 0.0)
    mean = filled.sum(axis=-1) / count
    lowest = np.where(count > 0, np.where(known, window, np.inf).min(axis=-1), np.nan)
    highest = np.where(count > 0, np.where(known, window, -np.inf).max(axis=-1), np.nan)
    spread = np.sqrt(np.maximum((filled * filled).sum(axis=-1) / count - mean * mean, 0.0))
    when = np.where(known, np.arange(hours, dtype=np.float64), 0.0)
    lever = np.where(known, when - (when.sum(axis=-1) / count)[..., None], 0.0)
    slope = (lever * filled).sum(axis=-1) / (lever * lever).sum(axis=-1)
    return [mean, lowest, highest, spread, np.where(count > 2, slope, np.nan)]  # noqa: PLR2004  (two make no trend)


def _last_row(seen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Row of the last measurement (T, C), -1 before the first."""
    row: NDArray[np.int64] = np.maximum.accumulate(np.where(seen, np.arange(len(seen))[:, None], -1), axis=0)
    return row


def _at(values: NDArray[np.float32], row: NDArray[np.int64]) -> NDArray[np.float32]:
    """Values (T, C) of those rows; NaN for -1."""
    return np.where(row >= 0, np.take_along_axis(values, np.maximum(row, 0), axis=0), np.float32(np.nan))


def _column(values: NDArray[Any]) -> NDArray[Any]:
    """(T,) as (T, 1)."""
    return values.reshape(-1, 1)
