"""Rows of a table, in chunks, whatever its size and layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tocsin_training.data.columns import RowLocation, kinds, labels, names, numbers, times
from tocsin_training.data.files import tables
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin_training.data.options import TableOptions


@dataclass(frozen=True, slots=True)
class TableChunk:
    """K consecutive rows of a file.

    Attributes:
        names: Distinct streams of the chunk.
        stream: (K,) index of each row's stream in `names`.
        t: (K,) int64 nanoseconds.
        row: (K,) int64, number of the row in faults: 1 is the first after the header.
        values: (K, V) float64, NaN where not measured; V is C in the wide layout, and 1 in the long one.
        channel: (K,) index of the channel in the long layout; zeros in the wide one.
        label: (K,) float32, zeros if the table has none.
        named: (M, 3) int64: stream, class and a row that names it; each class of each stream once.
    """

    names: list[str]
    stream: NDArray[np.int64]
    t: NDArray[np.int64]
    row: NDArray[np.int64]
    values: NDArray[np.float64]
    channel: NDArray[np.int64]
    label: NDArray[np.float32]
    named: NDArray[np.int64]


def chunks(file: Path, columns: Sequence[str], options: TableOptions, classes: tuple[str, ...]) -> Iterator[TableChunk]:
    """Read a file.

    Args:
        file: Parquet or CSV.
        columns: Wide: the column of each channel. Long: the value of column `channel` for each channel.
        options: Of the recipe.
        classes: Legal values of the column `kind`.

    Raises:
        TrainingError: The file does not match the options.
    """
    measured = list(columns) if options.layout == "wide" else [options.channel, options.value]
    targets = [column for column in (options.label, options.kind) if column is not None]
    needed = [*options.stream_columns, options.time, *measured, *targets]
    row = 1
    for table in tables(file, list(dict.fromkeys(needed)), options.separator):
        if table.height:
            yield _piece(RowLocation(file, row), table, columns, options, classes)
        row += table.height
    if row == 1:
        raise TrainingError(f"{file}: has no rows; leave the file out, or look for what should be in it")


def _piece(
    place: RowLocation, table: pl.DataFrame, columns: Sequence[str], options: TableOptions, classes: tuple[str, ...]
) -> TableChunk:
    distinct, stream = _streams(place, table, options)
    t = times(place, table[options.time], options.unit)
    row = place.row + np.arange(table.height)
    label = np.zeros(table.height, dtype=np.float32)
    if options.label is not None:
        label = labels(place, table[options.label], options.missing)
    named = np.zeros((0, 3), dtype=np.int64)
    if options.kind is not None:
        kind = kinds(place, table[options.kind], options.missing, classes)
        labelled = np.column_stack([stream, kind, row])[kind >= 0]
        named = labelled[np.sort(np.unique(labelled[:, :2], axis=0, return_index=True)[1])]
    if options.layout == "wide":
        values = np.column_stack([numbers(place, table[column], options.missing) for column in columns])
        return TableChunk(distinct, stream, t, row, values, np.zeros_like(stream), label, named)
    number = {name: index for index, name in enumerate(columns)}
    channels = names(place, table[options.channel], "channel")
    channel = channels.replace_strict(number, default=-1, return_dtype=pl.Int64).to_numpy()
    values = numbers(place, table[options.value], options.missing)[:, None]
    ours = channel >= 0  # a long table may hold more than the model takes
    return TableChunk(distinct, stream[ours], t[ours], row[ours], values[ours], channel[ours], label[ours], named)


def _streams(place: RowLocation, table: pl.DataFrame, options: TableOptions) -> tuple[list[str], NDArray[np.int64]]:
    """Distinct streams, and the index of each row's stream (K,)."""
    if not options.stream_columns:
        return [place.file.stem], np.zeros(table.height, dtype=np.int64)
    levels = [names(place, table[column], "stream") for column in options.stream_columns]
    joined = pl.select(pl.concat_str(levels, separator="/")).to_series()
    distinct = joined.unique(maintain_order=True).to_list()
    number = {name: index for index, name in enumerate(distinct)}
    return distinct, joined.replace_strict(number, return_dtype=pl.Int64).to_numpy()
