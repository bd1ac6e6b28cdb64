"""Series of the Numenta Anomaly Benchmark, as rows in the order of their files."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.errors import TrainingError
from tocsin_training.evaluation import nab

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FOLDER = "sensors/nab"


@dataclass(frozen=True, slots=True)
class NabSeries:
    """One file.

    Attributes:
        name: Its path within the benchmark; the first part is the category.
        t: (T,) int64, seconds since 1970; may repeat where a clock was put back.
        value: (T,) float64.
        windows: First and last row of each labelled window.
        truth: Reward or cost of a detection in each row.
    """

    name: str
    t: NDArray[np.int64]
    value: NDArray[np.float64]
    windows: tuple[tuple[int, int], ...]
    truth: nab.WindowLabels

    @property
    def category(self) -> str:
        """Folder of the benchmark."""
        return self.name.partition("/")[0]

    @property
    def period_s(self) -> int:
        """Median time from a row to the next."""
        return int(np.median(np.diff(self.t)))


def read(data: Path) -> list[NabSeries]:
    """Read every series of `data/sensors/nab`, in the order of their names."""
    folder = data / FOLDER
    return [series(folder, name) for name in sorted(_windows(folder))]


def series(folder: Path, name: str) -> NabSeries:
    """Read one file of the benchmark's folder."""
    with (folder / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    t = np.array([_seconds(row["timestamp"]) for row in rows])
    row_of = {second: row for row, second in reversed(list(enumerate(t.tolist())))}  # of a repeated time, the first
    windows = tuple((row_of[_seconds(first)], row_of[_seconds(last)]) for first, last in _windows(folder)[name])
    return NabSeries(
        name=name,
        t=t,
        value=np.array([float(row["value"]) for row in rows]),
        windows=windows,
        truth=nab.labels(len(rows), windows),
    )


def _windows(folder: Path) -> dict[str, list[tuple[str, str]]]:
    file = folder / "windows.json"
    try:
        labelled: dict[str, list[tuple[str, str]]] = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"{file}: {error.strerror}; --data is the folder that holds {FOLDER}") from error
    return labelled


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
