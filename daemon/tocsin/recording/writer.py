"""Writers of tables: at once, or row by row."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import polars as pl
from polars.io.plugins import register_io_source

from tocsin.recording.reader import table_kind
from tocsin.recording.times import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_ISO_8601_NS = "%Y-%m-%dT%H:%M:%S%.9fZ"
_ROW_GROUP = 100_000
_PIECE_BYTES = 4_000_000


def write(file: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write a table that `read` reads: Parquet or CSV, by the file's suffix.

    Raises:
        RecordingError: The suffix is another, or the file can't be written.
    """
    kind, table = table_kind(file), pl.DataFrame(columns)
    try:
        if kind == ".parquet":
            table.write_parquet(file)
        else:
            table.write_csv(file)
    except OSError as error:
        raise RecordingError(f"{file}: cannot be written: {error.strerror or error}") from error


class TableWriter:
    """Writer of a growing table that `read` reads: columns `stream`, `t`, labels, channels.

    `append` returns once its rows are on disk. A CSV is complete at any moment. Parquet has its index at the end, so
    such a table grows as a CSV in the same folder until `finish`.
    """

    def __init__(self, file: Path, labels: Sequence[str], channels: Sequence[str]) -> None:
        """Create the file.

        Args:
            file: Parquet or CSV file, by its suffix; it must not exist.
            labels: Names of text columns; a name that is taken becomes `label_…`.
            channels: Names of numeric columns.

        Raises:
            RecordingError: The suffix is another, the file exists or can't be written, or two columns have one name.
        """
        self._file = file
        self._growing = file if table_kind(file) == ".csv" else file.with_name(f"{file.name}.partial.csv")
        taken = {"stream", "t", *channels}
        self._labels = {name: f"label_{name}" if name in taken else name for name in labels}
        self._channels = list(channels)
        texts = ["stream", "t", *self._labels.values()]
        if twice := sorted({name for name in (*texts, *channels) if (*texts, *channels).count(name) > 1}):
            raise RecordingError(f"two columns of the table would have the name {twice[0]!r}: rename a label")
        self._schema = pl.Schema(
            [(name, pl.Float64 if name in channels else pl.String) for name in (*texts, *channels)]
        )
        if file.exists():
            raise RecordingError(f"{file}: exists; name another file, or move it away")
        try:
            self._out = self._growing.open("xb")
        except FileExistsError as error:
            raise RecordingError(
                f"{self._growing}: is left from an interrupted recording, as a table: move it away"
            ) from error
        except OSError as error:
            raise self._unwritable(error) from error
        self._put(pl.DataFrame(schema=self._schema).write_csv())

    def append(
        self,
        stream: Sequence[str],
        t: Sequence[int],
        labels: Sequence[Mapping[str, str]],
        values: NDArray[np.float64],
    ) -> None:
        """Append R rows.

        Args:
            stream: (R,) names of streams.
            t: (R,) nanoseconds since 1970 UTC.
            labels: (R,) labels of each row.
            values: (R, C) values; those that are not finite are written as not measured.

        Raises:
            RecordingError: The rows can't be written; none of them is.
        """
        texts = {column: [of.get(name) for of in labels] for name, column in self._labels.items()}
        table = pl.DataFrame(
            {
                "stream": stream,
                "t": pl.Series(t, dtype=pl.Int64).cast(pl.Datetime("ns", "UTC")),
                **texts,
                **dict(zip(self._channels, values.T, strict=True)),
            },
            schema_overrides=dict.fromkeys(texts, pl.String),
        )
        measured = [pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in self._channels]
        self._put(table.with_columns(measured).write_csv(include_header=False, datetime_format=_ISO_8601_NS))

    def finish(self) -> None:
        """Complete the file.

        Raises:
            RecordingError: It can't be written; the appended rows stay in the CSV.
        """
        self._out.close()
        if self._growing == self._file:
            return
        whole = self._file.with_name(f"{self._file.name}.partial")
        try:
            # `scan_csv` needs as much memory as the file has bytes; pieces don't.
            schema = {**self._schema, "t": pl.Datetime("ns", "UTC")}
            table = register_io_source(lambda columns, *_: self._pieces(columns), schema=schema)
            table.sink_parquet(whole, row_group_size=_ROW_GROUP)
            whole.replace(self._file)
        except (OSError, pl.exceptions.PolarsError) as error:
            whole.unlink(missing_ok=True)
            raise RecordingError(f"{self._file}: cannot be written: {error}; {self._growing} has it all") from error
        self._growing.unlink()

    def _pieces(self, columns: list[str] | None) -> Iterator[pl.DataFrame]:
        t = pl.col("t").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ns", time_zone="UTC")
        with self._growing.open("rb") as lines:
            lines.readline()  # the header
            while piece := lines.read(_PIECE_BYTES):
                piece += lines.readline()
                while piece.count(b'"') % 2 and (more := lines.readline()):  # a line end within quotes
                    piece += more
                table = pl.read_csv(piece, has_header=False, schema=self._schema).with_columns(t)
                yield table if columns is None else table.select(columns)

    def _put(self, text: str) -> None:
        size = self._out.seek(0, os.SEEK_CUR)
        try:
            self._out.write(text.encode())
            self._out.flush()
            os.fsync(self._out.fileno())
        except OSError as error:
            os.ftruncate(self._out.fileno(), size)  # removes a part of a row
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> RecordingError:
        return RecordingError(f"{self._growing}: cannot be written: {error.strerror or error}")
