"""The alarm state machine. Every transition stands in `TRANSITIONS`, and nowhere else.

    state           | UNKNOWN                | PENDING          | HOLDS            | CEASED
    ----------------|------------------------|------------------|------------------|---------------
    normal          | –                      | –                | unack. / raise   | –
    unacknowledged  | uncertain / uncertain  | –                | –                | normal / clear
    uncertain       | –                      | unack. / certain | unack. / certain | normal / clear

A condition becomes a signal through its delays: it HOLDS once it has been true for the on-delay, has CEASED once it
has been false for the off-delay, and is PENDING in between. Delays run in event time. An unknown condition starts
them again and never clears an alarm: what was up stays up, marked uncertain.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions import Truth
from tocsin.engine.events import Category, Priority, Transition

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.conditions import Condition
    from tocsin.engine.streams import StreamTable


class State(IntEnum):
    """Of one stream's alarm."""

    NORMAL = 0
    UNACKNOWLEDGED = 1
    UNCERTAIN = 2  # unacknowledged, and its condition is unknown


class Signal(IntEnum):
    """What a condition tells its alarm, after the delays."""

    UNKNOWN = 0
    PENDING = 1
    HOLDS = 2
    CEASED = 3


TRANSITIONS: dict[tuple[State, Signal], tuple[State, Transition]] = {
    (State.NORMAL, Signal.HOLDS): (State.UNACKNOWLEDGED, Transition.RAISE),
    (State.UNACKNOWLEDGED, Signal.CEASED): (State.NORMAL, Transition.CLEAR),
    (State.UNACKNOWLEDGED, Signal.UNKNOWN): (State.UNCERTAIN, Transition.UNCERTAIN),
    (State.UNCERTAIN, Signal.PENDING): (State.UNACKNOWLEDGED, Transition.CERTAIN),
    (State.UNCERTAIN, Signal.HOLDS): (State.UNACKNOWLEDGED, Transition.CERTAIN),
    (State.UNCERTAIN, Signal.CEASED): (State.NORMAL, Transition.CLEAR),
}
"""What is not listed changes nothing."""

_NEXT = np.arange(len(State), dtype=np.int8)[:, None].repeat(len(Signal), axis=1)  # (states, signals)
for (_state, _signal), (_next, _) in TRANSITIONS.items():
    _NEXT[_state, _signal] = _next


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm as configured; every stream of the watch has one.

    Attributes:
        name: Unique in the watch.
        condition: What rings it.
        priority: How fast somebody must come.
        category: Whose fault it is.
        on_delay_ns: The condition must hold for so long.
        off_delay_ns: It must have ceased for so long.
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
) -> list[tuple[int, Transition]]:
    """Let one alarm of n streams take in a new judgement of its condition.

    Args:
        table: The streams; their alarm columns change.
        index: The alarm's column.
        alarm: Its configuration.
        rows: (n,) the streams, each at most once.
        truth: (n,) a `Truth` each.
        t: (n,) when each was judged, ns.

    Returns:
        The positions in `rows` at which something happened, with what.
    """
    since = np.where(table.truth[rows, index] == truth, table.truth_since[rows, index], t)
    table.truth[rows, index] = truth
    table.truth_since[rows, index] = since

    state = table.alarm_state[rows, index]
    lasted = t - since
    holds = (state != State.NORMAL) | (lasted >= alarm.on_delay_ns)
    ceased = (state == State.NORMAL) | (lasted >= alarm.off_delay_ns)
    signal = np.full(len(rows), Signal.UNKNOWN, dtype=np.int8)
    signal[truth == Truth.TRUE] = np.where(holds, Signal.HOLDS, Signal.PENDING)[truth == Truth.TRUE]
    signal[truth == Truth.FALSE] = np.where(ceased, Signal.CEASED, Signal.PENDING)[truth == Truth.FALSE]

    following = _NEXT[state, signal]
    moved = np.flatnonzero(following != state)
    if not len(moved):
        return []
    table.alarm_state[rows, index] = following
    happened: list[tuple[int, Transition]] = []
    for i in moved.tolist():
        _, transition = TRANSITIONS[State(state[i]), Signal(signal[i])]
        if transition is Transition.RAISE:
            table.raised_t[rows[i], index] = t[i]
        happened.append((i, transition))
    return happened
