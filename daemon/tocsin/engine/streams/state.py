"""Exported state of streams: plain columns and metadata, to be stored, moved and imported without loss of a bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tocsin.engine.format import Format

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from tocsin.engine.streams.columns import Column, T

STATE_FORMAT = Format("memory", 1)


@dataclass(frozen=True, slots=True)
class StreamState:
    """Complete state of n streams.

    A recurrent state has a meaning for one graph only; the metadata names it.

    Attributes:
        meta: Plain data that JSON can hold, under keys that never change. `format`: number of `STATE_FORMAT`; `model`,
            `sha256`, `channels`, `period_ns`: the model; `alarms`: identity, parameters and state size of each;
            `streams`: name and labels of each, and the limits that overrides gave its alarms.
        columns: (n, …) arrays by `Column.key`; see `StreamColumns`.
    """

    meta: Mapping[str, Any]
    columns: Mapping[str, NDArray[Any]]

    @property
    def streams(self) -> list[str]:
        """(n) names."""
        return [entry["name"] for entry in self.meta["streams"]]

    def of(self, column: Column[T]) -> NDArray[T]:
        """(n, …) array of a column.

        Raises:
            KeyError: The state has no such column.
        """
        return self.columns[column.key]

    def each(self) -> Iterator[StreamState]:
        """State of each stream by itself."""
        for i, entry in enumerate(self.meta["streams"]):
            meta = {**self.meta, "streams": [entry]}
            yield StreamState(meta, {key: column[i : i + 1] for key, column in self.columns.items()})

    def upgraded(self, form: Format = STATE_FORMAT) -> StreamState:
        """State in the current format.

        Migrations get and give the metadata with the columns under `columns`.

        Raises:
            ValueError: The format is newer than the current one, or unknown.
        """
        meta = dict(form.upgrade({**self.meta, "columns": self.columns}))
        return StreamState(meta, meta.pop("columns"))
