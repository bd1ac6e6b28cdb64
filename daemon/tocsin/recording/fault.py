"""What is wrong with a table, and which kinds there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class RecordingError(Exception):
    """A table that can't be replayed or written; names the file, the column, and the row."""


def kind_of(file: Path) -> str:
    """`.parquet` or `.csv`.

    Raises:
        RecordingError: It is neither.
    """
    kind = file.suffix.lower()
    if kind not in {".parquet", ".csv"}:
        raise RecordingError(f"{file}: unknown kind of table {file.suffix!r} (legal: .parquet, .csv)")
    return kind
