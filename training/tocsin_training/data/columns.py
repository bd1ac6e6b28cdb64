"""Columns of a table as numbers, labels and times; faults name the file, the column, the row and the value.

Row 1 is the first after the header.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tocsin.recording import RecordingError, nanoseconds
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class RowLocation:
    """Location of some rows, for faults.

    Attributes:
        file: Of the rows.
        row: Number of the first row.
    """

    file: Path
    row: int

    def fault(self, column: str, at: int, message: str) -> TrainingError:
        """Fault of the value in row `at`, counted from 0."""
        return TrainingError(f"{self.file}: column {column!r}: row {self.row + at}: {message}")


def names(place: RowLocation, column: pl.Series, of: str) -> pl.Series:
    """Texts, none of them empty; `of` is what they name."""
    text = _texts(place, column)
    empty = (text.is_null() | (text == "")).fill_null(value=True)
    if (at := empty.arg_max()) is not None and empty[at]:
        raise place.fault(column.name, at, f"names no {of}; name it or remove the row")
    return text


def times(place: RowLocation, column: pl.Series, unit: str) -> NDArray[np.int64]:
    """Times (K,) in nanoseconds; text is ISO 8601 unless it begins with a number."""
    numbers = None
    if column.dtype == pl.String and len(column) and _is_number(column[0]):
        text = column.str.strip_chars()
        whole = text.cast(pl.Int64, strict=False)
        numbers = text.cast(pl.Float64, strict=False) if whole.null_count() else whole
        odd = numbers.is_null() & column.is_not_null()
        if (at := odd.arg_max()) is not None and odd[at]:
            raise place.fault(column.name, at, f"{column[at]!r} is no number of {unit}; fix the row")
    try:
        where = f"{place.file}: column {column.name!r}"
        t = nanoseconds(where, column if numbers is None else numbers, unit, 0, place.row)
    except RecordingError as error:
        raise TrainingError(f"{error}; fix the row, or say by `time` and `unit` what the times are") from error
    return t.to_numpy()


def _is_number(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True


def numbers(place: RowLocation, column: pl.Series, missing: tuple[str, ...]) -> NDArray[np.float64]:
    """Numbers (K,) float64; NaN where missing or infinite."""
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        read = text.cast(pl.Float64, strict=False)
        odd = text.is_not_null() & ~text.is_in(list(missing)) & read.is_null()
        if (at := odd.arg_max()) is not None and odd[at]:
            message = f"{column[at]!r} is no number; fix it, or name it in `missing` if it means not measured"
            raise place.fault(column.name, at, message)
    elif column.dtype.is_numeric() or column.dtype in {pl.Boolean, pl.Null}:
        read = column.cast(pl.Float64)
    else:
        raise TrainingError(
            f"{place.file}: column {column.name!r} is {column.dtype}; give numbers, or map the channel elsewhere"
        )
    values: NDArray[np.float64] = read.fill_null(float("nan")).to_numpy().copy()
    values[np.isinf(values)] = np.nan
    return values


def kinds(
    place: RowLocation, column: pl.Series, missing: tuple[str, ...], classes: tuple[str, ...]
) -> NDArray[np.int64]:
    """Class of each row (K,), counted from 0; -1 where a row names none."""
    if column.dtype.is_float():
        column = column.fill_nan(None)
    text = _texts(place, column).str.strip_chars().fill_null("")
    # Whole numbers with gaps become such in many tools.
    whole = text.str.replace(r"^(\d+)\.0+$", "$1")
    text = pl.select(pl.when(text.is_in(list(classes))).then(text).otherwise(whole)).to_series()
    none = text.is_in([*missing, ""]).to_numpy()
    kind = text.replace_strict(list(classes), list(range(len(classes))), default=-1, return_dtype=pl.Int64).to_numpy()
    odd = (kind < 0) & ~none
    if odd.any():
        at = int(odd.argmax())
        raise place.fault(column.name, at, f"{text[at]!r} is no class; write one of {', '.join(classes)}")
    return kind


def _texts(place: RowLocation, column: pl.Series) -> pl.Series:
    """Column as text."""
    try:
        if not column.dtype.is_nested():
            return column.cast(pl.String)
    except pl.exceptions.PolarsError:
        pass
    raise TrainingError(f"{place.file}: column {column.name!r} is {column.dtype}; give texts")


def labels(place: RowLocation, column: pl.Series, missing: tuple[str, ...]) -> NDArray[np.float32]:
    """Labels (K,), 0 or 1."""
    if column.dtype == pl.String:
        column = column.str.strip_chars().str.to_lowercase().replace({"true": "1", "false": "0"})
        wrong = column.cast(pl.Float64, strict=False).is_null() & column.is_not_null()
        if (at := wrong.arg_max()) is not None and wrong[at]:
            raise place.fault(column.name, at, f"label {column[at]!r} is neither 0 nor 1; write one of them")
    label = numbers(place, column, missing)
    odd = (label != 0) & (label != 1)
    if odd.any():
        at = int(odd.argmax())
        raise place.fault(column.name, at, f"label {column[at]!r} is neither 0 nor 1; write one of them")
    return label.astype(np.float32)
