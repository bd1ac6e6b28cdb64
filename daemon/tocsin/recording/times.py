"""Times of a table, in any unit and from any start, as nanoseconds since 1970; and the error of recordings."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from pathlib import Path

_NS_OF = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9}
_ISO_8601 = r"^(1[7-9]|2[01])\d{2}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$"
_YEAR_2000_NS = 946_684_800 * 10**9
_YEAR_2262_NS = 2**63 - 10**9  # where 64 bits of nanoseconds end


class RecordingError(Exception):
    """A table can't be read or written; the text names the file, the column and the row."""


def read_times(file: Path, column: pl.Series, unit: str, start: str | None) -> pl.Series:
    """Read a column of times as nanoseconds since 1970.

    Args:
        file: File of the table.
        column: Column, as `nanoseconds` takes it.
        unit: Unit of numbers.
        start: Start of relative times, ISO 8601; None for absolute times.

    Raises:
        RecordingError: A time is unreadable, missing, or before the year 2000.
    """
    where = f"{file}: column {column.name!r}"
    t = nanoseconds(where, column, unit, 0 if start is None else _start_ns(start))
    early = t < _YEAR_2000_NS
    if (row := early.arg_max()) is not None and early[row]:
        raise RecordingError(
            f"{where}: row {row + 1}: a time before the year 2000: give the start of relative times by --start, "
            "or correct --unit"
        )
    return t


def nanoseconds(where: str, column: pl.Series, unit: str, start_ns: int = 0, first_row: int = 1) -> pl.Series:
    """Read times as nanoseconds since 1970.

    Args:
        where: File and column, for error texts.
        column: Dates and times, ISO 8601 text (UTC without a zone), or numbers.
        unit: Unit of numbers.
        start_ns: Start of numbers, nanoseconds since 1970.
        first_row: Number of the column's first row, for error texts.

    Raises:
        RecordingError: A time is unreadable or missing.
    """
    if unit not in _NS_OF:
        raise RecordingError(f"unit {unit!r} is not known (legal: {', '.join(_NS_OF)})")
    if column.dtype == pl.String:
        column = _moments(where, column, first_row)
    if isinstance(column.dtype, pl.Datetime | pl.Date):
        t = column.dt.epoch("ns")
    elif column.dtype.is_numeric():
        t = _counted(where, column, unit, start_ns, first_row)
    else:
        raise RecordingError(f"{where} is {column.dtype} (legal: a date and time, ISO 8601 text, or a number)")
    if t.null_count():
        raise RecordingError(f"{where}: row {(t.is_null().arg_max() or 0) + first_row} has no time")
    return t


def _moments(where: str, text: pl.Series, first_row: int) -> pl.Series:
    """Read ISO 8601; text without a zone is UTC."""
    try:
        moments = text.str.to_datetime(time_unit="ns", time_zone="UTC", strict=False)
    except pl.exceptions.PolarsError:  # not even one
        moments = pl.Series(text.name, [None] * len(text), dtype=pl.Datetime("ns", "UTC"))
    # Polars would read 03/04/2026 too, day first, and years that 64 bits of nanoseconds don't hold, as others.
    odd = text.is_not_null() & (moments.is_null() | ~text.str.contains(_ISO_8601))
    if (row := odd.arg_max()) is not None and odd[row]:
        raise RecordingError(f"{where}: row {row + first_row}: {text[row]!r} is no ISO 8601 time")
    return moments


def _counted(where: str, numbers: pl.Series, unit: str, start_ns: int, first_row: int) -> pl.Series:
    """Read numbers that count units since a start."""
    whole = numbers.dtype.is_integer()
    numbers = numbers.cast(pl.Int64 if whole else pl.Float64, strict=False)
    far = ((numbers.cast(pl.Float64) * _NS_OF[unit] + start_ns).abs() >= _YEAR_2262_NS).fill_null(value=False)
    if (row := far.arg_max()) is not None and far[row]:
        raise RecordingError(f"{where}: row {row + first_row}: {numbers[row]} {unit} is no time: correct the unit")
    if whole:
        return numbers * _NS_OF[unit] + start_ns
    # To the microsecond: a double near 1.7e9 seconds resolves no more.
    return (numbers * (_NS_OF[unit] / 1000)).round().cast(pl.Int64, strict=False) * 1000 + start_ns


def _start_ns(start: str) -> int:
    try:
        moment = datetime.fromisoformat(start)
    except ValueError as error:
        raise RecordingError(f"--start {start!r} is no ISO 8601 time") from error
    if moment.tzinfo is None:
        raise RecordingError(f"--start {start!r} has no time zone (write it as 2026-01-01T00:00:00Z, for UTC)")
    return round(moment.timestamp() * 10**6) * 10**3
