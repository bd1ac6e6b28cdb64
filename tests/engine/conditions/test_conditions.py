"""Properties that every condition has."""

from __future__ import annotations

import numpy as np
import pytest
from counting_watch import HR, SPO2, START, S, alarm, early_warning, engine, happened
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.engine import EventClock, Readings
from tocsin.engine.conditions.absent import Absent
from tocsin.engine.conditions.combination import AnyOf
from tocsin.engine.conditions.flatline import Flatline
from tocsin.engine.conditions.implausible import Implausible
from tocsin.engine.conditions.limit import Above, Below
from tocsin.engine.conditions.trend import Trend
from tocsin.engine.types import Truth

EVERY = (
    alarm("rises", Trend(HR, 10, 6 * S, rising=True), on_delay_s=1),
    alarm("news2", early_warning(at_least=3), off_delay_s=2),
    alarm("still", Flatline(SPO2, 1, 3 * S)),
    alarm("broken", Implausible(HR, 2 * S)),
    alarm("flickers", Implausible(HR, 4 * S, 0.4)),
    alarm("any", AnyOf((Above(HR, 100, 5), Below(SPO2, 92, 1), Absent(SPO2, 3 * S)))),
)
values = st.fixed_dictionaries(
    {}, optional={"hr": st.sampled_from([60.0, 95.0, 120.0, 135.0, 900.0]), "spo2": st.sampled_from([89.0, 93.0, 97.0])}
)
readings = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 30), values), max_size=40)


@settings(max_examples=40)
@given(readings, st.lists(st.integers(1, 6), max_size=40))
def test_no_condition_depends_on_the_cut_into_batches_or_on_other_streams(rows, sizes):
    rows = [(stream, START + tick * S // 2, by_channel) for stream, tick, by_channel in rows]
    whole, cut = engine(*EVERY, frame_timeout_s=1.5), engine(*EVERY, frame_timeout_s=1.5)
    at_once = [EventClock(whole).apply(Readings.of(rows))]
    clock, pieces, rest = EventClock(cut), [], rows
    for size in [*sizes, len(rows) or 1]:
        pieces.append(clock.apply(Readings.of(rest[:size])))
        rest = rest[size:]

    def of_stream(results):
        return sorted(happened(results), key=lambda entry: entry[0])

    assert of_stream(at_once) == of_stream(pieces)
    assert np.array_equal(whole.table.condition_state, cut.table.condition_state, equal_nan=True)


@pytest.mark.parametrize("name", [entry.name for entry in EVERY])
@settings(max_examples=20)
@given(rows=readings)
def test_what_is_unknown_clears_nothing(name, rows):
    """A condition only ceases in a frame in which it is judged false, and then off-delay later."""
    (entry,) = (entry for entry in EVERY if entry.name == name)
    watching = engine(entry, frame_timeout_s=0)
    clock = EventClock(watching)
    for stream, tick, by_channel in sorted(rows, key=lambda row: row[1]):
        result = clock.apply(Readings.of([(stream, START + tick * S // 2, by_channel)]))
        for change in result.events:
            if change.kind == "inactive":
                assert watching.table.truth[watching.table.names.index(change.stream), 0] == Truth.FALSE
