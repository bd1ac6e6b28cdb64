"""Records of `hypotension/records.parquet`: 60 records of mean arterial pressure, one value a minute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin_training.data.dataset import DataRequest

FILE = "hypotension/records.parquet"
HISTORY = 600  # minutes that a forecast may look back on
WINDOW = 60  # minutes after them, the forecast window
CHANNEL = "map"
FOLDS = 5
SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Pressure:
    """One record.

    Attributes:
        name: In the challenge.
        values: (660,) float64, mmHg, including artefacts.
        episode: Whether an episode follows after minute 600.
    """

    name: str
    values: NDArray[np.float64]
    episode: bool

    @property
    def history(self) -> NDArray[np.float64]:
        """First 600 minutes (600,)."""
        return self.values[:HISTORY]

    @property
    def following(self) -> NDArray[np.float64]:
        """Last 60 minutes (60,), to be forecast."""
        return self.values[HISTORY:]


def read(folder: Path) -> list[Pressure]:
    """All records, in the order of their names.

    Raises:
        TrainingError: The file is missing, or a record is incomplete.
    """
    path = folder / FILE
    if not path.exists():
        raise TrainingError(f"{path} is not there; give the folder that holds {FILE} by --data")
    table = pl.read_parquet(path).sort("record", "minute")
    found = []
    for (name,), rows in table.group_by("record", maintain_order=True):
        if rows["minute"].to_list() != list(range(HISTORY + WINDOW)):
            raise TrainingError(
                f"{path}: record {name} has {rows.height} rows, not each minute from 0 to {HISTORY + WINDOW - 1}; "
                "take the file as it came"
            )
        values = rows["map_mmhg"].cast(pl.Float64).to_numpy()
        found.append(Pressure(str(name), values, bool(rows["episode_follows"][0])))
    return found


def pressures(request: DataRequest) -> StreamDataset:
    """One part of the records, whole: 660 minutes each.

    Records with and without an episode are dealt into five folds separately; `valid` is the last fold. There is no
    `test`: sixty records are too few for three parts.
    """
    if request.part not in {"train", "valid"}:
        raise TrainingError(f"{FILE} has no part {request.part!r}; it has train and valid")
    records = read(request.folder)
    held_out = folds(np.array([record.episode for record in records])) == FOLDS - 1
    chosen = [r for r, out in zip(records, held_out.tolist(), strict=True) if out == (request.part == "valid")]
    return StreamDataset.of(
        request.channels,
        request.period_s,
        request.delta_cap_s,
        [StreamRecord(record.name, np.arange(len(record.values)), record.values[:, None]) for record in chosen],
    )


def folds(event: NDArray[np.bool_], count: int = FOLDS) -> NDArray[np.int64]:
    """Fold of each record (B,); records with and without an event are dealt out in turn.

    >>> folds(np.array([True, False, True, False, True]), 2).tolist()
    [0, 0, 1, 1, 0]
    """
    return np.where(event, np.cumsum(event) - 1, np.cumsum(~event) - 1) % count


def histories(request: DataRequest) -> StreamDataset:
    """First 600 minutes of every record in ticks of the recipe's period, each the median of its minutes.

    Nothing after minute 600 is read. The class is whether an episode follows.
    """
    minutes = int(request.period_s / SECONDS_PER_MINUTE)
    if minutes < 1 or HISTORY % minutes:
        raise TrainingError(f"serving.period_s {request.period_s:g} does not part {HISTORY} minutes; say 600, say")
    channel = request.channels[0]
    records = []
    for record in read(request.folder):
        by_tick = record.history.reshape(-1, minutes)
        plausible = (by_tick >= channel.low) & (by_tick <= channel.high)
        known = plausible.any(axis=1)
        value = np.nanmedian(np.where(plausible, by_tick, np.nan)[known], axis=1)
        records.append(StreamRecord(record.name, np.flatnonzero(known), value[:, None], kind=int(record.episode)))
    return StreamDataset.of(request.channels, request.period_s, request.delta_cap_s, records)
