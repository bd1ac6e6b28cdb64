"""Judging: which conditions hold. A condition is what is true; an alarm is what demands a response.

A judgement has three values. *Unknown* is one of them: no data, warming up, not measured now. It is never taken for
normal, and it never clears anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.streams import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.steps import Steps
    from tocsin.engine.streams import StreamTable


class Truth(IntEnum):
    """What is known of a condition."""

    UNKNOWN = 0
    FALSE = 1
    TRUE = 2


@dataclass(frozen=True, slots=True)
class Above:
    """A channel's value lies above a limit; judged in frames in which it was observed.

    Attributes:
        channel: Index of the channel.
        limit: In the channel's unit.
        deadband: Once above, it must fall below limit − deadband before it counts as ended.
    """

    channel: int
    limit: float
    deadband: float


@dataclass(frozen=True, slots=True)
class Below:
    """A channel's value lies below a limit; the mirror of `Above`."""

    channel: int
    limit: float
    deadband: float


@dataclass(frozen=True, slots=True)
class ScoreAbove:
    """The model's score has reached a threshold.

    Attributes:
        threshold: On the scale of the manifest's calibration.
    """

    threshold: float


@dataclass(frozen=True, slots=True)
class Absent:
    """A channel has not been observed for some time, though frames come.

    Attributes:
        channel: Index of the channel.
        for_ns: How long; a channel never observed counts from the stream's first frame.
    """

    channel: int
    for_ns: int


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing has been heard of a stream for some time; judged when `now` advances.

    Attributes:
        for_ns: How long, in `now`'s time.
    """

    for_ns: int


FrameCondition = Above | Below | ScoreAbove | Absent
Condition = FrameCondition | Silent


def judge(
    condition: FrameCondition,
    steps: Steps,
    table: StreamTable,
    period_ns: int,
    held: NDArray[np.int8],
) -> NDArray[np.int8]:
    """Judge one condition in n frames.

    Args:
        condition: Which.
        steps: The frames and their scores.
        table: The streams, already stepped.
        period_ns: Of a tick.
        held: (n,) the judgement before this frame; between a limit and its deadband it goes on.

    Returns:
        (n,) int8, a `Truth` each.
    """
    match condition:
        case Above(channel, limit, deadband):
            value = steps.x[:, channel]
            return _limit(value > limit, value < limit - deadband, steps.mask[:, channel], held)
        case Below(channel, limit, deadband):
            value = steps.x[:, channel]
            return _limit(value < limit, value > limit + deadband, steps.mask[:, channel], held)
        case ScoreAbove(threshold):
            with np.errstate(invalid="ignore"):
                judged = np.where(steps.score >= threshold, Truth.TRUE, Truth.FALSE)
            return np.where(np.isnan(steps.score), Truth.UNKNOWN, judged).astype(np.int8)
        case Absent(channel, for_ns):
            seen = table.seen_tick[steps.rows, channel]
            since = np.where(seen == NEVER, table.first_tick[steps.rows], seen)
            gone = (steps.tick - since) * period_ns >= for_ns
            return np.where(gone, Truth.TRUE, Truth.FALSE).astype(np.int8)


def _limit(
    beyond: NDArray[np.bool_], back: NDArray[np.bool_], mask: NDArray[np.float32], held: NDArray[np.int8]
) -> NDArray[np.int8]:
    ended = back | (held != Truth.TRUE)
    judged = np.where(beyond, Truth.TRUE, np.where(ended, Truth.FALSE, Truth.TRUE))
    return np.where(mask == 0, Truth.UNKNOWN, judged).astype(np.int8)
