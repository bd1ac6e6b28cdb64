"""Reader of recorded tables, as messages to replay."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from tocsin.ingest.topics import TopicTemplate
from tocsin.recording.times import RecordingError, read_times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_NS_PER_MS = 10**6
_TIME = "__t"
_TOPIC = "__topic"
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Recording:
    """Readings in the order of their times.

    Attributes:
        name: Name of the file.
        table: One row a reading: `__t` in nanoseconds since 1970, `__topic`, and the fields under their payload names.
        fields: Payload names of the channels.
        static: Payload names of values published once a stream.
        topics: Number of different topics, a stream each.
    """

    name: str
    table: pl.DataFrame
    fields: tuple[str, ...]
    static: tuple[str, ...]
    topics: int

    def __len__(self) -> int:
        """Number of readings."""
        return self.table.height

    @property
    def first_t(self) -> int:
        """Time of the first reading, nanoseconds since 1970."""
        return int(self.table[_TIME][0])

    def ending_at(self, now: int, speed: float) -> Recording:
        """Shift all times so that the last reading has the time at which a replay from now on publishes it.

        No reading is in the future then, at any speed.
        """
        last = int(self.table[_TIME][-1])
        end = now + (round((last - self.first_t) / speed) if speed > 0 else 0)
        return replace(self, table=self.table.with_columns(pl.col(_TIME) + (end - last)))

    def messages(self) -> Iterator[tuple[int, str, bytes]]:
        """Yield (t, topic, payload) of each message; the static values of a stream precede its first reading."""
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
        file: Parquet or CSV file.
        topic: Topic template of the messages; captures are columns.
        time: Column with the time.
        unit: Unit of numbers in it.
        start: Start of relative times, ISO 8601; None for absolute times.
        channels: COLUMN or COLUMN=FIELD, separated by commas; None: all numeric columns without another purpose.
        static: Columns of static values in the same form; None: none.

    Raises:
        RecordingError: The file is unreadable, or a column or a time is missing or not legal.
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
        table=_arranged(table, template, read_times(file, table[time], unit, start), channel_of | static_of),
        fields=tuple(channel_of.values()),
        static=tuple(static_of.values()),
        topics=table.n_unique(list(template.names)) if template.names else 1,
    )


def table_kind(file: Path) -> str:
    """Kind of a table by its suffix, `.parquet` or `.csv`.

    Raises:
        RecordingError: The suffix is another.
    """
    kind = file.suffix.lower()
    if kind not in {".parquet", ".csv"}:
        raise RecordingError(f"{file}: unknown kind of table {file.suffix!r} (legal: .parquet, .csv)")
    return kind


def _load(file: Path, texts: Sequence[str]) -> pl.DataFrame:
    """Read the whole table; columns of names are text in a CSV too: bed 007 is not bed 7."""
    kind = table_kind(file)
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
    """Check that no two fields have one name, nor the name of the time."""
    for name in ("t", _TIME, _TOPIC):
        if name in names:
            raise RecordingError(f"field {name!r} is taken: publish that column under another name, COLUMN=FIELD")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RecordingError(f"two columns are published as field {twice[0]!r}: name each once, COLUMN=FIELD")


def _check_level(file: Path, column: pl.Series) -> None:
    """Check that each value of a column can be a level of a topic."""
    levels = column.cast(pl.String)
    odd = (levels.is_null() | (levels == "") | levels.str.contains("[/+#\\x00]")).fill_null(value=True)
    if (row := odd.arg_max()) is not None and odd[row]:
        raise RecordingError(
            f"{file}: column {column.name!r}: row {row + 1}: {levels[row]!r} can't be a level of the topic"
        )


def _first_odd(column: pl.Series) -> str:
    """Describe the first value that is no number."""
    if column.dtype != pl.String:
        return f"it is {column.dtype}"
    odd = column.is_not_null() & column.cast(pl.Float64, strict=False).is_null()
    row = odd.arg_max()
    return f"it is {column.dtype}" if row is None or not odd[row] else f"row {row + 1} is {column[row]!r}"


def _mapping(text: str) -> dict[str, str]:
    """Read `HR=hr,O2Sat=spo2,Temp`; a pair is in quotes where a name holds a comma."""
    pairs = [entry.partition("=") for entry in next(csv.reader([text], skipinitialspace=True), []) if entry.strip()]
    return {column.strip(): (name.strip() or column.strip()) for column, _, name in pairs}


def _arranged(table: pl.DataFrame, template: TopicTemplate, times: pl.Series, field_of: dict[str, str]) -> pl.DataFrame:
    topic = [
        pl.col(level[1:-1]).cast(pl.String) if re.fullmatch(r"\{\w+\}", level) else pl.lit(level)
        for level in template.template.split("/")
    ]
    # NaN and infinity become null: JSON has neither.
    fields = [pl.when(pl.col(column).is_finite()).then(pl.col(column)).alias(name) for column, name in field_of.items()]
    arranged: pl.DataFrame = table.with_columns(times.alias(_TIME)).select(
        pl.col(_TIME), pl.concat_str(topic, separator="/").alias(_TOPIC), *fields
    )
    return arranged.sort(_TIME, maintain_order=True)
