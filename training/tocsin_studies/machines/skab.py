"""SKAB: fourteen experiments on a water-circulation test bed, eight channels at 1 Hz (Katser and Kozitsin 2020).

The usual protocol: a detector is fitted on the first 400 rows of each file and evaluated on all its rows, the fitted
ones among them. (In one file 74 % of the fitted rows are labelled anomalous.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tocsin.bundle.manifest import ChannelEntry
from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FOLDER = "sensors/skab"
CHANNELS = (
    "accelerometer-1",
    "accelerometer-2",
    "current",
    "pressure",
    "temperature",
    "thermocouple",
    "voltage",
    "flow",
)
UNITS = ("g", "g", "A", "bar", "Cel", "Cel", "V", "L/min")
PERIOD_S = 1.0
FITTED = 400  # rows
PIECE = 50  # ticks that a gradient reaches back
HELD_OUT = 80  # of the fitted rows, the last: they stop the training
LASTS, EVERY = 1150, 550  # rows of the pretended experiments that the file without anomalies is cut into
WIDE = 1e6


@dataclass(frozen=True, slots=True)
class SkabExperiment:
    """One file.

    Attributes:
        name: Its number.
        rows: (T, 8) in the channels' units.
        label: (T,) 1 where anomalous.
    """

    name: str
    rows: NDArray[np.float64]
    label: NDArray[np.float32]

    def stream(self, rows: int | None = None) -> StreamDataset:
        """First rows, or all, as one stream; gaps in time are ignored, as in the protocol."""
        values = self.rows[:rows]
        return StreamDataset.of(
            CHANNEL_ENTRIES, PERIOD_S, PERIOD_S, [StreamRecord(self.name, np.arange(len(values)), values)]
        )

    def fitted(self) -> StreamDataset:
        """Rows to fit on, in chunks."""
        return self._pieces(0, FITTED - HELD_OUT)

    def held_out(self) -> StreamDataset:
        """End of the first 400 rows."""
        return self._pieces(FITTED - HELD_OUT, FITTED)

    def _pieces(self, first: int, last: int) -> StreamDataset:
        whole = replace(self, rows=self.rows[first:last]).stream()
        start = np.arange(0, last - first, PIECE)
        return replace(
            whole, streams=tuple(f"{self.name}:{at}" for at in start), start=np.concatenate([start, [last - first]])
        )


CHANNEL_ENTRIES = tuple(
    ChannelEntry(name=name, unit=unit, low=-WIDE, high=WIDE) for name, unit in zip(CHANNELS, UNITS, strict=True)
)


def experiments(folder: Path) -> list[SkabExperiment]:
    """All of `folder`/sensors/skab/other, by number."""
    paths = sorted((folder / FOLDER / "other").glob("*.csv"), key=lambda path: int(path.stem))
    if not paths:
        raise TrainingError(f"{folder / FOLDER / 'other'}: no experiments in it; give the folder that holds {FOLDER}")
    return [_read(path) for path in paths]


def normal(folder: Path) -> SkabExperiment:
    """Normal file, 9,401 rows: choices are made on it."""
    return _read(folder / FOLDER / "anomaly-free" / "anomaly-free.csv")


def pretended(folder: Path) -> list[SkabExperiment]:
    """Simulated experiments: ranges of it, as long as an experiment; each shares its second half with the next."""
    whole = normal(folder)
    return [
        replace(whole, name=f"normal:{at}", rows=whole.rows[at : at + LASTS], label=whole.label[at : at + LASTS])
        for at in range(0, len(whole.rows) - LASTS + 1, EVERY)
    ]


def _read(path: Path) -> SkabExperiment:
    table = pl.read_csv(path, separator=";")
    label = table["anomaly"] if "anomaly" in table.columns else pl.zeros(len(table), eager=True)
    rows = table.drop("datetime", "anomaly", "changepoint", strict=False).to_numpy().astype(np.float64)
    return SkabExperiment(path.stem, rows, label.to_numpy().astype(np.float32))
