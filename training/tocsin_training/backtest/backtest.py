"""Backtest: records replayed through the daemon's engine, with its scores and alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine import Engine, EventClock, FrameClock, Readings, Watch
from tocsin.engine.events import ConditionEventKind
from tocsin.engine.model import ChannelKind
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tocsin.engine import Alarm, EngineResult
    from tocsin.engine.model import Model
    from tocsin_training.data.dataset import StreamDataset

TOGETHER = 20_000  # readings in one batch, or those of one tick if they are more
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """Results of the engine for R rows.

    Attributes:
        score: (R,) float32, NaN where unknown.
        mean: (R, C) float32, expected values; NaN where unknown.
        scale: (R, C) float32, likewise.
        risen: Alarm → (A,) rows in which it rose, ascending.
        is_up: Alarm → (R,) whether it was up after the row.
    """

    score: NDArray[np.float32]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    risen: dict[str, NDArray[np.int64]]
    is_up: dict[str, NDArray[np.bool_]]


def backtest(
    model: Model, alarms: Sequence[Alarm], data: StreamDataset, clock: FrameClock | None = None
) -> BacktestResult:
    """Replay every stream's rows as readings, on the event clock.

    Streams begin together, whenever they were recorded, so that one call steps them all; streams are independent. Every
    row becomes one frame.

    Args:
        model: Of the bundle.
        alarms: Of the watch.
        data: Records on the model's channels and period.
        clock: Closes frames; the daemon's default if left out.

    Raises:
        TrainingError: The engine did not make one frame of each row.
    """
    _check(model, data)
    engine = Engine(Watch(model, alarms, clock or FrameClock(0, model.period_ns), max_streams=len(data)))
    event_clock = EventClock(engine)
    tick = data.tick - np.repeat(data.tick[data.start[:-1]], data.lengths) + 1  # (R,) since the stream began
    collect = _Collector(data, tick, model, [alarm.name for alarm in alarms])
    for batch in _batches(data, tick, model.period_ns):
        collect.take(event_clock.apply(batch), engine)
    # The last frames wait for readings that will not come: let them linger until they close.
    collect.take(engine.apply(Readings.of([]), int(tick.max() + 1) * model.period_ns + 10**18), engine)
    return collect.backtested()


def _check(model: Model, data: StreamDataset) -> None:
    ours, theirs = [c.name for c in model.channels], [c.name for c in data.channels]
    if ours != theirs:
        raise TrainingError(f"the records have the channels {', '.join(theirs)}; {model.name} wants {', '.join(ours)}")


def _batches(data: StreamDataset, tick: NDArray[np.int64], period_ns: int) -> Iterator[Readings]:
    """All rows in the order of their ticks, several ticks in a batch."""
    names = [channel.name for channel in data.channels]
    reading = np.array([channel.kind is ChannelKind.READING for channel in data.channels])
    static = np.array([channel.kind is ChannelKind.STATIC for channel in data.channels])
    streams = [str(b) for b in range(len(data))]
    stream = np.repeat(np.arange(len(data), dtype=np.int32), data.lengths)
    order = np.argsort(tick, kind="stable")
    begins = np.flatnonzero(np.diff(tick[order], prepend=-1))  # of each tick
    at = 0
    while at < len(order):
        end = begins[np.searchsorted(begins, at + TOGETHER)] if at + TOGETHER <= begins[-1] else len(order)
        rows = order[at:end]
        at = int(end)
        values = np.where(data.mask[rows] > 0, data.x[rows].astype(np.float64), np.nan)
        measured = np.where(reading, values, np.nan)
        if not static.any():
            yield Readings(streams, names, stream[rows], tick[rows] * period_ns, measured)
            continue
        # What is known of a patient comes ahead of each row as a message of its own, as a profile would.
        profile = np.where(static, values, np.nan)
        both = np.stack([profile, measured], axis=1).reshape(-1, len(names))
        published = np.ones(len(both), dtype=bool)
        published[::2] = ~np.isnan(profile).all(axis=1) & _fresh(data, rows, static)
        yield Readings(
            streams,
            names,
            stream[rows].repeat(2)[published],
            (tick[rows] * period_ns).repeat(2)[published],
            both[published],
        )


def _fresh(data: StreamDataset, rows: NDArray[np.int64], static: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a static channel differs from the row before, or the stream begins, (n,)."""
    before = np.maximum(rows - 1, 0)
    moved = (data.x[rows] != data.x[before]) | (data.mask[rows] != data.mask[before])
    fresh: NDArray[np.bool_] = (moved & static).any(axis=1) | np.isin(rows, data.start)
    return fresh


class _Collector:
    """Assigns the engine's results to rows."""

    def __init__(self, data: StreamDataset, tick: NDArray[np.int64], model: Model, alarms: Sequence[str]) -> None:
        self._data = data
        self._tick = tick
        self._period_ns = model.period_ns
        self._next = data.start[:-1].copy()  # (B,) the row that each stream's next frame is of
        rows, channels = data.x.shape
        self._score = np.full(rows, np.nan, dtype=np.float32)
        self._mean = np.full((rows, channels), np.nan, dtype=np.float32)
        self._scale = np.full((rows, channels), np.nan, dtype=np.float32)
        self._risen: dict[str, list[int]] = {name: [] for name in alarms}
        self._cleared: dict[str, list[int]] = {name: [] for name in alarms}
        self._streams = np.zeros(0, dtype=np.int64)  # (N,) the engine's row → our stream

    def take(self, outcome: EngineResult, engine: Engine) -> None:
        if outcome.rejected:
            why = ", ".join(f"{len(indices)} {reason}" for reason, indices in outcome.rejected.items())
            raise TrainingError(f"the engine refused readings of the records ({why}); fix their times and values")
        names = engine.table.names
        if len(self._streams) < len(names):
            new = np.array([int(name) for name in names[len(self._streams) :]], dtype=np.int64)
            self._streams = np.concatenate([self._streams, new])
        for steps in outcome.steps:
            stream = self._streams[steps.rows]
            rows = self._next[stream]
            if not (self._tick[rows] == steps.tick).all():
                raise TrainingError("the engine made other frames than the records hold; give one row a tick")
            self._next[stream] += 1
            self._score[rows], self._mean[rows], self._scale[rows] = steps.score, steps.mean, steps.scale
        for change in outcome.events:
            kept = {ConditionEventKind.ACTIVE: self._risen, ConditionEventKind.INACTIVE: self._cleared}.get(change.kind)
            if kept is not None:
                kept[change.alarm].append(self._row(int(change.stream), change.t))

    def _row(self, stream: int, t: int) -> int:
        """Newest row of a stream at `t`; for an alarm about silence `t` lies past the last row."""
        first, end = self._data.start[stream], self._data.start[stream + 1]
        return int(first + np.searchsorted(self._tick[first:end], t // self._period_ns, side="right") - 1)

    def backtested(self) -> BacktestResult:
        if not (self._next == self._data.start[1:]).all():
            raise TrainingError("the engine made fewer frames than the records hold; give one row a tick")
        risen = {name: np.sort(np.array(rows, dtype=np.int64)) for name, rows in self._risen.items()}
        is_up = {}
        for name, rows in risen.items():
            step = np.zeros(len(self._score), dtype=np.int64)
            np.add.at(step, rows, 1)
            np.add.at(step, np.array(self._cleared[name], dtype=np.int64), -1)
            total = np.cumsum(step)
            before = np.concatenate([[0], total])[self._data.start[:-1]]  # may be up as its stream ends
            is_up[name] = total - np.repeat(before, self._data.lengths) > 0
        return BacktestResult(self._score, self._mean, self._scale, risen, is_up)
