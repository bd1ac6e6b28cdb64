"""What holds for any readings: the order of arrival, the cut into batches and the neighbours don't matter."""

from __future__ import annotations

import numpy as np
from counting_watch import START, S, alarm, engine, happened
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.engine import EventClock, Readings
from tocsin.engine.conditions.absent import Absent
from tocsin.engine.conditions.limit import Above
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.conditions.silent import Silent
from tocsin.engine.lifecycle.commands import (
    Admit,
    Discharge,
    ResetStream,
    Resume,
    SetLimit,
    SetProfile,
    Standby,
    StreamRefused,
)

NOW = START + 10**6 * S

values = st.fixed_dictionaries(
    {}, optional={"hr": st.integers(60, 140).map(float), "spo2": st.integers(80, 100).map(float)}
)
readings = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 40), values), max_size=50)
settings_of_a_watch = st.fixed_dictionaries(
    {},
    optional={
        "lateness_s": st.integers(0, 3),
        "reprocess_late_ticks": st.integers(0, 6),
        "gaps": st.just("blind"),
        "aggregate": st.sampled_from([{"hr": "mean"}, {"hr": "min", "spo2": "max"}]),
        "max_gap_ticks": st.just(5),
    },
)


def watching(*more, frame_timeout_s=10**9, **clock):
    return engine(
        *more,
        alarm("hr-high", Above(0, 120, 5), on_delay_s=2, off_delay_s=1),
        alarm("odd", ScoreAbove(105)),
        alarm("no-spo2", Absent(1, 4 * S)),
        frame_timeout_s=frame_timeout_s,
        **clock,
    )


def batch(rows):
    return Readings.of([(stream, START + tick * S // 2, by_channel) for stream, tick, by_channel in rows])


def scores(results, names, stream=None):
    """(stream, tick, bits of the score) of every step."""
    return [
        (names[row], tick, score.tobytes())
        for result in results
        for steps in result.steps
        for row, tick, score in zip(steps.rows.tolist(), steps.tick.tolist(), steps.score, strict=True)
        if stream in {None, names[row]}
    ]


def by_stream(sequence):
    return sorted(sequence, key=lambda entry: entry[0])  # stable: each stream's own order stays


@given(readings, st.lists(st.integers(1, 7), max_size=50), settings_of_a_watch)
def test_any_cut_into_batches_gives_equal_bits_and_events(rows, sizes, chosen):
    whole, cut = watching(**chosen), watching(**chosen)
    results = [whole.apply(batch(rows), NOW)]
    pieces, rest = [], list(rows)
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    cut_outcomes = [cut.apply(batch(piece), NOW) for piece in [*pieces, rest]]
    assert by_stream(happened(results)) == by_stream(happened(cut_outcomes))
    assert by_stream(scores(results, whole.table.names)) == by_stream(scores(cut_outcomes, cut.table.names))


@given(readings)
def test_a_stream_alone_gives_what_it_gives_among_others(rows):
    together = watching()
    results = [together.apply(batch(rows), NOW)]
    for stream in ("a", "b", "c"):
        alone = watching()
        own = [alone.apply(batch([row for row in rows if row[0] == stream]), NOW)]
        assert scores(own, alone.table.names) == scores(results, together.table.names, stream)
        assert happened(own) == [entry for entry in happened(results) if entry[0] == stream]


a_stream = st.sampled_from(["a", "b", "c"])
commands = st.one_of(
    st.builds(Admit, a_stream, profile=st.sampled_from([{}, {"age": 70.0}])),
    st.builds(Discharge, a_stream),
    st.builds(Standby, a_stream),
    st.builds(Resume, a_stream),
    st.builds(ResetStream, a_stream),
    st.builds(SetLimit, a_stream, st.just("hr-high"), st.sampled_from([None, 100.0])),
    st.builds(SetProfile, a_stream, st.sampled_from([{"age": 50.0}, {"oxygen": 1.0}])),
)


@given(st.lists(st.one_of(readings.filter(len), commands), max_size=25), settings_of_a_watch)
def test_streams_never_mix_while_others_come_and_go_in_their_rows(doings, chosen):
    """Commands, evictions and reprocessing of the others change nothing: no score, no event, no reject."""

    def run(stream=None):
        watched = watching(alarm("silent", Silent(30 * S)), evict_after_s=40, **chosen)
        found = {name: [] for name in "abc"}
        for k, doing in enumerate(doings):
            now = START + 20 * k * S
            if isinstance(doing, list):
                own = [row for row in doing if stream in {None, row[0]}]
                # Readings of about now: what is long past is late, what is a little past is gone back for.
                result = watched.apply(Readings.of([(s, now + t * S // 2, v) for s, t, v in own]), now)
            else:
                result = watched.apply(Readings.of([]), now)
                if stream in {None, doing.stream}:
                    try:
                        result.extend(watched.execute(doing, now), offset=0)
                    except StreamRefused as refused:
                        found[doing.stream].append(str(refused))
            for name in "abc":
                found[name] += scores([result], watched.table.names, name)
                found[name] += [entry for entry in happened([result]) if entry[0] == name]
                found[name] += [name for memory in result.evicted if name in memory.streams]
                if isinstance(doing, list):
                    late = result.rejected.get("late", np.empty(0, dtype=int)).tolist()
                    found[name].append([own[index] for index in late if own[index][0] == name])
        return found

    together = run()
    for stream in "abc":
        assert run(stream)[stream] == together[stream]


@settings(max_examples=200)
@given(st.data())
def test_any_order_within_lateness_with_doubles_gives_the_ordered_stream(data):
    lateness_s = 3
    ticks = sorted(data.draw(st.sets(st.integers(0, 30), min_size=1, max_size=30)))
    # One reading a tick: of two, whichever completes the frame first closes it, and the other is late.
    ordered = [("a", 2 * tick + data.draw(st.integers(0, 1)), data.draw(values)) for tick in ticks]
    # A reading arrives up to `lateness` after it was taken: sort by such an arrival, and deliver some twice.
    delays = [data.draw(st.integers(0, 2 * lateness_s)) for _ in ordered]
    arrivals = sorted(
        [(row[1] + delay, index) for index, (row, delay) in enumerate(zip(ordered, delays, strict=True))]
        + [(row[1] + 2 * lateness_s, index) for index, row in enumerate(ordered) if data.draw(st.booleans())]
    )
    shuffled = [ordered[index] for _, index in arrivals]
    closing = [("a", 1000, {})]  # lets every frame before it close
    first, second = watching(lateness_s=lateness_s), watching(lateness_s=lateness_s)
    one = [first.apply(batch(ordered + closing), NOW)]
    other = [second.apply(batch(shuffled + closing), NOW)]
    assert happened(one) == happened(other)
    assert scores(one, first.table.names) == scores(other, second.table.names)
    assert np.array_equal(first.table.state, second.table.state)


@given(readings, st.lists(st.integers(1, 7), max_size=50))
def test_on_the_event_clock_lingering_and_silence_do_not_depend_on_the_cut_either(rows, sizes):
    silent = alarm("silent", Silent(3 * S))
    whole, cut = watching(silent, frame_timeout_s=1.5), watching(silent, frame_timeout_s=1.5)
    results = [EventClock(whole).apply(batch(rows))]
    clock, cut_outcomes, rest = EventClock(cut), [], list(rows)
    for size in [*sizes, len(rest) or 1]:
        cut_outcomes.append(clock.apply(batch(rest[:size])))
        rest = rest[size:]
    assert by_stream(happened(results)) == by_stream(happened(cut_outcomes))
    assert by_stream(scores(results, whole.table.names)) == by_stream(scores(cut_outcomes, cut.table.names))
    late = [sum(len(o.rejected.get("late", ())) for o in run) for run in (results, cut_outcomes)]
    assert late[0] == late[1]
