"""The life of an alarm. Every transition stands in `TABLE`, and nowhere else (ISA-18.2, IEC 62682).

    state                    | begins | ceases  | lost      | found   | acknowledge | reset   | overdue | ended
    -------------------------|--------|---------|-----------|---------|-------------|---------|---------|------
    A normal                 | B new  | –       | –         | –       | –           | –       | –       | –
    B unacknowledged         | –      | A, D, E | uncertain | certain | C           | refused | –       | A
    C acknowledged           | –      | A, A, F | uncertain | certain | –           | refused | B       | A
    D returned               | B new  | –       | –         | –       | A           | –       | –       | A
    E latched-unacknowledged | B new  | –       | –         | –       | F           | refused | –       | A
    F latched-acknowledged   | B new  | –       | –         | –       | –           | A       | –       | A

`begins`, `ceases`, `lost` and `found` are a condition's turns, after its delays; `overdue` is time: acknowledged, and
still there for longer than `re_alarm_s`; `ended` says that the stream, or the alarm, is no more. `B new` is a new
occurrence. Three letters say what a clear means by `on_clear`: `end`, `acknowledge`, `latch`. *uncertain* and *certain*
stay in their state: no data never clears anything. – does nothing.

Shelving, suppression by design and out of service are no states here: they stop annunciation, and this table goes on
underneath them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tocsin.alarm.events import Transition
from tocsin.alarm.status import State


class OnClear(StrEnum):
    """What it means that a condition has ceased."""

    END = "end"  # the occurrence is over, seen or not
    ACKNOWLEDGE = "acknowledge"  # somebody has to have seen it
    LATCH = "latch"  # somebody has to have seen it, and to reset it


class Stimulus(StrEnum):
    """What can happen to an alarm."""

    BEGINS = "begins"
    CEASES = "ceases"
    LOST = "lost"
    FOUND = "found"
    ACKNOWLEDGE = "acknowledge"
    RESET = "reset"
    OVERDUE = "overdue"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class TransitionRule:
    """One entry of the table.

    Attributes:
        transition: What it is called.
        to: The state that follows, by `on_clear` in the order of `OnClear`, or whatever that is.
        is_new: Whether another occurrence begins.
    """

    transition: Transition
    to: State | tuple[State, State, State]
    is_new: bool = False

    def state(self, on_clear: OnClear) -> State:
        """The state that follows."""
        return self.to if isinstance(self.to, State) else self.to[list(OnClear).index(on_clear)]


A, B, C = State.NORMAL, State.UNACKNOWLEDGED, State.ACKNOWLEDGED
D, E, F = State.RETURNED, State.LATCHED_UNACKNOWLEDGED, State.LATCHED_ACKNOWLEDGED

_RAISE = TransitionRule(Transition.RAISE, B, is_new=True)
_END = TransitionRule(Transition.END, A)

TABLE: dict[tuple[State, Stimulus], TransitionRule] = {
    (A, Stimulus.BEGINS): _RAISE,
    (D, Stimulus.BEGINS): _RAISE,
    (E, Stimulus.BEGINS): _RAISE,
    (F, Stimulus.BEGINS): _RAISE,
    (B, Stimulus.CEASES): TransitionRule(Transition.CLEAR, (A, D, E)),
    (C, Stimulus.CEASES): TransitionRule(Transition.CLEAR, (A, A, F)),
    (B, Stimulus.LOST): TransitionRule(Transition.UNCERTAIN, B),
    (C, Stimulus.LOST): TransitionRule(Transition.UNCERTAIN, C),
    (B, Stimulus.FOUND): TransitionRule(Transition.CERTAIN, B),
    (C, Stimulus.FOUND): TransitionRule(Transition.CERTAIN, C),
    (B, Stimulus.ACKNOWLEDGE): TransitionRule(Transition.ACKNOWLEDGE, C),
    (D, Stimulus.ACKNOWLEDGE): TransitionRule(Transition.ACKNOWLEDGE, A),
    (E, Stimulus.ACKNOWLEDGE): TransitionRule(Transition.ACKNOWLEDGE, F),
    (F, Stimulus.RESET): TransitionRule(Transition.RESET, A),
    (C, Stimulus.OVERDUE): TransitionRule(Transition.RE_ALARM, B),
    (B, Stimulus.ENDED): _END,
    (C, Stimulus.ENDED): _END,
    (D, Stimulus.ENDED): _END,
    (E, Stimulus.ENDED): _END,
    (F, Stimulus.ENDED): _END,
}
"""What is not listed does nothing."""

REFUSED = frozenset({(B, Stimulus.RESET), (C, Stimulus.RESET), (E, Stimulus.RESET)})
"""What is told to be wrong, as somebody who asks for it expects something to happen."""


def legal(state: State) -> list[Stimulus]:
    """The commands that do something in a state.

    >>> [str(command) for command in legal(State.LATCHED_ACKNOWLEDGED)]
    ['reset']
    """
    return [command for command in (Stimulus.ACKNOWLEDGE, Stimulus.RESET) if (state, command) in TABLE]
