"""History of a stream's last frames with the state before them, from which a score can be computed again anywhere.

The frames stand in a ring buffer of the stream table, in two halves. The model's state is copied before the first frame
of each half, so that all frames after a copy can be stepped again: more than half of the buffer, once it is full.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tocsin.engine.events import Frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.model import Model
    from tocsin.engine.streams.table import StreamTable


def append(
    table: StreamTable,
    rows: NDArray[np.int64],
    tick: NDArray[np.int64],
    x: NDArray[np.float32],
    mask: NDArray[np.float32],
    delta: NDArray[np.float32],
) -> None:
    """Append the frames that the model is about to step, for n streams.

    The history of a stream that is reprocessed begins anew: its old frames are no longer what happened.

    Args:
        table: The streams, before the step.
        rows: (n,) int64 rows.
        tick: (n,) int64.
        x: (n, C) float32.
        mask: (n, C) float32.
        delta: (n, C) float32.
    """
    length = table.recent_tick.shape[1]
    count = table.recent_count[rows]
    newest = table.recent_tick[rows, (count - 1) % length]
    count = np.where((count > 0) & (tick <= newest), 0, count)
    at = count % length
    first = at % (length // 2) == 0
    if first.any():
        begun, half = rows[first], at[first] // (length // 2)
        table.recent_state[begun, half] = table.state[begun]
        table.recent_mean[begun, half] = table.mean[begun]
        table.recent_scale[begun, half] = table.scale[begun]
    table.recent_tick[rows, at] = tick
    table.recent_frame[rows, at] = np.concatenate([np.where(mask != 0, x, np.float32(np.nan)), delta], axis=1)
    table.recent_count[rows] = count + 1


def frames(table: StreamTable, row: int, model: Model) -> Frames | None:
    """Frames of a stream's history, oldest first; None if there is none."""
    length, count = table.recent_tick.shape[1], int(table.recent_count[row])
    if not count:
        return None
    half = length // 2
    start = max((count - 1) // half - 1, 0) * half
    at = np.arange(start, count) % length
    begun = start % length // half
    x, delta = np.split(table.recent_frame[row, at], 2, axis=1)  # (T, C) each
    missing = np.isnan(x)
    return Frames(
        channels=tuple(channel.name for channel in model.channels),
        period_ns=model.period_ns,
        tick=_text(table.recent_tick[row, at], "<i8"),
        x=_text(np.where(missing, np.float32(0.0), x), "<f4"),
        mask=_text(~missing, "<u1"),
        delta=_text(delta, "<f4"),
        state=_text(table.recent_state[row, begun], "<f4"),
        mean=_text(table.recent_mean[row, begun], "<f4"),
        scale=_text(table.recent_scale[row, begun], "<f4"),
    )


@dataclass(frozen=True, slots=True)
class Rescored:
    """Frames that were stepped again.

    Attributes:
        tick: (T,) int64.
        x: (T, C) float32.
        mask: (T, C) float32.
        score: (T,) float32; known even where the stream was warming up.
        contribution: (T, C) float32.
        mean: (T, C) float32, prediction for x; NaN where there was none.
        scale: (T, C) float32, scale of the prediction; NaN where there was none.
    """

    tick: NDArray[np.int64]
    x: NDArray[np.float32]
    mask: NDArray[np.float32]
    score: NDArray[np.float32]
    contribution: NDArray[np.float32]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]


def rescore(model: Model, given: Frames) -> Rescored:
    """Step frames again.

    With the same graph, runtime and kind of processor the scores are the original ones, to the bit.

    Raises:
        ValueError: The frames are another model's, or damaged.
    """
    c = len(model.channels)
    if given.channels != tuple(channel.name for channel in model.channels):
        found, legal = ", ".join(given.channels), ", ".join(channel.name for channel in model.channels)
        raise ValueError(f"frames are of channels {found} (legal: {legal})")
    tick = _numbers(given.tick, "<i8")
    x, delta = (_numbers(text, "<f4").reshape(-1, c) for text in (given.x, given.delta))
    mask = _numbers(given.mask, "<u1").reshape(-1, c).astype(np.float32)
    state, mean, scale = (_numbers(text, "<f4")[None, :] for text in (given.state, given.mean, given.scale))
    if not len(tick) or not len(tick) == len(x) == len(mask) == len(delta) or state.shape[1] != model.state_size:
        raise ValueError(f"frames are damaged: {len(tick)} ticks, {len(x)} frames, {state.size} values of state")
    scores, contributions, means, scales = [], [], [], []
    for k in range(len(tick)):
        result = model.step(x[k : k + 1], mask[k : k + 1], delta[k : k + 1], state)
        scores.append(result.score)
        contributions.append(result.contribution)
        means.append(mean)
        scales.append(scale)
        state = result.state
        mean, scale = result.following
    return Rescored(tick, x, mask, *(np.concatenate(parts) for parts in (scores, contributions, means, scales)))


def _text(column: NDArray[np.generic], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(column).astype(kind).tobytes()).decode("ascii")


def _numbers(text: str, kind: str) -> NDArray[Any]:
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), dtype=kind).astype(np.dtype(kind).newbyteorder("="))
    except ValueError as error:
        raise ValueError(f"frames are damaged: {error}") from error
