"""What a judgement by a model rests on: since when the score has been rising, and what touched the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.base import AllOf, AnyOf, ScoreAbove, cells, singles
from tocsin.engine.events import Explanation
from tocsin.engine.frames.history import frames
from tocsin.engine.streams.table import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.conditions.adaptation import StreamBaseline
    from tocsin.engine.conditions.base import Condition
    from tocsin.engine.model import Model
    from tocsin.engine.streams.table import StreamTable

_NS_PER_S = 1_000_000_000


def explanation(
    table: StreamTable,
    row: int,
    model: Model,
    condition: Condition,
    notes: NDArray[np.float64],
    limit: float,
    own: StreamBaseline | None,
    *,
    with_frames: bool,
) -> Explanation:
    """Explain a stream's condition as it is now.

    Args:
        table: The streams.
        row: The stream's.
        model: The model.
        condition: The condition.
        notes: (cells,) of it.
        limit: The stream's own, in place of the condition's; NaN: none.
        own: What the stream is like, where thresholds are adapted.
        with_frames: Whether the recent frames go with it.
    """
    threshold, rising = _of_score(condition, notes)
    if isinstance(condition, ScoreAbove) and not np.isnan(limit):
        threshold = limit
    if threshold is not None and own is not None:
        threshold = float(own.bounds(threshold)[1][0])

    def t(tick: int) -> int | None:
        return None if tick == NEVER else tick * model.period_ns

    gap_ticks = int(table.gap_ticks[row])
    return Explanation(
        model=f"{model.name}/{model.version}",
        sha256=model.sha256,
        threshold=threshold,
        rising_since=t(rising),
        warm_up_ticks=model.warm_up_ticks,
        frames_seen=int(table.frame_count[row]),
        state_since=t(int(table.state_first_tick[row])),
        gap_ended=t(int(table.gap_end[row])),
        gap_s=gap_ticks * model.period_ns / _NS_PER_S if gap_ticks else None,
        rewound=t(int(table.reprocessed_tick[row])),
        frames=frames(table, row, model) if with_frames and table.keeps_recent else None,
    )


def _of_score(condition: Condition, notes: NDArray[np.float64]) -> tuple[float | None, int]:
    """The threshold of the first score that a condition rests on, and the tick since when that has been rising."""
    at, own = 0, int(isinstance(condition, AllOf | AnyOf))
    for single in singles(condition):
        if isinstance(single, ScoreAbove):
            began = notes[at + own]
            return single.threshold, NEVER if np.isnan(began) else int(began)
        at += own + cells(single)
    return None, NEVER
