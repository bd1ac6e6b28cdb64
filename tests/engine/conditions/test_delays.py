"""The alarm state machine: every state with every signal, and what an observer may rely on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine.conditions.alarm import Alarm
from tocsin.engine.conditions.delays import TRANSITIONS, Signal, advance
from tocsin.engine.conditions.silent import Silent
from tocsin.engine.events import Category, ConditionEventKind, Priority
from tocsin.engine.streams.table import StreamTable, TableSizes
from tocsin.engine.types import ConditionState, Truth

EXPECTED = {
    (ConditionState.INACTIVE, Signal.UNKNOWN): (ConditionState.INACTIVE, None),
    (ConditionState.INACTIVE, Signal.PENDING): (ConditionState.INACTIVE, None),
    (ConditionState.INACTIVE, Signal.HOLDS): (ConditionState.ACTIVE, ConditionEventKind.ACTIVE),
    (ConditionState.INACTIVE, Signal.CEASED): (ConditionState.INACTIVE, None),
    (ConditionState.ACTIVE, Signal.UNKNOWN): (ConditionState.UNCERTAIN, ConditionEventKind.UNCERTAIN),
    (ConditionState.ACTIVE, Signal.PENDING): (ConditionState.ACTIVE, None),
    (ConditionState.ACTIVE, Signal.HOLDS): (ConditionState.ACTIVE, None),
    (ConditionState.ACTIVE, Signal.CEASED): (ConditionState.INACTIVE, ConditionEventKind.INACTIVE),
    (ConditionState.UNCERTAIN, Signal.UNKNOWN): (ConditionState.UNCERTAIN, None),
    (ConditionState.UNCERTAIN, Signal.PENDING): (ConditionState.ACTIVE, ConditionEventKind.CERTAIN),
    (ConditionState.UNCERTAIN, Signal.HOLDS): (ConditionState.ACTIVE, ConditionEventKind.CERTAIN),
    (ConditionState.UNCERTAIN, Signal.CEASED): (ConditionState.INACTIVE, ConditionEventKind.INACTIVE),
}


@pytest.mark.parametrize(("state", "signal"), list(itertools.product(ConditionState, Signal)))
def test_every_state_with_every_signal(state, signal):
    following, transition = EXPECTED[state, signal]
    assert TRANSITIONS.get((state, signal), (state, None)) == (following, transition)


def machine(on_delay: int, off_delay: int):
    table = StreamTable(TableSizes(open_frames=1, channels=1, state_size=1, alarms=1), max_streams=1)
    table.rows(["bed"])
    alarm = Alarm("a", Silent(1), Priority.LOW, Category.TECHNICAL, on_delay, off_delay)
    rows = np.array([0])

    def judge(truth: Truth, t: int) -> list[ConditionEventKind]:
        moved = advance(table, 0, alarm, rows, np.array([truth], dtype=np.int8), np.array([t]))
        return [transition for _, transition in moved]

    return judge


def test_the_on_delay_runs_in_event_time_and_an_interruption_starts_it_again():
    judge = machine(on_delay=10, off_delay=0)
    assert judge(Truth.TRUE, 100) == []
    assert judge(Truth.TRUE, 109) == []
    assert judge(Truth.FALSE, 110) == []
    assert judge(Truth.TRUE, 111) == []
    assert judge(Truth.TRUE, 120) == []
    assert judge(Truth.TRUE, 121) == [ConditionEventKind.ACTIVE]


def test_unknown_starts_the_on_delay_again_and_never_clears():
    judge = machine(on_delay=10, off_delay=5)
    judge(Truth.TRUE, 0)
    assert judge(Truth.UNKNOWN, 9) == []
    assert judge(Truth.TRUE, 11) == []
    assert judge(Truth.TRUE, 21) == [ConditionEventKind.ACTIVE]
    assert judge(Truth.UNKNOWN, 22) == [ConditionEventKind.UNCERTAIN]
    assert judge(Truth.UNKNOWN, 1_000_000) == []
    assert judge(Truth.FALSE, 1_000_001) == [ConditionEventKind.CERTAIN]
    assert judge(Truth.FALSE, 1_000_006) == [ConditionEventKind.INACTIVE]


def test_the_off_delay_holds_an_alarm_that_flickers():
    judge = machine(on_delay=0, off_delay=30)
    assert judge(Truth.TRUE, 0) == [ConditionEventKind.ACTIVE]
    for t in range(10, 300, 10):
        assert judge(Truth.FALSE if t % 20 else Truth.TRUE, t) == []
    assert judge(Truth.FALSE, 300) == []
    assert judge(Truth.FALSE, 330) == [ConditionEventKind.INACTIVE]


@given(
    st.integers(0, 20),
    st.integers(0, 20),
    st.lists(st.tuples(st.sampled_from(Truth), st.integers(1, 15)), max_size=60),
)
def test_raises_and_clears_alternate_and_each_has_its_cause(on_delay, off_delay, judgements):
    judge = machine(on_delay, off_delay)
    t, up, since = 0, False, {Truth.TRUE: None, Truth.FALSE: None}
    for truth, step in judgements:
        t += step
        since = {other: (t if began is None else began) if other is truth else None for other, began in since.items()}
        for kind in judge(truth, t):
            if kind is ConditionEventKind.ACTIVE:
                assert not up
                assert t - since[Truth.TRUE] >= on_delay
                up = True
            elif kind is ConditionEventKind.INACTIVE:
                assert up
                assert t - since[Truth.FALSE] >= off_delay
                up = False
            else:
                assert up
        # What holds for long enough is always annunciated.
        if truth is Truth.TRUE and t - since[Truth.TRUE] >= on_delay:
            assert up
