"""A table's rows on disk, so that one stream after the other can be taken from it in little memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin_training.data.rows import Piece


@dataclass(frozen=True, slots=True)
class Rows:
    """K rows of one stream, in the table's order.

    Attributes:
        t: (K,) int64 nanoseconds.
        file: (K,) which file each came from.
        row: (K,) what it is called there.
        values: (K, V) float64.
        channel: (K,) long: which channel.
        label: (K,) float32.
    """

    t: NDArray[np.int64]
    file: NDArray[np.int64]
    row: NDArray[np.int64]
    values: NDArray[np.float64]
    channel: NDArray[np.int64]
    label: NDArray[np.float32]

    def cut(self, chosen: slice) -> Rows:
        """Some of them."""
        return Rows(**{name: getattr(self, name)[chosen] for name in Rows.__slots__})


class Spool:
    """Rows as records, sorted by stream within each piece of the table, and where each stream's are."""

    def __init__(self, file: BinaryIO, values: int) -> None:
        """Begin with nothing.

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

    def add(self, piece: Piece, file: int) -> None:
        """Append a piece of the table's file number `file`."""
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
        """Each stream, in the order in which they were met, and (n, 2): first record and how many, in that order."""
        if not self._slices:
            return []
        slices = np.concatenate(self._slices)
        slices = slices[np.argsort(slices[:, 0], kind="stable")]
        names = list(self._numbers)
        own = np.split(slices, np.flatnonzero(np.diff(slices[:, 0])) + 1)
        return [(names[part[0, 0]], part[:, 1:]) for part in own]

    def rows(self, slices: NDArray[np.int64]) -> Rows:
        """Give one stream's rows: what one entry of `by_stream` names."""
        size = self._record.itemsize
        parts = []
        for first, count in slices.tolist():
            self._file.seek(first * size)
            parts.append(np.frombuffer(self._file.read(count * size), dtype=self._record))
        records = np.concatenate(parts)
        return Rows(**{name: np.ascontiguousarray(records[name]) for name in Rows.__slots__})


def open_spool(folder: Path, values: int, stack: ExitStack) -> Spool:
    """Make a spool in a folder; its file closes with the stack and goes with the folder."""
    return Spool(stack.enter_context((folder / "spool").open("w+b")), values)
