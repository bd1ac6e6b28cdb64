"""From judgements to turns, through on-delay and off-delay. Every turn stands in `TURNS`, and nowhere else.

    standing   | UNKNOWN          | PENDING         | HOLDS           | CEASED
    -----------|------------------|-----------------|-----------------|----------------
    absent     | –                | –               | present / began | –
    present    | uncertain / lost | –               | –               | absent / ceased
    uncertain  | –                | present / found | present / found | absent / ceased

A judgement becomes a signal through the delays: a condition HOLDS once it has been true for the on-delay, has CEASED
once it has been false for the off-delay, and is PENDING in between. Delays run in event time. An unknown judgement
starts them again and ends nothing: what held goes on, uncertain. What an alarm makes of a turn is the affair of
`tocsin.alarm`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.base import Truth
from tocsin.engine.events import Category, ConditionEventKind, Priority

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.conditions.base import Condition
    from tocsin.engine.streams.table import StreamTable


class ConditionState(IntEnum):
    """Of one stream's condition, after the delays."""

    ABSENT = 0
    PRESENT = 1
    UNCERTAIN = 2  # it held when it was last known


class Signal(IntEnum):
    """What a judgement comes to, after the delays."""

    UNKNOWN = 0
    PENDING = 1
    HOLDS = 2
    CEASED = 3


TURNS: dict[tuple[ConditionState, Signal], tuple[ConditionState, ConditionEventKind]] = {
    (ConditionState.ABSENT, Signal.HOLDS): (ConditionState.PRESENT, ConditionEventKind.ACTIVE),
    (ConditionState.PRESENT, Signal.CEASED): (ConditionState.ABSENT, ConditionEventKind.INACTIVE),
    (ConditionState.PRESENT, Signal.UNKNOWN): (ConditionState.UNCERTAIN, ConditionEventKind.UNCERTAIN),
    (ConditionState.UNCERTAIN, Signal.PENDING): (ConditionState.PRESENT, ConditionEventKind.CERTAIN),
    (ConditionState.UNCERTAIN, Signal.HOLDS): (ConditionState.PRESENT, ConditionEventKind.CERTAIN),
    (ConditionState.UNCERTAIN, Signal.CEASED): (ConditionState.ABSENT, ConditionEventKind.INACTIVE),
}
"""What is not listed changes nothing."""


def signal(standing: ConditionState, truth: Truth, *, due: bool) -> Signal:
    """What a judgement comes to.

    Args:
        standing: Of the condition until now.
        truth: The judgement.
        due: Whether it has lasted for the delay that counts: the on-delay of what is absent, the off-delay of what
            is not.
    """
    is_up = standing is not ConditionState.ABSENT
    match truth:
        case Truth.UNKNOWN:
            return Signal.UNKNOWN
        case Truth.TRUE:
            return Signal.HOLDS if is_up or due else Signal.PENDING
        case Truth.FALSE:
            return Signal.CEASED if not is_up or due else Signal.PENDING


# All of it as one table of the standing that follows, (standings, truths, due or not): this runs for every alarm of
# every frame.
_FOLLOWING = np.array(
    [
        [[TURNS.get((s, signal(s, truth, due=due)), (s, None))[0] for due in (False, True)] for truth in Truth]
        for s in ConditionState
    ],
    dtype=np.int8,
)
_ABSENT = int(ConditionState.ABSENT)  # 0, which `any` rests on
_TRUE = int(Truth.TRUE)


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm as configured; every stream of the watch has one.

    Attributes:
        name: Unique in the watch.
        condition: What rings it.
        priority: How fast somebody must come.
        category: Whose fault it is.
        on_delay_ns: The condition must be true for so long.
        off_delay_ns: It must be false for so long.
    """

    name: str
    condition: Condition
    priority: Priority
    category: Category
    on_delay_ns: int
    off_delay_ns: int


def advance(
    table: StreamTable,
    index: int,
    alarm: Alarm,
    rows: NDArray[np.int64],
    truth: NDArray[np.int8],
    t: NDArray[np.int64],
) -> list[tuple[int, ConditionEventKind]]:
    """Let one alarm's condition take in a new judgement in n streams.

    Args:
        table: The streams; the columns of their conditions change.
        index: The alarm's column.
        alarm: Its configuration.
        rows: (n,) the streams, each at most once.
        truth: (n,) a `Truth` each.
        t: (n,) when each was judged, ns.

    Returns:
        The positions in `rows` at which something happened, with what.
    """
    turned = np.flatnonzero(table.truth[rows, index] != truth)
    if len(turned):
        table.truth[rows[turned], index] = truth[turned]
        table.truth_since[rows[turned], index] = t[turned]

    standing = table.delay_state[rows, index]
    if not (standing.any() or (truth == _TRUE).any()):  # as nearly always: all are absent, and none can begin
        return []
    due = t - table.truth_since[rows, index] >= np.where(standing == _ABSENT, alarm.on_delay_ns, alarm.off_delay_ns)
    following = _FOLLOWING[standing, truth, due.view(np.int8)]
    moved = np.flatnonzero(following != standing)
    if not len(moved):
        return []
    table.delay_state[rows, index] = following
    happened: list[tuple[int, ConditionEventKind]] = []
    for i in moved.tolist():
        before = ConditionState(standing[i])
        _, kind = TURNS[before, signal(before, Truth(truth[i]), due=bool(due[i]))]
        if kind is ConditionEventKind.ACTIVE:
            table.active_since[rows[i], index] = t[i]
        happened.append((i, kind))
    return happened
