"""A restart in the middle changes nothing: scores to the bit, events, ids; and nothing is published twice."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest
import toy_bundle
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_core import T0, WARD, Daemon, S, made, raised, statuses

from tocsin.alarm.commands import Acknowledge, CommandEnvelope
from tocsin.engine.lifecycle.commands import Discharge
from tocsin.runtime.deployment import identity
from tocsin.runtime.journal_entries import AlarmCommandEntry, StreamCommandEntry, encode
from tocsin.runtime.snapshots import encode_snapshot, take_snapshot
from tocsin.store import AlarmLogQuery, Retention
from tocsin.store.columns import pack

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
        events += daemon.step(readings, now, lost)
        if crashing and "snapshot" in happens:
            daemon.store.write_snapshot(daemon.store.position, pack(take_snapshot(daemon.core)), now)
        if crashing and "crash" in happens:
            daemon.crash()
            scores, returned, daemon = (
                daemon.scores,
                daemon.returned,
                type(daemon)(daemon.folder, daemon.store_folder, now),
            )
            assert daemon.unpublished == []
            assert daemon.core.deployment is daemon.made
            daemon.scores, daemon.returned = scores, returned
    log = daemon.store.history(AlarmLogQuery())
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
        assert broken[1] == whole[1]  # events, published once
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
    """As `live`, and a new model comes at turn `at`; streams that wait for it are listed, too."""
    daemon, now, taken_over = Daemon(folder, store_folder), T0, []
    events = daemon.begin(T0)
    for tick, (rows, seconds, lost, happens) in enumerate(turns):
        now += seconds * S
        if tick == at:
            results = daemon.core.apply_deployment(made(folder, **NEW), now)
            logged = [event for result in results for event in result.events]
            daemon.store.commit((), logged, snapshot=encode_snapshot(daemon.core), now=now)
            events += logged
        readings = [(bed, T0 + (tick + ahead) * S, {"hr": hr, "spo2": 97}) for bed, ahead, hr in rows]
        events += daemon.step(readings, now, lost)
        taken_over.append(
            (
                sorted(daemon.core.previous),
                [sorted(watch.waiting) for watch in daemon.core.runtimes.values()],
            )
        )
        if crashing and "snapshot" in happens:
            daemon.store.write_snapshot(daemon.store.position, pack(take_snapshot(daemon.core)), now)
        if crashing and "crash" in happens:
            daemon.crash()
            before, changes = daemon.scores, NEW if tick >= at else {}
            daemon = Daemon(folder, store_folder, now, **changes)
            assert daemon.core.deployment is daemon.made
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
    now = raised(daemon)
    daemon.core.apply_deployment(made(folder, **NEW), now)
    daemon.store.commit((), (), snapshot=encode_snapshot(daemon.core), now=now)
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


def test_an_acknowledgement_outlives_a_crash(toy, tmp_path):
    daemon = Daemon(toy, tmp_path)
    now = raised(daemon)
    entry = AlarmCommandEntry(now, CommandEnvelope(Acknowledge("a", "hr-high"), "nurse", None, "4711"))
    (result,) = daemon.core.apply(entry)
    daemon.store.commit([encode(entry)], result.events)
    daemon.crash()
    again = Daemon(toy, tmp_path)
    status = statuses(again.core)["hr-high"]
    assert (status.acknowledged, status.acknowledged_by) == (True, "nurse")
    (repeated,) = again.core.apply(entry)  # sent again, as no answer came: nothing happens
    assert (repeated.events, repeated.repeated) == ([], result.events)
    again.store.close()


def test_the_log_counts_the_streams_that_there_are(toy, tmp_path, caplog):
    daemon = Daemon(toy, tmp_path)
    now = raised(daemon, "a")
    raised(daemon, "b")
    daemon.core.apply(StreamCommandEntry(now, Discharge("a")))
    daemon.store.commit((), (), snapshot=encode_snapshot(daemon.core), now=now)
    daemon.crash()
    with caplog.at_level(logging.INFO):
        Daemon(toy, tmp_path, now).store.close()
    assert "store: 1 streams and event" in caplog.text


def test_another_configuration_is_changed_over_to_as_in_a_reload(toy, tmp_path):
    daemon = Daemon(toy, tmp_path)
    now = raised(daemon)
    frames = int(daemon.core.runtimes["ward"].engine.table.frame_count[0])
    before = statuses(daemon.core)
    daemon.crash()  # with most of it in the journal alone
    changes = {"watches": {"ward": {"alarms": {"odd": {"anomaly": {"threshold": 1000}}, "new": WARD["alarms"]["odd"]}}}}
    again = Daemon(toy, tmp_path, now, **changes)
    assert statuses(again.core) == before  # first as it was
    again.begin(now)
    assert set(again.core.runtimes["ward"].engine.table.names) == {"a"}
    assert int(again.core.runtimes["ward"].engine.table.frame_count[0]) == frames  # no warm-up
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
    now = raised(daemon)
    logged = daemon.store.history(AlarmLogQuery())
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
    assert "the journal can't be applied again, alarms stay as they were published" in caplog.text
    assert ("watch ward: streams begin anew" in caplog.text) == (how == "the model is another one")
    events = again.begin(now)
    assert {(event.alarm, event.transition) for event in events} == {(alarm, "uncertain") for alarm in before}
    assert [event.id for event in events] == [logged[-1].id + 1 + i for i in range(len(events))]
    for alarm, status in statuses(again.core).items():
        assert status == replace(before[alarm], uncertain=True)
    cleared = []
    for second in range(6, 12):
        cleared += again.step([("a", T0 + second * S, {"hr": 80, "spo2": 97})], now + second * S)
    assert ("hr-high", "clear") in [(event.alarm, event.transition) for event in cleared]
    again.store.close()


def test_where_another_tocsin_decides_otherwise_streams_go_on_from_the_snapshot(toy, tmp_path):
    daemon = Daemon(toy, tmp_path)
    now = raised(daemon)
    daemon.store.write_snapshot(daemon.store.position, encode_snapshot(daemon.core), now)
    frames, before = int(daemon.core.runtimes["ward"].engine.table.frame_count[0]), statuses(daemon.core)
    daemon.step([("a", now, {"hr": 150, "spo2": 97})], now)
    daemon.step([("a", now + S, {"hr": 150, "spo2": 97})], now + S)
    spoil_journal(daemon)
    daemon.crash()
    again = Daemon(toy, tmp_path, now + 2 * S)
    assert again.begin(now + 2 * S) == []  # nothing is published
    assert int(again.core.runtimes["ward"].engine.table.frame_count[0]) == frames
    assert statuses(again.core) == before
    again.store.close()


def test_a_snapshot_of_a_tocsin_that_knew_fewer_columns_is_gone_on_from(toy, tmp_path):
    daemon = Daemon(toy, tmp_path)
    now = raised(daemon)
    kept = take_snapshot(daemon.core)
    for name in ("score_quantiles", "score_count"):
        del kept["core"]["watches"]["ward"]["engine"]["columns"][name]
    daemon.store.write_snapshot(daemon.store.position, pack(kept), now)
    before = statuses(daemon.core)
    daemon.crash()
    again = Daemon(toy, tmp_path, now)
    assert again.unpublished == []
    assert statuses(again.core) == before
    table = again.core.runtimes["ward"].engine.table
    assert (table.names, int(table.score_count[0])) == (["a"], 0)
    again.store.close()


def test_a_setting_with_its_default_leaves_a_configuration_what_it_is(toy):
    default = {"watches": {"ward": {"explain_ticks": 60, "alarms": {"odd": {"on_delay_s": 0}}}}}
    assert identity(made(toy, **default)) == identity(made(toy))
    for change in (
        {"explain_ticks": 61},
        {"alarms": {"odd": {"on_delay_s": 1}}},
        {"alarms": {"hr-high": {"on_clear": "latch"}}},
    ):
        assert identity(made(toy, watches={"ward": change})) != identity(made(toy))


def test_the_order_of_alarms_is_part_of_a_configuration(toy):
    turned = dict(reversed(WARD["alarms"].items()))
    configuration = made(toy).config
    ward = configuration.watches["ward"]
    assert list(ward.alarms) != list(turned)
    turned = ward.model_copy(update={"alarms": {name: ward.alarms[name] for name in turned}})
    other = made(toy)
    other = replace(other, config=configuration.model_copy(update={"watches": {"ward": turned}}))
    assert identity(other) != identity(made(toy))


def test_silence_is_counted_from_the_restart(toy, tmp_path):
    daemon = Daemon(toy, tmp_path)
    now = raised(daemon)
    daemon.crash()
    later = now + 3600 * S
    again = Daemon(toy, tmp_path, later)
    again.core.resume(later)
    again.begin(later)
    assert again.step([], later + S) == []
    events = again.step([], later + 6 * S)
    assert [(event.alarm, event.t) for event in events if event.transition == "raise"] == [("bed-silent", T0 + 11 * S)]
    again.store.close()


def test_a_journal_that_is_tidied_recovers_the_same(toy, tmp_path):
    daemon = Daemon(toy, tmp_path)
    now = raised(daemon)
    daemon.store.write_snapshot(daemon.store.position, pack(take_snapshot(daemon.core)), now)
    daemon.step([("a", now, {"hr": 150, "spo2": 97})], now)
    while daemon.store.tidy(Retention(1000, 10**9), now):
        pass
    remembered = pack(daemon.core.export())
    daemon.crash()
    again = Daemon(toy, tmp_path, now)
    assert pack(again.core.export()) == remembered
    assert np.array_equal(
        again.core.runtimes["ward"].engine.table.state, daemon.core.runtimes["ward"].engine.table.state
    )
    again.store.close()
