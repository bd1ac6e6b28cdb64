"""Evidence and explanation of a condition event: the channels in its frame, and what the model's score rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.events import Evidence, Explanation
from tocsin.engine.frames.history import frames
from tocsin.engine.model import ChannelKind
from tocsin.engine.types import NEVER

if TYPE_CHECKING:
    from tocsin.engine.conditions.base import Condition, ReasonContext
    from tocsin.engine.model import Model
    from tocsin.engine.result import Steps
    from tocsin.engine.streams.table import StreamTable

_NS_PER_S = 1_000_000_000


def evidence(model: Model, steps: Steps, i: int, *, scored: bool) -> tuple[Evidence, ...]:
    """List the measured channels of frame i, those with the largest contribution first.

    Args:
        model: The model.
        steps: The frames.
        i: Position of the frame.
        scored: Whether the condition rests on the score; otherwise channels keep the model's order.
    """
    score = steps.score[i]
    entries = []
    for c, channel in enumerate(model.channels):
        if channel.kind is not ChannelKind.READING:
            continue
        observed = steps.mask[i, c] != 0
        entries.append(
            Evidence(
                channel=channel.name,
                unit=channel.unit,
                value=_or_none(steps.x[i, c]) if observed else None,
                mean=_or_none(steps.mean[i, c]),
                scale=_or_none(steps.scale[i, c]),
                contribution=_or_none(steps.contribution[i, c]) if scored and not np.isnan(score) else None,
            )
        )
    if scored:
        entries.sort(key=lambda entry: -(entry.contribution or 0.0))
    return tuple(entries)


def _or_none(value: np.float32) -> float | None:
    # By way of its text: 97.2 in float32 is 97.19999694824219 in float64, and people read it.
    return None if np.isnan(value) else float(str(value))


def explanation(table: StreamTable, condition: Condition, context: ReasonContext, *, with_frames: bool) -> Explanation:
    """Explain a stream's condition as it is now.

    Args:
        table: The streams.
        condition: A condition that rests on the model.
        context: The stream at the event.
        with_frames: Whether the explanation carries the recent frames.
    """
    model, row = context.model, context.row
    threshold, rising = condition.score_onset(context.state)
    if condition.threshold is not None:
        threshold = context.limit_or(condition.threshold)
    if threshold is not None and context.baseline is not None:
        threshold = float(context.baseline.bounds(threshold)[1][0])

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
        reprocessed=t(int(table.reprocessed_tick[row])),
        frames=frames(table, row, model) if with_frames and table.keeps_recent else None,
    )
