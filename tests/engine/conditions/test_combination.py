"""Combinations of conditions: events, reasons and logic."""

from __future__ import annotations

import numpy as np
from counting_watch import HR, SPO2, S, alarm, early_warning, engine, happened, play, reasons
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine.conditions.absent import Absent
from tocsin.engine.conditions.combination import AllOf, AnyOf, all_of, any_of
from tocsin.engine.conditions.flatline import Flatline
from tocsin.engine.conditions.limit import Above, Below
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.types import Truth


def test_all_of_needs_every_member_and_names_them():
    both = AllOf((Above(HR, 100, 0), Below(SPO2, 92, 1)))
    watching = engine(alarm("shock", both))
    frames = [{"hr": 110, "spo2": 97}, {"hr": 110, "spo2": 91}, {"hr": 110, "spo2": 92.5}, {"hr": 90, "spo2": 92.5}]
    results = play(watching, frames)
    assert happened(results) == [("bed", "shock", "active", 1), ("bed", "shock", "inactive", 3)]
    assert reasons(results) == [
        "hr 110 /min is above 100 and spo2 91 % is below 92",
        "hr 90 /min, no longer above 100",
    ]


def test_any_of_needs_one_and_names_it():
    watching = engine(alarm("either", AnyOf((Above(HR, 100, 0), Below(SPO2, 92, 0)))), frame_timeout_s=0)
    results = play(watching, [{"hr": 80, "spo2": 97}, {"hr": 80, "spo2": 91}, {"hr": 80}, {"hr": 110}, {"hr": 80}])
    assert happened(results) == [
        ("bed", "either", "active", 1),
        ("bed", "either", "uncertain", 2),
        ("bed", "either", "certain", 3),
        ("bed", "either", "uncertain", 4),
    ]
    assert reasons(results)[0] == "spo2 91 % is below 92"
    assert reasons(results)[2] == "hr 110 /min is above 100"


truths = st.lists(st.sampled_from(Truth), min_size=1, max_size=5)


@given(truths)
def test_the_logic_is_kleenes(given_truths):
    """As of the least and the greatest, with unknown between false and true."""
    rank = {Truth.FALSE: 0, Truth.UNKNOWN: 1, Truth.TRUE: 2}
    columns = [np.array([truth], dtype=np.int8) for truth in given_truths]
    assert rank[Truth(all_of(columns)[0])] == min(rank[truth] for truth in given_truths)
    assert rank[Truth(any_of(columns)[0])] == max(rank[truth] for truth in given_truths)


@given(truths, st.data())
def test_knowing_more_never_changes_what_was_known(given_truths, data):
    """Whatever an unknown member turns out to be, a judgement that was known stays."""
    settled = [data.draw(st.sampled_from([Truth.FALSE, Truth.TRUE])) if t is Truth.UNKNOWN else t for t in given_truths]
    for combine in (all_of, any_of):
        before, after = (
            combine([np.array([truth], dtype=np.int8) for truth in members])[0] for members in (given_truths, settled)
        )
        assert before in {Truth.UNKNOWN, after}


def test_what_is_technical_and_what_is_looked_at():
    assert AnyOf((Flatline(HR, 0, S), Absent(SPO2, S))).technical
    assert not AllOf((Flatline(HR, 0, S), Below(SPO2, 90, 0))).technical
    assert AllOf((Above(HR, 1, 0), Below(SPO2, 1, 0), Above(HR, 2, 0), ScoreAbove(1))).channels == (HR, SPO2)
    assert early_warning().channels == (SPO2, HR)
