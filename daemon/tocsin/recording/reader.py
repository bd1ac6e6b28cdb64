"""Recorded tables as messages: what is replayed."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from tocsin.ingest.topics import TopicTemplate
from tocsin.recording.fault import RecordingError, kind_of
from tocsin.recording.times import read_times

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
        table=_arranged(table, template, read_times(file, table[time], unit, start), channel_of | static_of),
        fields=tuple(channel_of.values()),
        static=tuple(static_of.values()),
        topics=table.n_unique(list(template.names)) if template.names else 1,
    )


def _load(file: Path, texts: Sequence[str]) -> pl.DataFrame:
    """Read all of it; some columns of a CSV are text, whatever stands there: bed 007 is not bed 7."""
    kind = kind_of(file)
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
    """Read `HR=hr,O2Sat=spo2,Temp`; a pair is in quotes where a name holds a comma."""
    pairs = [entry.partition("=") for entry in next(csv.reader([text], skipinitialspace=True), []) if entry.strip()]
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
