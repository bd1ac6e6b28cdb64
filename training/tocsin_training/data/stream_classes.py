"""Classes of a table's streams: every row names the class of its stream, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tocsin_training.data.rows import TableChunk


class _Named(NamedTuple):
    kind: int
    file: Path
    row: int


class StreamClasses:
    """Classes named so far; rows of channels that are not read count, too."""

    def __init__(self, column: str, classes: Sequence[str]) -> None:
        """Start without classes.

        Args:
            column: Of the table.
            classes: Of the recipe.
        """
        self._column = column
        self._classes = classes
        self._first: dict[str, _Named] = {}

    def add(self, piece: TableChunk, file: Path) -> None:
        """Add a chunk of the table.

        Raises:
            TrainingError: A stream has two classes.
        """
        for stream, kind, row in piece.named.tolist():
            name = piece.names[stream]
            first = self._first.setdefault(name, _Named(kind, file, row))
            if first.kind != kind:
                raise TrainingError(
                    f"{file}: column {self._column!r}: row {row}: stream {name!r} is {self._classes[kind]}, and "
                    f"{self._classes[first.kind]} in row {first.row} of {first.file.name}; a stream is of one class: "
                    "part it by another name"
                )

    def of(self, stream: str) -> int:
        """Class of a stream, after all chunks were added.

        Raises:
            TrainingError: No row names it.
        """
        if stream not in self._first:
            raise TrainingError(
                f"column {self._column!r}: no row of stream {stream!r} names a class; write one of "
                f"{', '.join(self._classes)} in one of them"
            )
        return self._first[stream].kind
