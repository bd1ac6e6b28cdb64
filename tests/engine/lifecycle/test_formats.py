"""Checkpoints and exports are read by every later version, or refused with a remedy."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from counting_watch import START, S, alarm, engine, happened

from tocsin.engine import Readings
from tocsin.engine.conditions.limit import Above
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.conditions.silent import Silent
from tocsin.engine.conditions.trend import Trend
from tocsin.engine.format import Format
from tocsin.engine.lifecycle import checkpoint
from tocsin.engine.lifecycle.commands import Admit, SetLimit, StreamRefused
from tocsin.engine.streams.state import StreamState
from tocsin.engine.streams.table import StreamTable
from tocsin.store.columns import pack, unpack

WRITTEN = Path(__file__).parent / "format_1"  # by the version that introduced format 1; never written again
ALARMS = (
    alarm("hr-high", Above(0, 120, 5), on_delay_s=2, off_delay_s=1),
    alarm("odd", ScoreAbove(105)),
    alarm("hr-rises", Trend(0, 20, 10 * S, rising=True)),
    alarm("silent", Silent(60 * S)),
)


def watching():
    """A watch that has columns of every kind in use."""
    return engine(*ALARMS, lateness_s=1, reprocess_late_ticks=3, aggregate={"hr": "mean"}, frame_timeout_s=5)


def readings(first, last):
    rows = [
        (stream, START + second * S + k * S // 2, {"hr": 90.0 + 3 * second, "spo2": 97.0 - k, "age": 61.0})
        for second in range(first, last)
        for k, stream in enumerate("ab")
    ]
    return replace(Readings.of(rows), labels=[{"ward": "icu"}, {"ward": "step"}])


def used():
    """A watch with two streams, open and kept frames, an active alarm, a limit, labels and a tombstone."""
    watched = watching()
    watched.apply(readings(0, 15), START + 15 * S)
    watched.execute(SetLimit("a", "hr-high", 140.0), START + 15 * S)
    watched.execute(Admit("a", {"team": "red"}, {"age": 70.0}), START + 15 * S)
    watched.apply(readings(15, 20), START + 20 * S)
    return watched


def written(name):
    return unpack(gzip.decompress((WRITTEN / f"{name}.msgpack.gz").read_bytes()))


def packed(watched):
    exported = watched.export_streams()
    return pack(checkpoint.export(watched.state)), pack([exported.meta, exported.columns])


def test_a_checkpoint_of_format_1_is_restored_to_the_bit():
    restored, whole = watching(), used()
    checkpoint.restore(restored.state, written("checkpoint"))
    assert packed(restored) == packed(whole)
    results = [watched.apply(readings(20, 90), START + 90 * S) for watched in (restored, whole)]
    assert happened(results[:1]) == happened(results[1:])
    assert happened(results[:1])


def test_streams_exported_in_format_1_are_imported_to_the_bit():
    exported = StreamState(*written("streams"))
    imported, whole = watching(), used()
    assert pack([exported.meta, exported.columns]) == packed(whole)[1]
    imported.import_streams(exported, START + 20 * S)
    for watched in (imported, whole):
        watched.apply(readings(20, 40), START + 40 * S)
    for stream in "ab":
        states = [watched.table.state[watched.table.row_of(stream)].tobytes() for watched in (imported, whole)]
        assert states[0] == states[1]


KINDS = (StreamTable, StreamState, Above, ScoreAbove, Trend, Silent)


@pytest.fixture
def rename():
    """Renames every column and class; `monkeypatch` can't put back the name of a class."""
    before = [kind.__name__ for kind in KINDS], [column.name for column in StreamTable.COLUMNS]

    def to(kinds, columns):
        for kind, name in zip(KINDS, kinds, strict=True):
            kind.__name__ = name
        for column, name in zip(StreamTable.COLUMNS, columns, strict=True):
            column.name = name

    yield lambda: to(*([f"Renamed{name}" for name in names] for names in before))
    to(*before)


def test_what_is_written_does_not_depend_on_names_in_the_code(rename):
    before = packed(used())
    rename()
    after = used()
    assert "state" not in vars(after.table)
    assert packed(after) == before


def test_keys_of_columns_are_unique():
    keys = [column.key for column in StreamTable.COLUMNS]
    assert len(set(keys)) == len(keys)


def older(data):
    """A made-up format 0, in which `newest_t` counted backwards under another key."""
    columns = dict(data["columns"])
    columns["t_left"] = -columns.pop("newest_t")
    return {**data, "format": 0, "columns": columns}


def from_format_0(data):
    columns = dict(data["columns"])
    columns["newest_t"] = -columns.pop("t_left")
    return {**data, "columns": columns}


MIGRATING = Format("memory", 1, {0: from_format_0})


def test_a_checkpoint_of_an_older_format_is_migrated():
    whole, restored = used(), watching()
    checkpoint.restore(restored.state, older(checkpoint.export(whole.state)), MIGRATING)
    assert packed(restored) == packed(whole)


def test_streams_of_an_older_format_are_migrated():
    exported = used().export_streams()
    data = older({**exported.meta, "columns": exported.columns})
    upgraded = StreamState(data, data.pop("columns")).upgraded(MIGRATING)
    assert pack([{**upgraded.meta}, upgraded.columns["newest_t"]]) == pack(
        [{**exported.meta}, exported.columns["newest_t"]]
    )


def test_formats_are_migrated_one_after_the_other():
    form = Format(
        "data", 2, {0: lambda data: {**data, "steps": ["0"]}, 1: lambda data: {"steps": [*data["steps"], "1"]}}
    )
    assert form.upgrade({"format": 0}) == {"format": 2, "steps": ["0", "1"]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 2, "version": "9.9"}, r"has format 2, written by Tocsin 9.9 \(legal: format 1; upgrade Tocsin"),
        ({"format": 2}, "has format 2, written by another version of Tocsin"),
        ({"format": 0}, "has format 0"),
        ({"format": None}, "has format None"),
    ],
)
def test_another_format_is_refused_and_the_error_names_the_version_that_wrote_it(change, says):
    whole, fresh = used(), watching()
    with pytest.raises(ValueError, match=f"the checkpoint of a watch {says}"):
        checkpoint.restore(fresh.state, {**checkpoint.export(whole.state), **change})
    exported = whole.export_streams()
    with pytest.raises(StreamRefused, match=f"memory {says}"):
        fresh.import_streams(replace(exported, meta={**exported.meta, **change}), START)
    assert fresh.table.count == 0


def test_the_metadata_of_an_export_is_plain_json():
    meta = used().export_streams().meta
    assert json.loads(json.dumps(meta)) == unpack(pack(meta))


def test_a_checkpoint_with_a_column_that_is_unknown_here_is_refused():
    data = checkpoint.export(used().state)
    data["columns"]["of_tomorrow"] = data["columns"]["live"]
    with pytest.raises(ValueError, match="unknown columns: of_tomorrow"):
        checkpoint.restore(watching().state, data)


def test_a_column_that_a_checkpoint_lacks_is_empty():
    data = checkpoint.export(used().state)
    del data["columns"]["score_count"]
    restored = watching()
    checkpoint.restore(restored.state, data)
    assert set(restored.table.score_count.tolist()) == {0}
