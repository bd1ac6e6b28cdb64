"""The state machine of an alarm. `TABLE` holds every transition (ISA-18.2, IEC 62682).

    state                    | active | inactive | uncertain | certain | acknowledge | reset   | re-alarm | removed
    -------------------------|--------|----------|-----------|---------|-------------|---------|----------|--------
    A normal                 | B new  | –        | –         | –       | –           | –       | –        | –
    B unacknowledged         | –      | A, D, E  | uncertain | certain | C           | refused | –        | A
    C acknowledged           | –      | A, A, F  | uncertain | certain | –           | refused | B        | A
    D returned               | B new  | –        | –         | –       | A           | –       | –        | A
    E latched-unacknowledged | B new  | –        | –         | –       | F           | refused | –        | A
    F latched-acknowledged   | B new  | –        | –         | –       | –           | A       | –        | A

`active`, `inactive`, `uncertain`, `certain` and `removed` are the events of the alarm's condition, after its delays;
`acknowledge` and `reset` are commands; `re-alarm` is a deadline: the alarm is acknowledged and still active after
`re_alarm_s`. `B new` starts a new occurrence. Three letters are the states by `on_clear`: `end`, `acknowledge`,
`latch`. *uncertain* and *certain* keep the state: missing data never clears an alarm. – changes nothing.

Shelving, suppression by design and out of service are no states here: they stop annunciation, and the state machine
runs on underneath.
"""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.alarm.commands import Acknowledge, Reset
from tocsin.alarm.deadlines import Deadline
from tocsin.alarm.events import Transition
from tocsin.alarm.policy import OnClear
from tocsin.alarm.status import State
from tocsin.engine.events import ConditionEventKind

Trigger = ConditionEventKind | type[Acknowledge] | type[Reset] | Deadline
"""An input of the state machine."""


@dataclass(frozen=True, slots=True)
class TransitionRule:
    """An entry of the table.

    Attributes:
        transition: The transition that an event reports.
        to: The next state; or the next states by `on_clear`, in the order of `OnClear`.
        is_new: Whether a new occurrence starts.
    """

    transition: Transition
    to: State | tuple[State, State, State]
    is_new: bool = False

    def state(self, on_clear: OnClear) -> State:
        """The next state."""
        return self.to if isinstance(self.to, State) else self.to[list(OnClear).index(on_clear)]


A, B, C = State.NORMAL, State.UNACKNOWLEDGED, State.ACKNOWLEDGED
D, E, F = State.RETURNED, State.LATCHED_UNACKNOWLEDGED, State.LATCHED_ACKNOWLEDGED

_RAISE = TransitionRule(Transition.RAISE, B, is_new=True)
_END = TransitionRule(Transition.END, A)

TABLE: dict[tuple[State, Trigger], TransitionRule] = {
    (A, ConditionEventKind.ACTIVE): _RAISE,
    (D, ConditionEventKind.ACTIVE): _RAISE,
    (E, ConditionEventKind.ACTIVE): _RAISE,
    (F, ConditionEventKind.ACTIVE): _RAISE,
    (B, ConditionEventKind.INACTIVE): TransitionRule(Transition.CLEAR, (A, D, E)),
    (C, ConditionEventKind.INACTIVE): TransitionRule(Transition.CLEAR, (A, A, F)),
    (B, ConditionEventKind.UNCERTAIN): TransitionRule(Transition.UNCERTAIN, B),
    (C, ConditionEventKind.UNCERTAIN): TransitionRule(Transition.UNCERTAIN, C),
    (B, ConditionEventKind.CERTAIN): TransitionRule(Transition.CERTAIN, B),
    (C, ConditionEventKind.CERTAIN): TransitionRule(Transition.CERTAIN, C),
    (B, Acknowledge): TransitionRule(Transition.ACKNOWLEDGE, C),
    (D, Acknowledge): TransitionRule(Transition.ACKNOWLEDGE, A),
    (E, Acknowledge): TransitionRule(Transition.ACKNOWLEDGE, F),
    (F, Reset): TransitionRule(Transition.RESET, A),
    (C, Deadline.RE_ALARM): TransitionRule(Transition.RE_ALARM, B),
    (B, ConditionEventKind.REMOVED): _END,
    (C, ConditionEventKind.REMOVED): _END,
    (D, ConditionEventKind.REMOVED): _END,
    (E, ConditionEventKind.REMOVED): _END,
    (F, ConditionEventKind.REMOVED): _END,
}
"""All transitions; a pair that is not listed changes nothing."""

REFUSED: frozenset[tuple[State, Trigger]] = frozenset({(B, Reset), (C, Reset), (E, Reset)})
"""Commands that are refused in a state: their actor expects an effect that they do not have there."""


def verbs_of(state: State) -> list[str]:
    """The verbs of the commands that change a state.

    >>> verbs_of(State.LATCHED_ACKNOWLEDGED)
    ['reset']
    """
    return [command.verb for command in (Acknowledge, Reset) if (state, command) in TABLE]
