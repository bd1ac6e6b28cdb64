"""What all baselines share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.model import ChannelKind
from tocsin_training.data.dataset import carried

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tocsin.bundle.manifest import ChannelEntry
    from tocsin_training.data.dataset import StreamDataset


class BaselineUnavailable(Exception):  # noqa: N818  (no fault: the data allow no such baseline, and the report says why)
    """The data don't allow this baseline; the text says why."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A detector, fitted.

    Attributes:
        name: In tables.
        about: One line: what it does, on what.
        score: StreamDataset → (R,) float32, higher is worse, NaN unknown; row t knows rows up to t of its stream.
        threshold: Its own operating point; None where it has none by custom.
    """

    name: str
    about: str
    score: Callable[[StreamDataset], NDArray[np.float32]]
    threshold: float | None = None


def measured(channels: Sequence[ChannelEntry]) -> NDArray[np.int64]:
    """The columns that are measured again and again."""
    return np.flatnonzero([channel.kind is ChannelKind.READING for channel in channels])


def carried_forward(data: StreamDataset) -> NDArray[np.float64]:
    """(R, C) every channel's last value so far, NaN before its first."""
    values = np.where(data.mask > 0, data.x, np.nan).astype(np.float64)
    for a, b in zip(data.start[:-1], data.start[1:], strict=True):
        values[a:b] = carried(values[a:b])
    return values


def normal(data: StreamDataset) -> NDArray[np.bool_]:
    """(R,) the rows that are not labelled as an event."""
    return np.ones(len(data.x), dtype=bool) if data.label is None else ~(data.label > 0)


def needed(train: StreamDataset | None) -> StreamDataset:
    """The training part, which this baseline can't do without."""
    if train is None:
        raise BaselineUnavailable("needs a training part: name one by --train")
    return train
