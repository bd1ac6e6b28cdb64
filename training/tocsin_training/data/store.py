"""Store of datasets on disk: columns mapped into memory, so that a batch reads its own rows only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.data.dataset import StreamDataset, frames

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from tocsin.bundle.manifest import ChannelEntry
    from tocsin_training.data.dataset import StreamRecord

_INDEX = "streams.json"
_FRAMED = ("x", "mask", "delta")


class StoreWriter:
    """Writes streams one after the other."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Create the folder; the files close with the stack."""
        folder.mkdir(parents=True)
        self._folder = folder
        self._files = {
            name: stack.enter_context((folder / name).open("wb"))
            for name in ("tick", "x", "mask", "delta", "label", "gain")
        }
        self._streams: list[str] = []
        self._lengths: list[int] = []
        self._kinds: list[int | None] = []

    def add(self, record: StreamRecord, channels: Sequence[ChannelEntry], period_s: float, delta_cap_s: float) -> None:
        """Append a stream."""
        made: dict[str, NDArray[Any] | None] = {"tick": record.tick, "label": record.label, "gain": record.gain}
        made |= zip(_FRAMED, frames(record.tick, record.values, channels, period_s, delta_cap_s), strict=True)
        for name, column in made.items():
            if column is not None:
                self._files[name].write(column.tobytes())
        self._streams.append(record.stream)
        self._lengths.append(len(record.tick))
        self._kinds.append(record.kind)

    def finish(self) -> None:
        """Write the index of the columns."""
        index = {"streams": self._streams, "lengths": self._lengths, "kinds": self._kinds}
        (self._folder / _INDEX).write_text(json.dumps(index), encoding="utf-8")


def open_store(folder: Path, channels: Sequence[ChannelEntry]) -> StreamDataset | None:
    """Map a dataset that a `StoreWriter` wrote; None if it has no stream."""
    index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    if not index["streams"]:
        return None
    start = np.concatenate([[0], np.cumsum(index["lengths"])])
    rows, c = int(start[-1]), len(channels)

    def column(name: str, dtype: type[np.generic], *width: int) -> NDArray[Any] | None:
        if not (folder / name).stat().st_size:
            return None
        return np.memmap(folder / name, dtype=dtype, mode="c", shape=(rows, *width))

    tick, label, gain = column("tick", np.int64), column("label", np.float32), column("gain", np.float32)
    x, mask, delta = (column(name, np.float32, c) for name in _FRAMED)
    if tick is None or x is None or mask is None or delta is None:
        raise AssertionError  # streams have rows
    kind = None if None in index["kinds"] else np.array(index["kinds"], dtype=np.int64)
    return StreamDataset(tuple(channels), tuple(index["streams"]), start, tick, x, mask, delta, label, gain, kind=kind)
