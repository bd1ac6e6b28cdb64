"""Recorded tables, one row a reading, Parquet or CSV: as messages, and written."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl
from polars.io.plugins import register_io_source

from tocsin.codec.topics import TopicTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_NS_OF = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9}
_NS_PER_MS = 10**6
_YEAR_2000_NS = 946_684_800 * 10**9
_YEAR_2262_NS = 2**63 - 10**9  # where 64 bits of nanoseconds end
_ISO_8601_NS = "%Y-%m-%dT%H:%M:%S%.9fZ"
_ROW_GROUP = 100_000
_PIECE_BYTES = 4_000_000
_TIME = "__t"
_TOPIC = "__topic"
_encode = msgspec.json.Encoder().encode


class RecordingError(Exception):
    """A table that can't be replayed or written; names the file, the column, and the row."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Readings in the order of their times.

    Attributes:
        name: Of the file.
        table: One row a reading: `__t` in nanoseconds since 1970, `__topic`, and the fields under their payload names.
        fields: Payload names of the channels.
        static: Payload names of what is said once a stream.
        topics: How many different ones there are; a stream each.
    """

    name: str
    table: pl.DataFrame
    fields: tuple[str, ...]
    static: tuple[str, ...]
    topics: int

    def __len__(self) -> int:
        """How many readings."""
        return self.table.height

    @property
    def first_t(self) -> int:
        """When it begins, nanoseconds since 1970."""
        return int(self.table[_TIME][0])

    def ending_at(self, now: int, speed: float) -> Recording:
        """Shift all times so that the last reading, replayed from now on, carries the time at which it is published.

        No reading lies in the future then, whatever the speed.
        """
        last = int(self.table[_TIME][-1])
        end = now + (round((last - self.first_t) / speed) if speed > 0 else 0)
        return replace(self, table=self.table.with_columns(pl.col(_TIME) + (end - last)))

    def messages(self) -> Iterator[tuple[int, str, bytes]]:
        """Give (t, topic, payload) of each message; a stream's static values come ahead of its first reading."""
        introduced: set[str] = set()
        for t, topic, *values in self.table.select(_TIME, _TOPIC, *self.static, *self.fields).iter_rows():
            stamp = {"t": t // _NS_PER_MS if t % _NS_PER_MS == 0 else t}
            known = values[: len(self.static)]
            if self.static and topic not in introduced:
                introduced.add(topic)
                given = {name: value for name, value in zip(self.static, known, strict=True) if value is not None}
                if given:
                    yield t, topic, _encode(stamp | given)
            yield t, topic, _encode(stamp | dict(zip(self.fields, values[len(self.static) :], strict=True)))


def read(
    file: Path, topic: str, time: str, unit: str, start: str | None, channels: str | None, static: str | None
) -> Recording:
    """Read a table.

    Args:
        file: Parquet or CSV.
        topic: Where to publish; captures are columns.
        time: The column with the time.
        unit: What a number in it counts.
        start: ISO 8601, when relative times begin; None where times are absolute.
        channels: COLUMN or COLUMN=FIELD, by commas; None for all numeric columns that serve no other purpose.
        static: Likewise; None for none.

    Raises:
        RecordingError: The file, a column or a time is not what was said.
    """
    try:
        template = TopicTemplate(topic)
    except ValueError as error:
        raise RecordingError(str(error)) from error
    table = _load(file, template.names)
    static_of = _mapping(static or "")
    if channels is None:
        taken = {time, *template.names, *static_of}
        channel_of = {c: c for c, dtype in table.schema.items() if dtype.is_numeric() and c not in taken}
    else:
        channel_of = _mapping(channels)
    for column in (time, *template.names, *channel_of, *static_of):
        if column not in table.columns:
            raise RecordingError(f"{file}: no column {column!r} (there are: {', '.join(table.columns)})")
    if not channel_of:
        raise RecordingError(f"{file}: no numeric column is left to publish (name them by --channels)")
    for column in (*channel_of, *static_of):
        if not table.schema[column].is_numeric():
            raise RecordingError(f"{file}: column {column!r} is not numeric: {_first_odd(table[column])}")
    _check_fields([*channel_of.values(), *static_of.values()])
    for column in template.names:
        _check_level(file, table[column])
    return Recording(
        name=file.name,
        table=_arranged(table, template, _times(file, table[time], unit, start), channel_of | static_of),
        fields=tuple(channel_of.values()),
        static=tuple(static_of.values()),
        topics=table.n_unique(list(template.names)) if template.names else 1,
    )


def write(file: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write a table that `read` takes: Parquet or CSV, by the file's suffix.

    Raises:
        RecordingError: The suffix is another, or the file can't be written.
    """
    kind, table = _kind(file), pl.DataFrame(columns)
    try:
        if kind == ".parquet":
            table.write_parquet(file)
        else:
            table.write_csv(file)
    except OSError as error:
        raise RecordingError(f"{file}: cannot be written: {error.strerror or error}") from error


class TableWriter:
    """A table that grows, of the kind that `read` takes: `stream`, `t`, labels, channels.

    Each `append` is on the disk when it returns. A CSV is whole at any moment; what is to become Parquet, whose end
    says where everything is, grows as a CSV beside it.
    """

    def __init__(self, file: Path, labels: Sequence[str], channels: Sequence[str]) -> None:
        """Begin a file.

        Args:
            file: Parquet or CSV, by its suffix; must not exist.
            labels: Names of columns of text; one that stands for something else already is called `label_…`.
            channels: Names of columns of numbers.

        Raises:
            RecordingError: The suffix is another, the file exists or can't be written, or two columns have one name.
        """
        self._file = file
        self._growing = file if _kind(file) == ".csv" else file.with_name(f"{file.name}.partial.csv")
        taken = {"stream", "t", *channels}
        self._labels = {name: f"label_{name}" if name in taken else name for name in labels}
        self._channels = list(channels)
        texts = ["stream", "t", *self._labels.values()]
        if twice := sorted({name for name in (*texts, *channels) if (*texts, *channels).count(name) > 1}):
            raise RecordingError(f"two columns of the table would be called {twice[0]!r}: rename a label")
        self._schema = pl.Schema(
            [(name, pl.Float64 if name in channels else pl.String) for name in (*texts, *channels)]
        )
        if file.exists():
            raise RecordingError(f"{file}: exists; name another file, or move it away")
        try:
            self._out = self._growing.open("xb")
        except FileExistsError as error:
            raise RecordingError(
                f"{self._growing}: is what a recording left that was cut off; it is a table, too: move it away"
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
        """Add R rows.

        Args:
            stream: (R,)
            t: (R,) nanoseconds since 1970 UTC.
            labels: (R,) each row's.
            values: (R, C) what is not finite counts as not measured.

        Raises:
            RecordingError: They can't be written; nothing of them is.
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
        """Make the file whole.

        Raises:
            RecordingError: It can't be written; what was appended is kept beside it.
        """
        self._out.close()
        if self._growing == self._file:
            return
        whole = self._file.with_name(f"{self._file.name}.partial")
        try:
            # `scan_csv` takes memory as the file has bytes: polars is given pieces instead.
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
                while piece.count(b'"') % 2 and (more := lines.readline()):  # a quoted line end is none
                    piece += more
                table = pl.read_csv(piece, has_header=False, schema=self._schema).with_columns(t)
                yield table if columns is None else table.select(columns)

    def _put(self, text: str) -> None:
        size = self._out.tell()
        try:
            self._out.write(text.encode())
            self._out.flush()
            os.fsync(self._out.fileno())
        except OSError as error:
            os.ftruncate(self._out.fileno(), size)  # half a row would spoil the table
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> RecordingError:
        return RecordingError(f"{self._growing}: cannot be written: {error.strerror or error}")


def _kind(file: Path) -> str:
    kind = file.suffix.lower()
    if kind not in {".parquet", ".csv"}:
        raise RecordingError(f"{file}: unknown kind of table {file.suffix!r} (legal: .parquet, .csv)")
    return kind


def _load(file: Path, texts: Sequence[str]) -> pl.DataFrame:
    """Read all of it; some columns of a CSV are text, whatever stands there: bed 007 is not bed 7."""
    kind = _kind(file)
    if not file.is_file():  # polars would look for a folder of tables
        raise RecordingError(f"{file}: is no file")
    try:
        if kind == ".parquet":
            table = pl.read_parquet(file, glob=False)
        else:
            table = pl.read_csv(
                file, glob=False, infer_schema_length=None, schema_overrides=dict.fromkeys(texts, pl.String)
            )
    except OSError as error:
        raise RecordingError(f"{file}: cannot be read: {error.strerror or error}") from error
    except pl.exceptions.PolarsError as error:
        raise RecordingError(f"{file}: {str(error).splitlines()[0]}") from error
    if table.is_empty():
        raise RecordingError(f"{file}: has no rows")
    return table


def _check_fields(names: list[str]) -> None:
    """Refuse fields that would overwrite each other, or the time."""
    for name in ("t", _TIME, _TOPIC):
        if name in names:
            raise RecordingError(f"field {name!r} is taken: publish that column under another name, COLUMN=FIELD")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RecordingError(f"two columns are published as field {twice[0]!r}: name each once, COLUMN=FIELD")


def _check_level(file: Path, column: pl.Series) -> None:
    """Refuse a column of which some value can't be one level of a topic."""
    levels = column.cast(pl.String)
    odd = (levels.is_null() | (levels == "") | levels.str.contains("[/+#\\x00]")).fill_null(value=True)
    if (row := odd.arg_max()) is not None and odd[row]:
        raise RecordingError(
            f"{file}: column {column.name!r}: row {row + 1}: {levels[row]!r} can't be a level of the topic"
        )


def _first_odd(column: pl.Series) -> str:
    """Name the first value that is no number."""
    if column.dtype != pl.String:
        return f"it is {column.dtype}"
    odd = column.is_not_null() & column.cast(pl.Float64, strict=False).is_null()
    row = odd.arg_max()
    return f"it is {column.dtype}" if row is None or not odd[row] else f"row {row + 1} is {column[row]!r}"


def _mapping(text: str) -> dict[str, str]:
    """Read `HR=hr,O2Sat=spo2,Temp`."""
    pairs = [entry.partition("=") for entry in text.split(",") if entry.strip()]
    return {column.strip(): (name.strip() or column.strip()) for column, _, name in pairs}


def _arranged(table: pl.DataFrame, template: TopicTemplate, times: pl.Series, field_of: dict[str, str]) -> pl.DataFrame:
    topic = [
        pl.col(level[1:-1]).cast(pl.String) if re.fullmatch(r"\{\w+\}", level) else pl.lit(level)
        for level in template.template.split("/")
    ]
    # What JSON can't say is not measured: NaN and infinity become null.
    fields = [pl.when(pl.col(column).is_finite()).then(pl.col(column)).alias(name) for column, name in field_of.items()]
    arranged: pl.DataFrame = table.with_columns(times.alias(_TIME)).select(
        pl.col(_TIME), pl.concat_str(topic, separator="/").alias(_TOPIC), *fields
    )
    return arranged.sort(_TIME, maintain_order=True)


def _times(file: Path, column: pl.Series, unit: str, start: str | None) -> pl.Series:
    """Read a column of times as nanoseconds since 1970."""
    where = f"{file}: column {column.name!r}"
    t = nanoseconds(where, column, unit, 0 if start is None else _start_ns(start))
    early = t < _YEAR_2000_NS
    if (row := early.arg_max()) is not None and early[row]:
        raise RecordingError(
            f"{where}: row {row + 1}: a time before the year 2000: say by --start when times begin, or correct --unit"
        )
    return t


def nanoseconds(where: str, column: pl.Series, unit: str, start_ns: int = 0, first_row: int = 1) -> pl.Series:
    """Read times as nanoseconds since 1970.

    Args:
        where: What a fault begins with: the file and the column.
        column: Dates and times, ISO 8601 text (without a zone it is UTC), or numbers.
        unit: What a number counts.
        start_ns: From when numbers count.
        first_row: What the column's first row is called.

    Raises:
        RecordingError: Something in it is no time, or is missing.
    """
    if unit not in _NS_OF:
        raise RecordingError(f"unit {unit!r} is not known (legal: {', '.join(_NS_OF)})")
    if column.dtype == pl.String:
        column = _moments(where, column, first_row)
    if column.dtype.is_temporal():
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
    odd = text.is_not_null() & moments.is_null()
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
