"""Timestamps of payloads, converted to nanoseconds since 1970 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Nanoseconds(int):
    """Time in nanoseconds since 1970, independent of the source's unit."""

    __slots__ = ()


RawTime = int | float | str | None

UNREADABLE = np.iinfo(np.int64).min  # in a column of times: an unreadable one
_MISSING = UNREADABLE + 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_MAX = np.iinfo(np.int64).max


class TimeUnit(StrEnum):
    """Unit of numbers in a time field."""

    AUTO = "auto"  # by magnitude: below 1e11 seconds, 1e14 milliseconds, 1e17 microseconds, else nanoseconds
    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"
    NANOSECONDS = "ns"


_NS_PER = {
    TimeUnit.SECONDS: 1_000_000_000,
    TimeUnit.MILLISECONDS: 1_000_000,
    TimeUnit.MICROSECONDS: 1_000,
    TimeUnit.NANOSECONDS: 1,
}
# From 1973 to 5138 the numbers of the four units are in separate ranges.
_AUTO_BELOW = (1e11, 1e14, 1e17)
_AUTO_NS = np.array([1_000_000_000, 1_000_000, 1_000, 1], dtype=np.int64)


def column_of_times(raw: Sequence[RawTime], unit: TimeUnit) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Convert a column of times.

    Text is ISO 8601 with a zone. Without one it is unreadable: a guess would be wrong twice a year.

    Args:
        raw: (R,) times as payloads have them; None where there is none.
        unit: Unit of numbers.

    Returns:
        (R,) int64 nanoseconds, `UNREADABLE` for unreadable times; (R,) whether a time is missing.
    """
    kinds = set(map(type, raw))
    if kinds == {int}:  # the usual case, without a Python loop
        return _of_ints(raw, unit), np.zeros(len(raw), dtype=bool)
    t = np.full(len(raw), UNREADABLE, dtype=np.int64)
    for kind in kinds:
        rows = [row for row, value in enumerate(raw) if type(value) is kind]
        if kind is int:
            t[rows] = _of_ints([raw[row] for row in rows], unit)
        elif kind is Nanoseconds:
            t[rows] = _of_ints([raw[row] for row in rows], TimeUnit.NANOSECONDS)
        elif kind is float:
            t[rows] = _of_floats(np.array([raw[row] for row in rows], dtype=np.float64), unit)
        elif kind is str:
            t[rows] = [_of_text(str(raw[row])) for row in rows]
        else:
            t[rows] = _MISSING
    missing = t == _MISSING
    return t, missing


def iso_8601(ns: int) -> str:
    """Format a time in UTC, to the millisecond.

    >>> iso_8601(1_764_000_000_123_456_789)
    '2025-11-24T16:00:00.123Z'
    """
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"


def _ns_per(values: NDArray[np.float64] | NDArray[np.int64], unit: TimeUnit) -> NDArray[np.int64]:
    """(R,) nanoseconds per unit of each value."""
    if unit is not TimeUnit.AUTO:
        return np.full(len(values), _NS_PER[unit], dtype=np.int64)
    scale: NDArray[np.int64] = _AUTO_NS[np.digitize(np.abs(values.astype(np.float64)), _AUTO_BELOW)]
    return scale


def _of_ints(raw: Sequence[RawTime], unit: TimeUnit) -> NDArray[np.int64]:
    try:
        values = np.array(raw, dtype=np.int64)
    except OverflowError:  # JSON's integers have no end
        values = np.array([v if isinstance(v, int) and abs(v) < _NS_MAX else UNREADABLE for v in raw], dtype=np.int64)
    scale = _ns_per(values, unit)
    fits = (values <= _NS_MAX // scale) & (values >= -(_NS_MAX // scale))
    return np.where(fits, np.where(fits, values, 0) * scale, UNREADABLE)


def _of_floats(values: NDArray[np.float64], unit: TimeUnit) -> NDArray[np.int64]:
    scale = _ns_per(values, unit)
    fits = np.abs(values) < 0.999 * _NS_MAX / scale
    values = np.where(fits, values, 0.0)
    whole = np.floor(values)
    # A double near 1.7e9 resolves 0.24 microseconds: the digits below a microsecond are noise, so they are dropped.
    fraction = np.round((values - whole) * (scale / 1_000)).astype(np.int64) * 1_000
    return np.where(fits, whole.astype(np.int64) * scale + fraction, UNREADABLE)


def _of_text(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return UNREADABLE
        ns = (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
    except (ValueError, OverflowError):
        return UNREADABLE
    return ns if abs(ns) < _NS_MAX else UNREADABLE
