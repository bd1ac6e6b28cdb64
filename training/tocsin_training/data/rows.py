"""Reading a table piece by piece, whatever its size and layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tocsin_training.data.columns import Place, kinds, labels, names, numbers, times
from tocsin_training.data.files import tables
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin_training.data.options import TableOptions


@dataclass(frozen=True, slots=True)
class Piece:
    """K consecutive rows of a file.

    Attributes:
        names: The distinct streams in it.
        stream: (K,) which of them each row speaks of.
        t: (K,) int64 nanoseconds.
        row: (K,) int64, what a fault calls the row: 1 is the first after the header.
        values: (K, V) float64, NaN where not measured; V is C wide, and 1 long.
        channel: (K,) long: which channel the value is of; zeros wide.
        label: (K,) float32, zeros where the table has none.
        named: (M, 3) int64: stream, class, and a row that says so; each class of each stream once.
    """

    names: list[str]
    stream: NDArray[np.int64]
    t: NDArray[np.int64]
    row: NDArray[np.int64]
    values: NDArray[np.float64]
    channel: NDArray[np.int64]
    label: NDArray[np.float32]
    named: NDArray[np.int64]


def pieces(file: Path, columns: Sequence[str], options: TableOptions, classes: tuple[str, ...]) -> Iterator[Piece]:
    """Read a file.

    Args:
        file: Parquet or CSV.
        columns: Wide: of each channel. Long: what stands in the column `channel` for each.
        options: The recipe's.
        classes: What may stand in the column `kind`.

    Raises:
        TrainingError: Something is not what was said.
    """
    measured = list(columns) if options.layout == "wide" else [options.channel, options.value]
    told = [column for column in (options.label, options.kind) if column is not None]
    needed = [*options.stream_columns, options.time, *measured, *told]
    row = 1
    for table in tables(file, list(dict.fromkeys(needed)), options.separator):
        if table.height:
            yield _piece(Place(file, row), table, columns, options, classes)
        row += table.height
    if row == 1:
        raise TrainingError(f"{file}: has no rows; leave the file out, or look for what should be in it")


def _piece(
    place: Place, table: pl.DataFrame, columns: Sequence[str], options: TableOptions, classes: tuple[str, ...]
) -> Piece:
    distinct, stream = _streams(place, table, options)
    t = times(place, table[options.time], options.unit)
    row = place.row + np.arange(table.height)
    label = np.zeros(table.height, dtype=np.float32)
    if options.label is not None:
        label = labels(place, table[options.label], options.missing)
    named = np.zeros((0, 3), dtype=np.int64)
    if options.kind is not None:
        kind = kinds(place, table[options.kind], options.missing, classes)
        said = np.column_stack([stream, kind, row])[kind >= 0]
        named = said[np.sort(np.unique(said[:, :2], axis=0, return_index=True)[1])]
    if options.layout == "wide":
        values = np.column_stack([numbers(place, table[column], options.missing) for column in columns])
        return Piece(distinct, stream, t, row, values, np.zeros_like(stream), label, named)
    number = {name: index for index, name in enumerate(columns)}
    channels = names(place, table[options.channel], "channel")
    channel = channels.replace_strict(number, default=-1, return_dtype=pl.Int64).to_numpy()
    values = numbers(place, table[options.value], options.missing)[:, None]
    ours = channel >= 0  # a long table may hold more than the model takes
    return Piece(distinct, stream[ours], t[ours], row[ours], values[ours], channel[ours], label[ours], named)


def _streams(place: Place, table: pl.DataFrame, options: TableOptions) -> tuple[list[str], NDArray[np.int64]]:
    """The distinct streams, and which of them each row (K,) speaks of."""
    if not options.stream_columns:
        return [place.file.stem], np.zeros(table.height, dtype=np.int64)
    levels = [names(place, table[column], "stream") for column in options.stream_columns]
    joined = pl.select(pl.concat_str(levels, separator="/")).to_series()
    distinct = joined.unique(maintain_order=True).to_list()
    number = {name: index for index, name in enumerate(distinct)}
    return distinct, joined.replace_strict(number, return_dtype=pl.Int64).to_numpy()
