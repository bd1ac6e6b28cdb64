"""Datasets of streams as the daemon sees them: one row a frame, stream after stream.

The engine makes frames one at a time; training makes them all at once. Both follow one contract: `delta` and static
channels mean here what they mean in `tocsin.engine`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.model import ChannelKind
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from tocsin.bundle.manifest import ChannelEntry

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class DataRequest:
    """Request of a recipe to a data source.

    Attributes:
        part: `train` to fit on, `valid` for early stopping and thresholds, `test` to report on; or one of the source's
            own.
        folder: Of the records; a simulator needs none.
        channels: C of them, in the order of the graph's columns.
        period_s: Length of a tick.
        delta_cap_s: `delta` is clipped here.
        seed: Of random sources.
        options: `data.options` of the recipe.
        runs: Folder where a source may cache converted data, in a folder of its own.
        classes: `classify`: of the recipe, for sources that name them.
    """

    part: str
    folder: Path
    channels: tuple[ChannelEntry, ...]
    period_s: float
    delta_cap_s: float
    seed: int
    options: Mapping[str, object]
    runs: Path = Path("runs")
    classes: tuple[str, ...] | None = None

    def number(self, what: str, otherwise: int | None = None) -> int:
        """Option `<part>_<what>`: the number of beds, hours, streams or ticks that a simulator makes for this part.

        Raises:
            TrainingError: It is absent, or no positive whole number.
        """
        name = f"{self.part}_{what}"
        value = self.options.get(name, otherwise)
        if value is None:
            raise TrainingError(
                f"data.options says nothing of {name}, for the part {self.part!r} that is asked for; add it"
            )
        try:
            number = float(str(value))
        except ValueError:
            number = 0.0
        if number < 1 or not number.is_integer():
            raise TrainingError(f"data.options.{name} {value!r} is no number of {what} (legal: whole, 1 or more)")
        return int(number)


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One stream before it becomes frames.

    Attributes:
        stream: Name.
        tick: (T,) int64, ascending; a row exists for every tick with at least one reading.
        values: (T, C) in the channels' units, NaN where not measured. A static channel counts from the row of its first
            value; the column of a clock channel is ignored.
        label: (T,) 1 while the event is to be announced, else 0; None without labels.
        gain: (T,) gain of an alarm over silence in this row, in the units of the task's utility.
        kind: For `classify`: class of the whole stream, counted from 0.
    """

    stream: str
    tick: NDArray[np.int64]
    values: NDArray[np.float64]
    label: NDArray[np.float32] | None = None
    gain: NDArray[np.float32] | None = None
    kind: int | None = None


@dataclass(frozen=True, slots=True)
class StreamDataset:
    """B streams of frames, R rows in all; stream b owns the rows `start[b]:start[b + 1]`.

    Rows are padded only in batches, so that a long stream costs a short one nothing and no padding is taken for data.

    Attributes:
        channels: C of them.
        streams: B names.
        start: (B + 1,) int64.
        tick: (R,) int64, see `StreamRecord`.
        x: (R, C) float32 in the channels' units, 0 where missing.
        mask: (R, C) float32, 1 where observed.
        delta: (R, C) float32, seconds since the channel was last observed strictly before this frame.
        label: (R,) float32 or None, see `StreamRecord`.
        gain: (R,) float32 or None, see `StreamRecord`.
        teacher: (R,) float32 or None, a teacher's probability of the event; set in training, not by sources.
        kind: (B,) int64 or None, see `StreamRecord`.
    """

    channels: tuple[ChannelEntry, ...]
    streams: tuple[str, ...]
    start: NDArray[np.int64]
    tick: NDArray[np.int64]
    x: NDArray[np.float32]
    mask: NDArray[np.float32]
    delta: NDArray[np.float32]
    label: NDArray[np.float32] | None
    gain: NDArray[np.float32] | None
    teacher: NDArray[np.float32] | None = None
    kind: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """Number of streams, B."""
        return len(self.streams)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Frames of each stream (B,)."""
        return np.diff(self.start)

    @property
    def eventful(self) -> NDArray[np.bool_]:
        """Whether the labelled event occurs in each stream (B,)."""
        if self.label is None:
            raise TrainingError(
                "folds, negative subsampling and teachers need labels; give a label in every StreamRecord"
            )
        return np.maximum.reduceat(self.label, self.start[:-1]) > 0

    def digest(self) -> str:
        """BLAKE2b of names, frames, labels, gains, targets and classes."""
        hasher = hashlib.blake2b(repr(self.streams).encode(), digest_size=16)
        parts = (self.start, self.tick, self.x, self.mask, self.delta, self.label, self.gain, self.teacher, self.kind)
        for number, part in enumerate(parts):
            if part is not None:
                hasher.update(f"{number} {part.shape} {part.dtype}".encode())
                hasher.update(np.ascontiguousarray(part).data)
        return hasher.hexdigest()

    @classmethod
    def of(
        cls, channels: Sequence[ChannelEntry], period_s: float, delta_cap_s: float, records: Iterable[StreamRecord]
    ) -> StreamDataset:
        """Make the frames of records, as the engine makes them.

        Raises:
            TrainingError: There is no record.
        """
        records = list(records)
        if not records:
            raise TrainingError("the data source gave no streams; ask for a part that has some")
        made = [frames(record.tick, record.values, channels, period_s, delta_cap_s) for record in records]
        labels = [record.label for record in records if record.label is not None]
        gains = [record.gain for record in records if record.gain is not None]
        kinds = [record.kind for record in records if record.kind is not None]
        return cls(
            channels=tuple(channels),
            streams=tuple(record.stream for record in records),
            start=np.concatenate([[0], np.cumsum([len(record.tick) for record in records])]),
            tick=np.concatenate([record.tick for record in records]),
            x=np.concatenate([x for x, _, _ in made]),
            mask=np.concatenate([mask for _, mask, _ in made]),
            delta=np.concatenate([delta for _, _, delta in made]),
            label=np.concatenate(labels) if len(labels) == len(records) else None,
            gain=np.concatenate(gains) if len(gains) == len(records) else None,
            kind=np.array(kinds, dtype=np.int64) if len(kinds) == len(records) else None,
        )

    def pick(self, chosen: NDArray[np.int64]) -> StreamDataset:
        """Dataset of the streams with these numbers, in this order."""
        rows = self.rows(chosen)
        return replace(
            self,
            streams=tuple(self.streams[b] for b in chosen),
            start=np.concatenate([[0], np.cumsum(self.lengths[chosen])]),
            tick=self.tick[rows],
            x=self.x[rows],
            mask=self.mask[rows],
            delta=self.delta[rows],
            label=None if self.label is None else self.label[rows],
            gain=None if self.gain is None else self.gain[rows],
            teacher=None if self.teacher is None else self.teacher[rows],
            kind=None if self.kind is None else self.kind[chosen],
        )

    def rows(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the streams with these numbers, in this order."""
        none = np.zeros(0, dtype=np.int64)
        return np.concatenate([none, *(np.arange(self.start[b], self.start[b + 1]) for b in chosen)])

    def join(self, other: StreamDataset) -> StreamDataset:
        """Dataset of these streams, followed by the other's."""

        def both(ours: NDArray[np.float32] | None, theirs: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
            return None if ours is None or theirs is None else np.concatenate([ours, theirs])

        return replace(
            self,
            streams=self.streams + other.streams,
            start=np.concatenate([self.start, self.start[-1] + other.start[1:]]),
            tick=np.concatenate([self.tick, other.tick]),
            x=np.concatenate([self.x, other.x]),
            mask=np.concatenate([self.mask, other.mask]),
            delta=np.concatenate([self.delta, other.delta]),
            label=both(self.label, other.label),
            gain=both(self.gain, other.gain),
            teacher=both(self.teacher, other.teacher),
            kind=None if self.kind is None or other.kind is None else np.concatenate([self.kind, other.kind]),
        )


def frames(
    tick: NDArray[np.int64],  # (T,)
    values: NDArray[np.float64],  # (T, C), NaN where missing
    channels: Sequence[ChannelEntry],
    period_s: float,
    delta_cap_s: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """x, mask and delta of one stream, each (T, C) float32.

    A value outside its channel's plausible range counts as missing: it is a fault of the sensor.
    """
    values = np.array(values, dtype=np.float64)
    low = np.array([channel.low for channel in channels])
    high = np.array([channel.high for channel in channels])
    values[~((values >= low) & (values <= high))] = np.nan
    kinds = [channel.kind for channel in channels]
    for column, kind in enumerate(kinds):
        if kind is ChannelKind.CLOCK:
            values[:, column] = (tick - tick[0]) * (period_s / SECONDS_PER_HOUR)
        elif kind is ChannelKind.STATIC:
            values[:, column] = carried(values[:, column])
    observed = ~np.isnan(values)  # (T, C)
    measured = np.array([kind is ChannelKind.READING for kind in kinds])
    delta = np.where(measured, _since_observed(tick, observed) * period_s, 0.0)
    return (
        np.where(observed, values, 0.0).astype(np.float32),
        observed.astype(np.float32),
        np.minimum(delta, delta_cap_s).astype(np.float32),
    )


def carried(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values (T, …) with gaps filled by the last value; rows before a column's first value stay NaN."""
    at = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    row = np.maximum.accumulate(np.where(np.isnan(values), 0, at), axis=0)
    return np.take_along_axis(values, row, axis=0)


def _since_observed(tick: NDArray[np.int64], observed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Ticks (T, C) since the last observation strictly before each row, or since the first row."""
    row = np.where(observed, np.arange(len(tick))[:, None], 0)  # never observed counts from the first frame: row 0
    last = np.zeros_like(row)
    last[1:] = np.maximum.accumulate(row, axis=0)[:-1]
    since: NDArray[np.int64] = tick[:, None] - tick[last]
    return since
