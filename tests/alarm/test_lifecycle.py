"""The table of an alarm's life, pair by pair: as it is drawn, and as an alarm goes through it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from alarm_ward import Ward, policy

from tocsin.alarm import OnClear, Refused, State, Transition, lifecycle
from tocsin.alarm.commands import Reset
from tocsin.alarm.lifecycle import REFUSED, TABLE, Stimulus
from tocsin.engine.events import ConditionEventKind

LETTERS = dict(zip("ABCDEF", State, strict=True))
PAGE = Path(__file__).parents[2] / "docs" / "alarms.md"


def drawn(text):
    """The table in a text: what each cell says."""
    lines = [
        line.strip(" |") for line in text.splitlines() if re.match(r"[ |]+(state +\| begins|[A-F] [a-z-]+ +\|)", line)
    ]
    (_, *stimuli), *rows = ([cell.strip() for cell in line.split("|")] for line in lines)
    return {
        (LETTERS[name[0]], Stimulus(stimulus)): cell
        for name, *cells in rows
        for stimulus, cell in zip(stimuli, cells, strict=True)
    }


DRAWINGS = {"docstring": drawn(lifecycle.__doc__), "page": drawn(PAGE.read_text(encoding="utf-8"))}
PAIRS = [(state, stimulus) for state in State for stimulus in Stimulus]


def in_table(state, stimulus):
    """What the drawing would say of an entry."""
    letter = {state: name for name, state in LETTERS.items()}
    entry = TABLE.get((state, stimulus))
    if entry is None:
        return "refused" if (state, stimulus) in REFUSED else "–"
    if stimulus in {Stimulus.LOST, Stimulus.FOUND}:
        assert entry.to is state
        return entry.transition.value
    to = ", ".join(map(letter.get, entry.to)) if isinstance(entry.to, tuple) else letter[entry.to]
    return f"{to} new" if entry.is_new else to


@pytest.mark.parametrize("where", DRAWINGS)
@pytest.mark.parametrize(("state", "stimulus"), PAIRS)
def test_the_table_is_as_it_is_drawn(state, stimulus, where):
    assert DRAWINGS[where][state, stimulus] == in_table(state, stimulus)


def test_the_page_names_every_transition():
    page = PAGE.read_text(encoding="utf-8").partition("## Transitions")[2]
    assert {transition.value for transition in Transition} == set(re.findall(r"`([a-z-]+)`", page)) - {"state"}


# How an alarm gets into each state; a latched one where `on_clear` latches.
WAYS = {
    State.NORMAL: [],
    State.UNACKNOWLEDGED: ["begins"],
    State.ACKNOWLEDGED: ["begins", "acknowledge"],
    State.RETURNED: ["begins", "ceases"],
    State.LATCHED_UNACKNOWLEDGED: ["begins", "ceases"],
    State.LATCHED_ACKNOWLEDGED: ["begins", "ceases", "acknowledge"],
}
REACHABLE = [
    (state, on_clear)
    for state in State
    for on_clear in OnClear
    if not (state is State.RETURNED and on_clear is not OnClear.ACKNOWLEDGE)
    and not (state.value.startswith("latched") and on_clear is not OnClear.LATCH)
]
TURNS = {
    Stimulus.BEGINS: ConditionEventKind.ACTIVE,
    Stimulus.CEASES: ConditionEventKind.INACTIVE,
    Stimulus.LOST: ConditionEventKind.UNCERTAIN,
    Stimulus.FOUND: ConditionEventKind.CERTAIN,
    Stimulus.ENDED: ConditionEventKind.REMOVED,
}


def happens(ward, stimulus):
    ward.now += 1
    if stimulus is Stimulus.ACKNOWLEDGE:
        return ward.acknowledge()
    if stimulus is Stimulus.RESET:
        return ward.orders(Reset("icu/1", "hr-high"))
    if stimulus is Stimulus.OVERDUE:
        return ward.wait(3600)
    return ward.kind(TURNS[stimulus])


@pytest.mark.parametrize("stimulus", list(Stimulus))
@pytest.mark.parametrize(("state", "on_clear"), REACHABLE)
def test_an_alarm_goes_through_the_table(state, on_clear, stimulus):
    ward = Ward(policy(on_clear=on_clear, re_alarm_ns=1800 * 10**9), known=["icu/1"])
    for step in WAYS[state]:
        happens(ward, Stimulus(step))
    if stimulus is Stimulus.FOUND and state in {State.UNACKNOWLEDGED, State.ACKNOWLEDGED}:
        happens(ward, Stimulus.LOST)
    if WAYS[state]:
        assert ward.state() == state
    before = ward.status().occurrence if WAYS[state] else None

    if (state, stimulus) in REFUSED:
        with pytest.raises(Refused, match=r"alarm 'icu/1/hr-high': cannot reset while \S+ \(legal: "):
            happens(ward, stimulus)
        assert ward.state() == state
        return
    happened = happens(ward, stimulus)
    entry = TABLE.get((state, stimulus))
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
    assert event.status.uncertain is (stimulus is Stimulus.LOST)


def test_a_refusal_names_the_state_and_what_is_legal():
    ward = Ward(policy(on_clear=OnClear.LATCH))
    ward.begins()
    reset = Reset("icu/1", "hr-high")
    with pytest.raises(Refused, match="cannot reset while unacknowledged") as refused:
        ward.orders(reset)
    assert str(refused.value) == (
        "alarm 'icu/1/hr-high': cannot reset while unacknowledged "
        "(legal: acknowledge, shelve, remove-from-service, annotate, mark)"
    )
    assert refused.value.code == "illegal"
    ward.acknowledge()
    with pytest.raises(Refused, match="cannot reset while active"):
        ward.orders(reset)
    ward.ceases()
    assert ward.orders(reset) == [("reset", "hr-high")]
    assert ward.state() == "normal"
