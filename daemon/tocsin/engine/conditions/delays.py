"""The on-delay and off-delay of conditions: from judgements to condition events.

    state      | UNKNOWN    | PENDING          | HOLDS            | CEASED
    -----------|------------|------------------|------------------|---------
    inactive   | –          | –                | active           | –
    active     | uncertain  | –                | –                | inactive
    uncertain  | –          | active (certain) | active (certain) | inactive

The delays turn a judgement into a signal: a condition HOLDS once it has been true for the on-delay, has CEASED once it
has been false for the off-delay, and is PENDING in between. Delays run in event time. An unknown judgement restarts
them and ends nothing: an active condition becomes uncertain. `TRANSITIONS` lists every transition. `tocsin.alarm` makes
alarms of the events.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.events import ConditionEventKind
from tocsin.engine.types import INACTIVE, TRUE, ConditionState, Truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.conditions.alarm import Alarm
    from tocsin.engine.streams.table import StreamTable


class Signal(IntEnum):
    """A judgement after the delays."""

    UNKNOWN = 0
    PENDING = 1
    HOLDS = 2
    CEASED = 3


TRANSITIONS: dict[tuple[ConditionState, Signal], tuple[ConditionState, ConditionEventKind]] = {
    (ConditionState.INACTIVE, Signal.HOLDS): (ConditionState.ACTIVE, ConditionEventKind.ACTIVE),
    (ConditionState.ACTIVE, Signal.CEASED): (ConditionState.INACTIVE, ConditionEventKind.INACTIVE),
    (ConditionState.ACTIVE, Signal.UNKNOWN): (ConditionState.UNCERTAIN, ConditionEventKind.UNCERTAIN),
    (ConditionState.UNCERTAIN, Signal.PENDING): (ConditionState.ACTIVE, ConditionEventKind.CERTAIN),
    (ConditionState.UNCERTAIN, Signal.HOLDS): (ConditionState.ACTIVE, ConditionEventKind.CERTAIN),
    (ConditionState.UNCERTAIN, Signal.CEASED): (ConditionState.INACTIVE, ConditionEventKind.INACTIVE),
}
"""The state that follows, and the event. A pair that is not listed changes nothing."""


def signal(state: ConditionState, truth: Truth, *, due: bool) -> Signal:
    """Signal of a judgement.

    Args:
        state: State before the judgement.
        truth: The judgement.
        due: Whether the judgement has lasted for the delay: the on-delay of an inactive condition, the off-delay of any
            other.
    """
    is_up = state is not ConditionState.INACTIVE
    match truth:
        case Truth.UNKNOWN:
            return Signal.UNKNOWN
        case Truth.TRUE:
            return Signal.HOLDS if is_up or due else Signal.PENDING
        case Truth.FALSE:
            return Signal.CEASED if not is_up or due else Signal.PENDING


# The state that follows, (states, truths, due or not): this runs for every alarm of every frame.
_FOLLOWING = np.array(
    [
        [[TRANSITIONS.get((s, signal(s, truth, due=due)), (s, None))[0] for due in (False, True)] for truth in Truth]
        for s in ConditionState
    ],
    dtype=np.int8,
)


def advance(
    table: StreamTable,
    index: int,
    alarm: Alarm,
    rows: NDArray[np.int64],
    truth: NDArray[np.int8],
    t: NDArray[np.int64],
) -> list[tuple[int, ConditionEventKind]]:
    """Advance one alarm's condition by a new judgement in n streams.

    Args:
        table: The streams; `truth`, `truth_since`, `delay_state` and `active_since` change.
        index: Column of the alarm.
        alarm: Configuration of the alarm.
        rows: (n,) int64, the streams, each at most once.
        truth: (n,) int8, a `Truth` each.
        t: (n,) int64, event times of the judgements, ns.

    Returns:
        The events, as positions in `rows` and kinds.
    """
    changed = np.flatnonzero(table.truth[rows, index] != truth)
    if len(changed):
        table.truth[rows[changed], index] = truth[changed]
        table.truth_since[rows[changed], index] = t[changed]

    state = table.delay_state[rows, index]
    if not (state.any() or (truth == TRUE).any()):  # nearly always: all are inactive, and none can become active
        return []
    due = t - table.truth_since[rows, index] >= np.where(state == INACTIVE, alarm.on_delay_ns, alarm.off_delay_ns)
    following = _FOLLOWING[state, truth, due.view(np.int8)]
    moved = np.flatnonzero(following != state)
    if not len(moved):
        return []
    table.delay_state[rows, index] = following
    events: list[tuple[int, ConditionEventKind]] = []
    for i in moved.tolist():
        before = ConditionState(state[i])
        _, kind = TRANSITIONS[before, signal(before, Truth(truth[i]), due=bool(due[i]))]
        if kind is ConditionEventKind.ACTIVE:
            table.active_since[rows[i], index] = t[i]
        events.append((i, kind))
    return events
