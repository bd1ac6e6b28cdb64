"""The state machine of an alarm, pair by pair: the table as it is drawn, and an alarm that goes through it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from alarm_ward import Ward, policy

from tocsin.alarm import OnClear, Refused, State, Transition, lifecycle
from tocsin.alarm.commands import Acknowledge, Reset
from tocsin.alarm.deadlines import Deadline
from tocsin.alarm.lifecycle import REFUSED, TABLE
from tocsin.engine.events import ConditionEventKind

LETTERS = dict(zip("ABCDEF", State, strict=True))
PAGE = Path(__file__).parents[2] / "docs" / "alarms.md"


TRIGGERS = {kind.value: kind for kind in ConditionEventKind} | {
    "acknowledge": Acknowledge,
    "reset": Reset,
    "re-alarm": Deadline.RE_ALARM,
}


def drawn(text):
    """The cells of the table in a text, by state and trigger."""
    lines = [
        line.strip(" |") for line in text.splitlines() if re.match(r"[ |]+(state +\| active|[A-F] [a-z-]+ +\|)", line)
    ]
    (_, *triggers), *rows = ([cell.strip() for cell in line.split("|")] for line in lines)
    return {
        (LETTERS[name[0]], TRIGGERS[trigger]): cell
        for name, *cells in rows
        for trigger, cell in zip(triggers, cells, strict=True)
    }


DRAWINGS = {"docstring": drawn(lifecycle.__doc__), "page": drawn(PAGE.read_text(encoding="utf-8"))}
PAIRS = [(state, trigger) for state in State for trigger in TRIGGERS.values()]


def in_table(state, trigger):
    """The cell of an entry."""
    letter = {state: name for name, state in LETTERS.items()}
    entry = TABLE.get((state, trigger))
    if entry is None:
        return "refused" if (state, trigger) in REFUSED else "–"
    if trigger in {ConditionEventKind.UNCERTAIN, ConditionEventKind.CERTAIN}:
        assert entry.to is state
        return entry.transition.value
    to = ", ".join(map(letter.get, entry.to)) if isinstance(entry.to, tuple) else letter[entry.to]
    return f"{to} new" if entry.is_new else to


@pytest.mark.parametrize("where", DRAWINGS)
@pytest.mark.parametrize(("state", "trigger"), PAIRS)
def test_the_documented_table_is_the_programs(state, trigger, where):
    assert DRAWINGS[where][state, trigger] == in_table(state, trigger)


def test_the_page_names_every_transition():
    page = PAGE.read_text(encoding="utf-8").partition("## Transitions")[2]
    assert {transition.value for transition in Transition} == set(re.findall(r"`([a-z-]+)`", page)) - {"state"}


# How an alarm gets into each state; a latched one where `on_clear` latches.
WAYS = {
    State.NORMAL: [],
    State.UNACKNOWLEDGED: ["active"],
    State.ACKNOWLEDGED: ["active", "acknowledge"],
    State.RETURNED: ["active", "inactive"],
    State.LATCHED_UNACKNOWLEDGED: ["active", "inactive"],
    State.LATCHED_ACKNOWLEDGED: ["active", "inactive", "acknowledge"],
}
REACHABLE = [
    (state, on_clear)
    for state in State
    for on_clear in OnClear
    if not (state is State.RETURNED and on_clear is not OnClear.ACKNOWLEDGE)
    and not (state.value.startswith("latched") and on_clear is not OnClear.LATCH)
]


def happens(ward, trigger):
    ward.now += 1
    if trigger is Acknowledge:
        return ward.acknowledge()
    if trigger is Reset:
        return ward.executes(Reset("icu/1", "hr-high"))
    if trigger is Deadline.RE_ALARM:
        return ward.wait(3600)
    return ward.kind(trigger)


@pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS)
@pytest.mark.parametrize(("state", "on_clear"), REACHABLE)
def test_an_alarm_goes_through_the_table(state, on_clear, trigger):
    ward = Ward(policy(on_clear=on_clear, re_alarm_ns=1800 * 10**9), known=["icu/1"])
    for step in WAYS[state]:
        happens(ward, TRIGGERS[step])
    if trigger is ConditionEventKind.CERTAIN and state in {State.UNACKNOWLEDGED, State.ACKNOWLEDGED}:
        happens(ward, ConditionEventKind.UNCERTAIN)
    if WAYS[state]:
        assert ward.state() == state
    before = ward.status().occurrence if WAYS[state] else None

    if (state, trigger) in REFUSED:
        with pytest.raises(Refused, match=r"alarm 'icu/1/hr-high': cannot reset while \S+ \(legal: "):
            happens(ward, trigger)
        assert ward.state() == state
        return
    happened = happens(ward, trigger)
    entry = TABLE.get((state, trigger))
    if entry is None:
        assert happened == []
        if WAYS[state]:
            assert ward.state() == state
        return
    assert happened == [(entry.transition.value, "hr-high")]
    event = ward.events[-1]
    assert event.status.state is entry.state(on_clear)
    if entry.is_new:
        assert event.occurrence == event.id
        assert event.occurrence != before
    else:
        assert event.occurrence == before
    assert event.status.uncertain is (trigger is ConditionEventKind.UNCERTAIN)


def test_a_refusal_names_the_state_and_what_is_legal():
    ward = Ward(policy(on_clear=OnClear.LATCH))
    ward.begins()
    reset = Reset("icu/1", "hr-high")
    with pytest.raises(Refused, match="cannot reset while unacknowledged") as refused:
        ward.executes(reset)
    assert str(refused.value) == (
        "alarm 'icu/1/hr-high': cannot reset while unacknowledged "
        "(legal: acknowledge, shelve, remove-from-service, annotate, mark)"
    )
    assert refused.value.code == "illegal"
    ward.acknowledge()
    with pytest.raises(Refused, match="cannot reset while active"):
        ward.executes(reset)
    ward.ceases()
    assert ward.executes(reset) == [("reset", "hr-high")]
    assert ward.state() == "normal"
