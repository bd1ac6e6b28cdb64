"""Protocol of baselines: a fitted detector, and steps that several of them take."""

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
    """Raised where the data do not allow this baseline; the text gives the reason."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A fitted detector.

    Attributes:
        name: In tables.
        about: One line: method and inputs.
        score: StreamDataset → (R,) float32, higher is worse, NaN unknown; row t depends on rows up to t of its stream.
        threshold: Its customary operating point, or None.
    """

    name: str
    about: str
    score: Callable[[StreamDataset], NDArray[np.float32]]
    threshold: float | None = None


def measured(channels: Sequence[ChannelEntry]) -> NDArray[np.int64]:
    """Indices of the channels that are measured repeatedly."""
    return np.flatnonzero([channel.kind is ChannelKind.READING for channel in channels])


def carried_forward(data: StreamDataset) -> NDArray[np.float64]:
    """Last observed value of every channel (R, C), NaN before its first."""
    values = np.where(data.mask > 0, data.x, np.nan).astype(np.float64)
    for a, b in zip(data.start[:-1], data.start[1:], strict=True):
        values[a:b] = carried(values[a:b])
    return values


def normal(data: StreamDataset) -> NDArray[np.bool_]:
    """Rows (R,) that are not labelled as an event."""
    return np.ones(len(data.x), dtype=bool) if data.label is None else ~(data.label > 0)


def needed(train: StreamDataset | None) -> StreamDataset:
    """Return the training part.

    Raises:
        BaselineUnavailable: There is none.
    """
    if train is None:
        raise BaselineUnavailable("needs a training part: name one by --train")
    return train
