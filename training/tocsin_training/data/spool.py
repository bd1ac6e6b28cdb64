"""Spool of a table's rows on disk, to take one stream after the other from it in little memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin_training.data.rows import TableChunk


@dataclass(frozen=True, slots=True)
class SpooledRows:
    """K rows of one stream, in the table's order.

    Attributes:
        t: (K,) int64 nanoseconds.
        file: (K,) number of the file.
        row: (K,) number of the row in that file.
        values: (K, V) float64.
        channel: (K,) index of the channel in the long layout.
        label: (K,) float32.
    """

    t: NDArray[np.int64]
    file: NDArray[np.int64]
    row: NDArray[np.int64]
    values: NDArray[np.float64]
    channel: NDArray[np.int64]
    label: NDArray[np.float32]

    def cut(self, chosen: slice) -> SpooledRows:
        """Rows of a slice."""
        return SpooledRows(**{name: getattr(self, name)[chosen] for name in SpooledRows.__slots__})


class Spool:
    """Rows as records, sorted by stream within each chunk of the table, with an index by stream."""

    def __init__(self, file: BinaryIO, values: int) -> None:
        """Start empty.

        Args:
            file: Open for writing and reading.
            values: V.
        """
        self._file = file
        self._record = np.dtype(
            [
                ("t", "i8"),
                ("file", "i8"),
                ("row", "i8"),
                ("channel", "i8"),
                ("label", "f4"),
                ("values", "f8", (values,)),
            ]
        )
        self._numbers: dict[str, int] = {}
        self._slices: list[NDArray[np.int64]] = []  # (n, 3) each: stream, first record, how many
        self._records = 0

    def add(self, piece: TableChunk, file: int) -> None:
        """Append a chunk of the table's file number `file`."""
        if not len(piece.t):
            return
        known = self._numbers
        of_name = np.array([known.setdefault(name, len(known)) for name in piece.names])
        stream = of_name[piece.stream]
        order = np.argsort(stream, kind="stable")
        records = np.empty(len(order), dtype=self._record)
        for name in ("t", "row", "channel", "label", "values"):
            records[name] = getattr(piece, name)[order]
        records["file"] = file
        self._file.write(records.tobytes())
        numbers, first, count = np.unique(stream[order], return_index=True, return_counts=True)
        self._slices.append(np.column_stack([numbers, first + self._records, count]))
        self._records += len(order)

    def by_stream(self) -> list[tuple[str, NDArray[np.int64]]]:
        """Streams in order of appearance, each with (n, 2): first record and number of records of its slices."""
        if not self._slices:
            return []
        slices = np.concatenate(self._slices)
        slices = slices[np.argsort(slices[:, 0], kind="stable")]
        names = list(self._numbers)
        own = np.split(slices, np.flatnonzero(np.diff(slices[:, 0])) + 1)
        return [(names[part[0, 0]], part[:, 1:]) for part in own]

    def rows(self, slices: NDArray[np.int64]) -> SpooledRows:
        """Rows of one stream, from the slices of one entry of `by_stream`."""
        size = self._record.itemsize
        parts = []
        for first, count in slices.tolist():
            self._file.seek(first * size)
            parts.append(np.frombuffer(self._file.read(count * size), dtype=self._record))
        records = np.concatenate(parts)
        return SpooledRows(**{name: np.ascontiguousarray(records[name]) for name in SpooledRows.__slots__})


def open_spool(folder: Path, values: int, stack: ExitStack) -> Spool:
    """Open a spool in a folder; its file closes with the stack."""
    return Spool(stack.enter_context((folder / "spool").open("w+b")), values)
