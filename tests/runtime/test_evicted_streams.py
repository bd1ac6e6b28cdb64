"""Evicted streams come back with their state."""

from __future__ import annotations

from dataclasses import replace

from stored_core import T0, Daemon, S

from tocsin.engine.lifecycle.commands import SetLimit
from tocsin.runtime.evicted_streams import decode_state, encode_state
from tocsin.runtime.journal_entries import StreamCommandEntry, encode
from tocsin.store.columns import pack, unpack


def hears(daemon, bed, second):
    return daemon.step([(bed, T0 + second * S, {"hr": 100, "spo2": 97})], T0 + second * S)


def row(daemon, bed):
    table = daemon.core.runtimes["ward"].engine.table
    found = table.row_of(bed)
    return None if found is None else {column.key: column.of(table)[found].copy() for column in table.COLUMNS}


def test_an_evicted_stream_comes_back_as_it_was_also_after_a_crash(toy, tmp_path):
    watch = {"watches": {"ward": {"evict_after_s": 10}}}
    steady, leaving = Daemon(toy, tmp_path / "steady"), Daemon(toy, tmp_path / "leaving", **watch)
    for daemon in (steady, leaving):
        daemon.begin(T0)
        command = SetLimit("a", "hr-high", 95.0)
        for second in range(5):
            hears(daemon, "a", second)
        entry = StreamCommandEntry(T0 + 5 * S, command)
        daemon.core.apply(entry)
        daemon.store.commit([encode(entry)], [])
        for second in range(5, 30):
            hears(daemon, "b", second)
    assert row(leaving, "a") is None
    leaving.crash()
    leaving = Daemon(toy, tmp_path / "leaving", T0 + 30 * S, **watch)
    assert row(leaving, "a") is None
    heard = [hears(daemon, "a", second) for daemon in (steady, leaving) for second in range(30, 34)]
    assert [e.alarm for events in heard for e in events if e.transition == "raise"].count("hr-high") == 2  # above 95
    assert leaving.returned == [T0 + 30 * S]
    was, now = row(steady, "a"), row(leaving, "a")
    for name in ("state", "mean", "scale", "frame_count", "stream_first_tick", "last_tick", "stream_limit", "newest_t"):
        assert now[name].tobytes() == was[name].tobytes(), name
    before = pack(leaving.core.export())
    leaving.crash()  # the journal alone knows that it came back
    leaving = Daemon(toy, tmp_path / "leaving", T0 + 34 * S, **watch)
    assert pack(leaving.core.export()) == before
    assert len(leaving.store.evicted) == 0
    for daemon in (steady, leaving):
        daemon.store.close()


def test_an_evicted_state_of_another_model_is_dropped(toy, tmp_path):
    watch = {"watches": {"ward": {"evict_after_s": 10}}}
    daemon = Daemon(toy, tmp_path, **watch)
    daemon.begin(T0)
    for second in range(30):
        hears(daemon, "ab"[second > 3], second)
    kept = decode_state(daemon.store.evicted.find("ward", "a"))
    another = replace(kept, meta={**kept.meta, "sha256": "0" * 64})
    daemon.store.evicted.add("ward", "a", encode_state(another), T0 + 30 * S)
    hears(daemon, "a", 31)
    assert daemon.returned == []
    assert int(row(daemon, "a")["frame_count"]) == 0
    assert len(daemon.store.evicted) == 0
    daemon.store.close()


def test_an_evicted_state_of_a_newer_format_is_dropped_with_a_warning(toy, tmp_path, caplog):
    daemon = Daemon(toy, tmp_path, watches={"ward": {"evict_after_s": 10}})
    daemon.begin(T0)
    for second in range(30):
        hears(daemon, "ab"[second > 3], second)
    newer = {**unpack(daemon.store.evicted.find("ward", "a")), "format": 2}
    daemon.store.evicted.add("ward", "a", pack(newer), T0 + 30 * S)
    hears(daemon, "a", 31)
    assert "watch ward: evicted stream a begins anew" in caplog.text
    assert int(row(daemon, "a")["frame_count"]) == 0
    daemon.store.close()
