"""Batches of readings, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Readings:
    """R readings in the order in which they arrived.

    A reading is one stream's values at one time. Names are dictionary-encoded: each distinct name
    stands once in `streams` or `channels`, and the columns hold indices, so that a batch of a million values needs no
    million strings.

    Attributes:
        streams: The distinct streams of this batch.
        channels: Names of the columns of `values`.
        stream: (R,) int32, index into `streams`.
        t: (R,) int64, when the reading was taken, nanoseconds since 1970 UTC.
        values: (R, V) float64, in the channels' own units; NaN where a reading doesn't carry that channel. A
            reading without any value is legal: the sensor is there and measured nothing.
        labels: Labels of each stream, such as its ward, parallel to `streams`; empty if there are none.
    """

    streams: Sequence[str]
    channels: Sequence[str]
    stream: NDArray[np.int32]
    t: NDArray[np.int64]
    values: NDArray[np.float64]
    labels: Sequence[Mapping[str, str]] = ()

    def __len__(self) -> int:
        """R, the number of readings."""
        return len(self.t)

    @classmethod
    def of(cls, rows: Iterable[tuple[str, int, Mapping[str, float]]]) -> Readings:
        """Make a batch of (stream, t in nanoseconds, channel → value): for edges and tests, not the hot path.

        >>> batch = Readings.of([("bed-1", 1_000_000_000, {"hr": 72.0}), ("bed-2", 1_000_000_000, {"spo2": 97.0})])
        >>> batch.streams, batch.channels
        (['bed-1', 'bed-2'], ['hr', 'spo2'])
        >>> batch.values
        array([[72., nan],
               [nan, 97.]])
        """
        rows = list(rows)
        streams = {name: code for code, name in enumerate(dict.fromkeys(stream for stream, _, _ in rows))}
        channels = {
            name: code for code, name in enumerate(dict.fromkeys(channel for _, _, vs in rows for channel in vs))
        }
        values = np.full((len(rows), len(channels)), np.nan)  # (R, V)
        for row, (_, _, by_channel) in enumerate(rows):
            for channel, value in by_channel.items():
                values[row, channels[channel]] = value
        return cls(
            streams=list(streams),
            channels=list(channels),
            stream=np.array([streams[stream] for stream, _, _ in rows], dtype=np.int32),
            t=np.array([t for _, t, _ in rows], dtype=np.int64),
            values=values,
        )
