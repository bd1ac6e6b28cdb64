"""Servers: ten machines with 19 or 38 channels each, labelled anomalies and the channels behind them.

`machine-*` are of the Server Machine Dataset (Su et al. 2019, OmniAnomaly), one row a minute; `omi-*` of the
Application Server Dataset (Li et al. 2021, InterFusion), one row every five minutes. Both are scaled to 0 … 1, MIT.
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

    from tocsin_training.data.dataset import DataRequest

FOLDER = "sensors/servers"
GROUPS = {"SMD": ("machine-*", 60.0), "ASD": ("omi-*", 300.0)}  # pattern of the names, seconds a tick
PIECE = 100  # ticks that a gradient reaches back: training streams are cut into such pieces
FITTED = 0.8  # share of the training part that is fitted; the rest stops the training
RUN_IN = 500  # ticks of the training part that are stepped before the test part: a server doesn't start with it
WIDE = 100.0  # values of the test part lie outside the 0 … 1 of the training part; they are the news


@dataclass(frozen=True, slots=True)
class Cause:
    """One anomaly of the test part.

    Attributes:
        first: Its first row in the test part.
        last: Its last row, inclusive.
        channels: The columns behind it, from 0.
    """

    first: int
    last: int
    channels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Server:
    """One server's records.

    Attributes:
        name: `omi-1` and the like.
        group: SMD or ASD.
        train: (R, C) rows without anomalies.
        test: (T, C).
        label: (T,) 1 where anomalous.
        causes: The anomalies of the test part.
    """

    name: str
    group: str
    train: NDArray[np.float64]
    test: NDArray[np.float64]
    label: NDArray[np.float32]
    causes: tuple[Cause, ...]

    @property
    def period_s(self) -> float:
        """Seconds a tick."""
        return GROUPS[self.group][1]

    @property
    def channels(self) -> tuple[ChannelEntry, ...]:
        """Channel entries c01, c02 and so on."""
        return channels(self.train.shape[1])

    def fitted(self) -> StreamDataset:
        """Rows to fit on, in chunks."""
        return self._pieces(self.train[: int(FITTED * len(self.train))])

    def held_out(self) -> StreamDataset:
        """End of the training part, in chunks: stops the training."""
        return self._pieces(self.train[int(FITTED * len(self.train)) :])

    def normal(self) -> StreamDataset:
        """Whole training part as one stream."""
        return self.stream(self.train)

    def stream(self, rows: NDArray[np.float64], label: NDArray[np.float32] | None = None) -> StreamDataset:
        """Rows (T, C) as one stream."""
        record = StreamRecord(self.name, np.arange(len(rows)), rows, label)
        return StreamDataset.of(self.channels, self.period_s, self.period_s, [record])

    def tested(self) -> StreamDataset:
        """`RUN_IN` ticks of the training part and the test part, as one stream; label 0 in the former."""
        rows = np.concatenate([self.train[-RUN_IN:], self.test])
        return self.stream(rows, np.concatenate([np.zeros(RUN_IN, dtype=np.float32), self.label]))

    def _pieces(self, rows: NDArray[np.float64]) -> StreamDataset:
        whole = self.stream(rows)
        start = np.arange(0, len(rows) - 1, PIECE)  # a last piece of one tick would hold nothing to forecast
        return replace(
            whole, streams=tuple(f"{self.name}:{at}" for at in start), start=np.concatenate([start, [len(rows)]])
        )


def channels(count: int) -> tuple[ChannelEntry, ...]:
    """Channels c01, c02, …; their names were removed before publication."""
    return tuple(ChannelEntry(name=f"c{c + 1:02d}", unit="1", low=-WIDE, high=WIDE) for c in range(count))


def servers(folder: Path) -> list[Server]:
    """All ten, from `folder`/sensors/servers."""
    found = [
        _server(path, group)
        for group, (pattern, _) in GROUPS.items()
        for path in sorted((folder / FOLDER).glob(f"{pattern}.parquet"))
    ]
    if not found:
        raise TrainingError(f"{folder / FOLDER}: no servers' records in it; give the folder that holds {FOLDER}")
    return found


def read(request: DataRequest) -> StreamDataset:
    """Data source of a recipe; `data.options.server` names the server."""
    name = str(request.options.get("server"))
    chosen = [server for server in servers(request.folder) if server.name == name]
    if not chosen:
        raise TrainingError(f"data.options.server {name!r} is none of the servers in {request.folder / FOLDER}")
    parts = {"train": chosen[0].fitted, "valid": chosen[0].held_out, "test": chosen[0].tested}
    return parts[request.part]()


def _server(path: Path, group: str) -> Server:
    table = pl.read_parquet(path)
    parts = [table.filter(pl.col("part") == part) for part in ("train", "test")]
    train, test = (part.drop("part", "anomaly").to_numpy().astype(np.float64) for part in parts)
    lines = path.with_suffix(".causes.txt").read_text(encoding="utf-8").split()
    label = parts[1]["anomaly"].to_numpy().astype(np.float32)
    beyond = 1 if group == "SMD" else 0  # its files name the row after the last, as the labels show
    return Server(path.stem, group, train, test, label, tuple(_cause(line, beyond) for line in lines))


def _cause(line: str, beyond: int) -> Cause:
    """Parse `first-last:channels`, channels from 1; `last` lies `beyond` rows after the last one.

    >>> _cause("664-667:9,13,14", 1)
    Cause(first=664, last=666, channels=(8, 12, 13))
    """
    rows, named = line.split(":")
    first, last = rows.split("-")
    return Cause(int(first), int(last) - beyond, tuple(int(channel) - 1 for channel in named.split(",")))
