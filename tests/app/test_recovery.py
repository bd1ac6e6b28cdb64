"""A restart in the middle changes nothing: scores to the bit, events, ids; and nobody is told twice."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import configurations
import toy_bundle
from tocsin.alarm.commands import Acknowledge, Order
from tocsin.app.build import setup
from tocsin.app.core import Beside
from tocsin.app.inputs import command_input, loss_input, order_input, readings_input, time_input
from tocsin.app.recovery import recover, remember, snapshot
from tocsin.app.returning import bring_back, keep
from tocsin.config import check
from tocsin.engine import Readings
from tocsin.engine.commands import SetLimit
from tocsin.engine.memory import StreamMemory
from tocsin.store import History, Retention, Store
from tocsin.store.columns import pack, unpack

S = 10**9
T0 = 1_760_000_000 * S
REMEMBERING = toy_bundle.GRAPH.replace("    score = Squeeze(ratio, axis)\n", "").replace(
    "    state_out =", "    carried = Add(ratio, more)\n    score = Squeeze(carried, axis)\n    state_out ="
)
WARD = {
    "lateness_s": 1,
    "linger_s": 2,
    "alarms": {
        "hr-high": {"above": {"channel": "hr", "limit": 120, "deadband": 5}, "priority": "high", "on_delay_s": 1},
        "odd": {"anomaly": {"threshold": 105}},
        "bed-silent": {"silent": {"for_s": 6}},
    },
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    toy_bundle.write(folder / "toy", toy_bundle.serialised(REMEMBERING))
    return folder


def made(folder, **changes):
    checked = check(configurations.write(folder, **configurations.merged({"watches": {"ward": WARD}}, changes)))
    assert not checked.faults
    return setup(checked.config, checked.bundles)


class Daemon:
    """The core and its store, without a broker."""

    def __init__(self, folder, store_folder, now=T0, **changes):
        self.folder = folder
        self.store_folder = store_folder
        self.store = Store.open(store_folder)
        self.store._connection.execute("PRAGMA synchronous = OFF")  # noqa: SLF001  (no power fails here)
        recovered = recover(self.store, lambda: made(folder, **changes), folder, now)
        self.core, self.made, self.untold = recovered.core, recovered.setup, recovered.untold
        self.scores = []
        self.returned = []  # when

    def begin(self, now):
        events = list(self.untold)
        if self.core.setup is not self.made:
            events += [event for result in self.core.take_over(self.made, now) for event in result.events]
        self.store.commit((), events, snapshot=snapshot(self.core), now=now)
        return events

    def turn(self, rows, now, lost=()):
        """As the pump has it; the events."""
        inputs, results = [], []
        if rows:
            readings = Readings.of(rows)
            station = self.core.stations["ward"]
            for given, result in bring_back(self.store.evicted, self.core, station, readings.streams, now):
                inputs.append(given)
                results.append(result)
                self.returned.append(now)
            results.append(self.core.take_in("ward", readings, now))
            inputs.append(readings_input(["ward"], readings, now))
        if lost:
            results.append(self.core.lose("ward", lost, now))
            inputs.append(loss_input(["ward"], lost, now))
        results += self.core.pass_time(now)
        inputs.append(time_input(now))
        for result in [*results, *(result.beside for result in results if result.beside is not None)]:
            station = result.elder.station if isinstance(result, Beside) else result.station
            names = [] if station is None else station.engine.table.names
            for steps in result.outcome.steps if result.outcome is not None else ():
                self.scores += [
                    (names[row], int(t), score.tobytes())
                    for row, t, score in zip(steps.rows.tolist(), steps.t, steps.score, strict=True)
                ]
            if result.outcome is not None and not isinstance(result, Beside):
                keep(self.store.evicted, result.station, result.outcome)
        events = [event for result in results for event in result.events]
        self.store.commit(inputs, events)
        return events

    def crash(self):
        """Nothing is said goodbye to."""
        self.store.deliveries.pending = type(self.store.deliveries.pending)()
        self.store.close()


TURNS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(-2, 1), st.sampled_from([80, 119, 121, 160]))),
        st.sampled_from([0, 1, 1, 1, 2, 9]),
        st.sampled_from([(), (), (), ("a",), ("b", "a")]),
        st.sampled_from(["", "", "crash", "snapshot", "snapshot, crash"]),
    ),
    max_size=25,
)


def live(daemon, turns, *, crashing):
    now, events = T0, daemon.begin(T0)
    for tick, (rows, seconds, lost, happens) in enumerate(turns, 1):
        now += seconds * S
        readings = [(bed, T0 + (tick + ahead) * S, {"hr": hr, "spo2": 97}) for bed, ahead, hr in rows]
        events += daemon.turn(readings, now, lost)
        if crashing and "snapshot" in happens:
            daemon.store.write_snapshot(daemon.store.position, pack(remember(daemon.core)), now)
        if crashing and "crash" in happens:
            daemon.crash()
            scores, returned, daemon = (
                daemon.scores,
                daemon.returned,
                type(daemon)(daemon.folder, daemon.store_folder, now),
            )
            assert daemon.untold == []
            assert daemon.core.setup is daemon.made
            daemon.scores, daemon.returned = scores, returned
    log = daemon.store.history(History())
    remembered = pack(daemon.core.export())
    given_up = {bed: daemon.store.evicted.find("ward", bed) for bed in "abc"}
    daemon.store.close()
    return daemon.scores, events, log, remembered, daemon.returned, given_up


@pytest.mark.parametrize(
    "watch",
    [
        {"clock": "wall"},
        {"clock": "event"},
        {"evict_after_s": 8},
        {"evict_after_s": 8, "clock": "event"},
        {
            "evict_after_s": 8,
            "overrides": [
                {"streams": "a", "limits": {"hr-high": 150, "odd": 120}},
                {"streams": ["b", "c"], "off": ["odd"]},
                {"streams": "*", "limits": {"hr-high": 118}},
            ],
        },
    ],
)
def test_a_restart_anywhere_changes_no_bit(toy, tmp_path_factory, watch):
    @settings(max_examples=20, deadline=None)
    @given(TURNS)
    def holds(turns):
        folder = tmp_path_factory.mktemp("store")
        changes = {"watches": {"ward": watch}}
        try:
            whole = live(Daemon(toy, folder / "whole", **changes), turns, crashing=False)
            broken = live(_with(Daemon, changes)(toy, folder / "broken"), turns, crashing=True)
        finally:
            shutil.rmtree(folder)
        assert broken[0] == whole[0]  # scores
        assert broken[1] == whole[1]  # events, told once
        assert broken[2] == whole[2] == whole[1]  # the log
        assert broken[3] == whole[3]  # everything remembered
        assert broken[4] == whole[4]  # who came back
        assert broken[5] == whole[5]  # what is kept of those who have not

    holds()


NEW = {"watches": {"ward": {"model": "toy2", "alarms": {"new": {"above": {"channel": "hr", "limit": 100}}}}}}


@pytest.fixture(scope="module")
def two_toys(toy):
    toy_bundle.write(toy / "toy2", toy_bundle.serialised(toy_bundle.GRAPH), version="2", warm_up_ticks=3)
    return toy


def shadowed(folder, store_folder, turns, at, *, crashing):
    """As `live`, and a new model comes at turn `at`; who waits for it is told, too."""
    daemon, now, taken_over = Daemon(folder, store_folder), T0, []
    events = daemon.begin(T0)
    for tick, (rows, seconds, lost, happens) in enumerate(turns):
        now += seconds * S
        if tick == at:
            results = daemon.core.take_over(made(folder, **NEW), now)
            told = [event for result in results for event in result.events]
            daemon.store.commit((), told, snapshot=snapshot(daemon.core), now=now)
            events += told
        readings = [(bed, T0 + (tick + ahead) * S, {"hr": hr, "spo2": 97}) for bed, ahead, hr in rows]
        events += daemon.turn(readings, now, lost)
        taken_over.append(
            (sorted(daemon.core.elders), [sorted(elder.shadow.waiting) for elder in daemon.core.elders.values()])
        )
        if crashing and "snapshot" in happens:
            daemon.store.write_snapshot(daemon.store.position, pack(remember(daemon.core)), now)
        if crashing and "crash" in happens:
            daemon.crash()
            before, changes = daemon.scores, NEW if tick >= at else {}
            daemon = Daemon(folder, store_folder, now, **changes)
            assert daemon.core.setup is daemon.made
            daemon.scores = before
    remembered = pack(daemon.core.export())
    daemon.store.close()
    return daemon.scores, events, taken_over, remembered


def test_a_crash_while_a_model_warms_up_changes_no_bit(two_toys, tmp_path_factory):
    @settings(max_examples=20, deadline=None)
    @given(TURNS, st.integers(0, 20))
    def holds(turns, at):
        folder = tmp_path_factory.mktemp("store")
        try:
            whole = shadowed(two_toys, folder / "whole", turns, at, crashing=False)
            broken = shadowed(two_toys, folder / "broken", turns, at, crashing=True)
        finally:
            shutil.rmtree(folder)
        assert broken == whole

    holds()


def test_with_another_model_in_place_of_the_one_before_alarms_stay_and_streams_begin_anew(two_toys, tmp_path, caplog):
    folder = tmp_path / "config"
    shutil.copytree(two_toys, folder)
    daemon = Daemon(folder, tmp_path / "store")
    now = ringing(daemon)
    daemon.core.take_over(made(folder, **NEW), now)
    daemon.store.commit((), (), snapshot=snapshot(daemon.core), now=now)
    daemon.crash()
    before = statuses(daemon.core)
    shutil.rmtree(folder / "toy")
    with caplog.at_level(logging.WARNING):
        again = Daemon(folder, tmp_path / "store", now, **NEW)
    assert "its models are no longer what they were (ward)" in caplog.text
    assert statuses(again.core).keys() == before.keys()
    again.store.close()


def _with(kind, changes):
    class Configured(kind):
        def __init__(self, folder, store_folder, now=T0):
            super().__init__(folder, store_folder, now, **changes)

    return Configured


def ringing(daemon, bed="a", start=0):
    """Let hr-high ring; when it was."""
    daemon.begin(T0)
    for second in range(start, start + 6):
        daemon.turn([(bed, T0 + second * S, {"hr": 150, "spo2": 97})], T0 + second * S)
    return T0 + (start + 6) * S


def statuses(core):
    return {alarm: status for (_, alarm), status in core.register.statuses.items() if status.occurrence is not None}


def hears(daemon, bed, second):
    return daemon.turn([(bed, T0 + second * S, {"hr": 100, "spo2": 97})], T0 + second * S)


def row(daemon, bed):
    table = daemon.core.stations["ward"].engine.table
    found = table.row_of(bed)
    return None if found is None else {name: getattr(table, name)[found].copy() for name in table.columns}


def test_who_was_given_up_comes_back_as_it_was_be_it_after_a_crash(toy, tmp_path):
    watch = {"watches": {"ward": {"evict_after_s": 10}}}
    steady, leaving = Daemon(toy, tmp_path / "steady"), Daemon(toy, tmp_path / "leaving", **watch)
    for daemon in (steady, leaving):
        daemon.begin(T0)
        command = SetLimit("a", "hr-high", 95.0)
        for second in range(5):
            hears(daemon, "a", second)
        daemon.core.command(command, T0 + 5 * S)
        daemon.store.commit([command_input(command, T0 + 5 * S)], [])
        for second in range(5, 30):
            hears(daemon, "b", second)
    assert row(leaving, "a") is None
    leaving.crash()
    leaving = Daemon(toy, tmp_path / "leaving", T0 + 30 * S, **watch)
    assert row(leaving, "a") is None
    told = [hears(daemon, "a", second) for daemon in (steady, leaving) for second in range(30, 34)]
    assert [e.alarm for events in told for e in events if e.transition == "raise"].count("hr-high") == 2  # above 95
    assert leaving.returned == [T0 + 30 * S]
    was, now = row(steady, "a"), row(leaving, "a")
    for name in ("state", "mean", "scale", "frames", "begun_tick", "seen_tick", "limit", "newest_t"):
        assert now[name].tobytes() == was[name].tobytes(), name
    before = pack(leaving.core.export())
    leaving.crash()  # the journal alone knows that it came back
    leaving = Daemon(toy, tmp_path / "leaving", T0 + 34 * S, **watch)
    assert pack(leaving.core.export()) == before
    assert len(leaving.store.evicted) == 0
    for daemon in (steady, leaving):
        daemon.store.close()


def test_what_another_model_remembered_is_of_no_use(toy, tmp_path):
    watch = {"watches": {"ward": {"evict_after_s": 10}}}
    daemon = Daemon(toy, tmp_path, **watch)
    daemon.begin(T0)
    for second in range(30):
        hears(daemon, "ab"[second > 3], second)
    kept = StreamMemory(**unpack(daemon.store.evicted.find("ward", "a")))
    another = replace(kept, meta={**kept.meta, "sha256": "0" * 64})
    daemon.store.evicted.keep("ward", "a", pack(another), T0 + 30 * S)
    hears(daemon, "a", 31)
    assert daemon.returned == []
    assert int(row(daemon, "a")["frames"]) == 0
    assert len(daemon.store.evicted) == 0
    daemon.store.close()


def test_an_acknowledgement_outlives_a_crash(toy, tmp_path):
    daemon = Daemon(toy, tmp_path)
    now = ringing(daemon)
    order = Order(Acknowledge("a", "hr-high"), "nurse", None, "4711")
    events = daemon.core.order(order, now)
    daemon.store.commit([order_input(order, now)], events)
    daemon.crash()
    again = Daemon(toy, tmp_path)
    status = statuses(again.core)["hr-high"]
    assert (status.acknowledged, status.acknowledged_by) == (True, "nurse")
    assert again.core.order(order, now) == events  # sent again, as nobody had answered: nothing happens
    again.store.close()


def test_another_configuration_is_changed_over_to_as_in_a_reload(toy, tmp_path):
    daemon = Daemon(toy, tmp_path)
    now = ringing(daemon)
    frames = int(daemon.core.stations["ward"].engine.table.frames[0])
    before = statuses(daemon.core)
    daemon.crash()  # with most of it in the journal alone
    changes = {"watches": {"ward": {"alarms": {"odd": {"anomaly": {"threshold": 1000}}, "new": WARD["alarms"]["odd"]}}}}
    again = Daemon(toy, tmp_path, now, **changes)
    assert statuses(again.core) == before  # first as it was
    again.begin(now)
    assert set(again.core.stations["ward"].engine.table.names) == {"a"}
    assert int(again.core.stations["ward"].engine.table.frames[0]) == frames  # no warm-up
    assert statuses(again.core)["hr-high"] == before["hr-high"]
    gone = {"watches": {"ward": {"alarms": {"hr-high": {"above": {"channel": "spo2", "limit": 99}}}}}}
    again.store.close()
    third = Daemon(toy, tmp_path, now, **gone)
    assert [(event.alarm, event.transition) for event in third.begin(now)] == [("hr-high", "end")]
    third.store.close()


def other_model(folder):
    toy_bundle.write(folder / "toy", toy_bundle.serialised(toy_bundle.GRAPH))


def spoil_journal(daemon):
    """As if this Tocsin decided otherwise than the one that wrote the journal."""
    connection = daemon.store._connection  # noqa: SLF001
    connection.execute(
        "UPDATE journal SET last_event = last_event + 1 WHERE position = (SELECT max(position) FROM journal)"
    )


@pytest.mark.parametrize("how", ["the model is another one", "another Tocsin decides otherwise"])
def test_what_cannot_be_applied_again_ends_no_alarm(toy, tmp_path, caplog, how):
    folder = tmp_path / "config"
    shutil.copytree(toy, folder)
    daemon = Daemon(folder, tmp_path / "store")
    now = ringing(daemon)
    told = daemon.store.history(History())
    before = statuses(daemon.core)
    assert set(before) >= {"hr-high"}
    if how == "the model is another one":
        shutil.rmtree(folder / "toy")
        other_model(folder)
    else:
        spoil_journal(daemon)
    daemon.crash()
    with caplog.at_level(logging.WARNING):
        again = Daemon(folder, tmp_path / "store", now)
    assert "streams begin anew, alarms stay as they were told" in caplog.text
    events = again.begin(now)
    assert {(event.alarm, event.transition) for event in events} == {(alarm, "uncertain") for alarm in before}
    assert [event.id for event in events] == [told[-1].id + 1 + i for i in range(len(events))]
    for alarm, status in statuses(again.core).items():
        assert status == replace(before[alarm], uncertain=True)
    cleared = []
    for second in range(6, 12):
        cleared += again.turn([("a", T0 + second * S, {"hr": 80, "spo2": 97})], now + second * S)
    assert ("hr-high", "clear") in [(event.alarm, event.transition) for event in cleared]
    again.store.close()


def test_silence_is_counted_from_when_somebody_listens_again(toy, tmp_path):
    daemon = Daemon(toy, tmp_path)
    now = ringing(daemon)
    daemon.crash()
    later = now + 3600 * S
    again = Daemon(toy, tmp_path, later)
    again.core.resume(later)
    again.begin(later)
    assert again.turn([], later + S) == []
    rung = again.turn([], later + 6 * S)
    assert [(event.alarm, event.t) for event in rung if event.transition == "raise"] == [("bed-silent", T0 + 11 * S)]
    again.store.close()


def test_a_journal_that_is_tidied_recovers_the_same(toy, tmp_path):
    daemon = Daemon(toy, tmp_path)
    now = ringing(daemon)
    daemon.store.write_snapshot(daemon.store.position, pack(remember(daemon.core)), now)
    daemon.turn([("a", now, {"hr": 150, "spo2": 97})], now)
    while daemon.store.tidy(Retention(1000, 10**9), now):
        pass
    remembered = pack(daemon.core.export())
    daemon.crash()
    again = Daemon(toy, tmp_path, now)
    assert pack(again.core.export()) == remembered
    assert np.array_equal(
        again.core.stations["ward"].engine.table.state, daemon.core.stations["ward"].engine.table.state
    )
    again.store.close()
