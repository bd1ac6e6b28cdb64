"""Table files, read in chunks: Parquet, and CSV as text."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import polars as pl

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CSV_BYTES = 4_000_000  # of one piece
PARQUET_VALUES = 1_000_000  # of one piece


def tables(file: Path, columns: list[str], separator: str) -> Iterator[pl.DataFrame]:
    """Read columns of a file in chunks, in the file's order.

    Raises:
        TrainingError: The file cannot be read, or lacks a column.
    """
    kind = file.suffix.lower()
    try:
        if kind == ".parquet":
            table = pl.scan_parquet(file, glob=False)
            _check_columns(file, columns, table.collect_schema().names())
            rows = max(1000, PARQUET_VALUES // len(columns))
            yield from table.select(columns).collect_batches(chunk_size=rows, maintain_order=True)
        elif kind == ".csv":
            yield from _csv(file, columns, separator)
        else:
            raise TrainingError(f"{file}: unknown kind of table {file.suffix!r}; give .parquet or .csv")
    except OSError as error:
        raise TrainingError(f"{file}: cannot be read: {error.strerror or error}") from error
    except pl.exceptions.PolarsError as error:
        raise TrainingError(f"{file}: {str(error).splitlines()[0]}; is it what its name says?") from error


def _csv(file: Path, columns: list[str], separator: str) -> Iterator[pl.DataFrame]:
    """Read a CSV in chunks that end at line ends, as text, so that a fault can show the value."""
    with file.open("rb") as lines:
        header = lines.readline().removeprefix(b"\xef\xbb\xbf")
        if not header.strip():
            raise TrainingError(f"{file}: is empty; leave the file out, or look for what should be in it")
        try:
            names = next(csv.reader([header.decode(errors="replace").rstrip("\r\n")], delimiter=separator))
        except csv.Error as error:
            raise TrainingError(
                f"{file}: its first line is no header ({error}); save the file with LF or CRLF"
            ) from error
        _check_columns(file, columns, names)
        if twice := [name for name in dict.fromkeys(columns) if names.count(name) > 1]:
            raise TrainingError(f"{file}: two columns are called {twice[0]!r}; give each a name of its own")
        row = 1
        while piece := lines.read(CSV_BYTES):
            piece += lines.readline()
            while piece.count(b'"') % 2 and (more := lines.readline()):  # a quoted line end is none
                piece += more
            quoted = b'"' in header or b'"' in piece
            if not quoted and not _is_even(piece, len(names), separator):
                fault = _misshapen(file, piece, names, row, separator)
                if fault is not None:
                    raise TrainingError(fault)
            try:
                table = pl.read_csv(header + piece, separator=separator, infer_schema=False, columns=columns)
            except pl.exceptions.PolarsError as error:
                raise TrainingError(_misshapen(file, piece, names, row, separator) or f"{file}: {error}") from error
            if quoted and (lost := _rows(header + piece, separator) - 1 - table.height) > 0:
                raise TrainingError(
                    f"{file}: from row {row} on {lost} rows are lost within quotes; close every quote, and double "
                    "those that belong to a text"
                )
            yield table.select(columns)
            row += table.height


def _is_even(piece: bytes, fields: int, separator: str) -> bool:
    """Whether every unquoted row has as many fields as the header."""
    between = separator.encode()
    return all(line.count(between) == fields - 1 for line in piece.split(b"\n") if line.strip())


def _rows(text: bytes, separator: str) -> int:
    """Number of rows including the header, by Python's reader; 0 if it fails."""
    try:
        read = csv.reader(io.StringIO(text.decode(errors="replace"), newline=""), delimiter=separator)
        return sum(1 for fields in read if fields)
    except csv.Error:
        return 0


def _misshapen(file: Path, piece: bytes, names: list[str], row: int, separator: str) -> str | None:
    """Fault of the first row in a chunk of CSV that cannot be read; None for none."""
    try:
        text = piece.decode()
    except UnicodeDecodeError as error:
        row += piece[: error.start].count(b"\n")
        return f"{file}: row {row}: byte {piece[error.start]:#04x} is not UTF-8; save the file as UTF-8"
    try:
        for at, fields in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator)):
            if fields and len(fields) != len(names):
                return (
                    f"{file}: row {row + at}: has {len(fields)} fields, the header {len(names)}; fix the row or quote"
                )
    except csv.Error:
        return None
    return None


def _check_columns(file: Path, wanted: Sequence[str], there: Sequence[str]) -> None:
    missing = [column for column in wanted if column not in there]
    if missing:
        raise TrainingError(
            f"{file}: no column {', '.join(repr(column) for column in missing)} (there are: {', '.join(there)}); "
            "say by stream, time, channels, label and kind which column holds what"
        )
