"""Datasets from tables: layouts, splits, classes; faults are named by file, column and row."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tocsin.bundle.manifest import ChannelEntry
from tocsin_training.data.dataset import DataRequest, StreamDataset, StreamRecord
from tocsin_training.data.tables import table
from tocsin_training.errors import TrainingError

CHANNELS = (
    ChannelEntry(name="hr", unit="/min", low=20, high=300),
    ChannelEntry(name="lactate", unit="mmol/L", low=0, high=40, expected=False),
    ChannelEntry(name="age", unit="a", low=0, high=120, kind="static"),
    ChannelEntry(name="hours", unit="h", low=0, high=1e4, kind="clock"),
)
ALL_TRAIN = {"by": "stream"}
WIDE = """\
bed,t,pulse,lactate,age,ill
b,0,60,,40,0
a,5,80,2.5,70,0
b,3600,61,1,40,0
a,7,82,,70,0
a,7205,90,,70,1
a,10800,999,,,0
"""
LONG = """\
bed,t,channel,value,ill
b,0,pulse,60,0
a,5,age,70,0
b,0,age,40,0
a,5,pulse,80,0
a,5,lactate,2.5,0
b,3600,pulse,61,0
b,3600,lactate,1,0
a,7,pulse,82,0
a,7,weight,82,0
a,7205,pulse,90,1
a,10800,pulse,999,0
"""
OPTIONS = {"files": "*.csv", "stream": "bed", "channels": {"hr": "pulse"}, "label": "ill", "split": ALL_TRAIN}


@pytest.fixture
def asked(tmp_path):
    """Write a table and read a part of it."""

    def ask(content, part="train", period_s=3600.0, name="table.csv", classes=None, **changes):
        folder = tmp_path / "records"
        folder.mkdir(exist_ok=True)
        for file, written in (content if isinstance(content, dict) else {name: content}).items():
            if isinstance(written, pl.DataFrame):
                written.write_parquet(folder / file)
            else:
                (folder / file).write_bytes(written if isinstance(written, bytes) else written.encode())
        return table(
            DataRequest(
                part=part,
                folder=folder,
                channels=CHANNELS,
                period_s=period_s,
                delta_cap_s=36_000,
                seed=1,
                options=OPTIONS | changes,
                runs=tmp_path / "runs",
                classes=classes,
            )
        )

    return ask


def by_stream(data):
    """Columns by stream, independent of the order of streams."""
    columns = [column for column in (data.tick, data.x, data.mask, data.delta, data.label) if column is not None]
    return {
        stream: [np.asarray(column[data.start[b] : data.start[b + 1]]).tolist() for column in columns]
        for b, stream in enumerate(data.streams)
    }


def test_a_table_becomes_the_frames_that_the_engine_would_make(asked):
    nan = np.nan
    expected = StreamDataset.of(
        CHANNELS,
        3600.0,
        36_000,
        [
            StreamRecord("b", np.array([0, 1]), np.array([[60, nan, 40, nan], [61, 1, 40, nan]]), np.float32([0, 0])),
            # Two readings in hour 0: the newest value of each channel counts; the last row has no plausible value.
            StreamRecord("a", np.array([0, 2]), np.array([[82, 2.5, 70, nan], [90, nan, 70, nan]]), np.float32([0, 1])),
        ],
    )
    assert by_stream(asked(WIDE)) == by_stream(expected)


def test_long_and_wide_tables_and_csv_and_parquet_give_the_same_data(asked):
    wide = by_stream(asked(WIDE))
    assert by_stream(asked(LONG, name="long.csv", files="long.csv", layout="long")) == wide
    frame = pl.read_csv(LONG.encode())
    assert by_stream(asked(frame, name="long.parquet", files="*.parquet", layout="long")) == wide
    frame = pl.read_csv(WIDE.encode())
    assert by_stream(asked(frame, name="wide.parquet", files="wide.parquet")) == wide


def test_a_table_may_be_split_into_files_and_is_read_in_chunks(asked, monkeypatch):
    monkeypatch.setattr("tocsin_training.data.files.CSV_BYTES", 20)
    header, *lines = WIDE.splitlines(keepends=True)
    files = {"1.csv": header + "".join(lines[:3]), "2.csv": header + "".join(lines[3:])}
    assert by_stream(asked(files)) == by_stream(asked(WIDE, name="whole.csv", files="whole.csv"))


def test_csv_dialects_are_accepted(asked):
    """Quotes and line ends are accepted; a quote that spans rows is a fault."""
    plain = by_stream(asked(WIDE))
    windows = WIDE.replace("\n", "\r\n")
    assert by_stream(asked("\ufeff" + windows, name="w.csv", files="w.csv")) == plain
    quoted = "\n".join(",".join(f'"{field}"' for field in line.split(",")) for line in WIDE.splitlines())
    assert by_stream(asked(quoted, name="q.csv", files="q.csv")) == plain
    long = WIDE.replace("ill\n", 'ill,"a\nnote"\n', 1)
    header, *rows = long.split('"\n')[1].splitlines()
    lines = [f'{row},"{"x" * 200_000}"' for row in (header, *rows)]
    text = long.split('"\n')[0] + '"\n' + "\n".join(lines)
    assert by_stream(asked(text, name="l.csv", files="l.csv")) == plain
    odd = 'bed,t,pulse,lactate,age,note\na,0,60,,4,5" pipe\na,9,61,,4,x\na,12,62,,4,6" pipe\na,18,63,,4,x\n'
    with pytest.raises(TrainingError, match=r"o.csv: from row 1 on \d rows are lost within quotes; close every quote"):
        asked(odd, name="o.csv", files="o.csv", label=None)


@pytest.mark.parametrize("zone", ["Z", "+00:00", "+0000", "+00", ""])
@pytest.mark.parametrize("time", ["00:00", "00:00:00", "00:00:00.250"])
@pytest.mark.parametrize("between", ["T", " "])
def test_times_of_iso_8601(asked, between, time, zone):
    text = (
        f"bed,t,pulse,lactate,age\na,2026-03-01{between}{time}{zone},60,,\na,2026-03-01{between}01:00:00{zone},61,,\n"
    )
    assert np.diff(asked(text, label=None).tick).tolist() == [1]


def test_a_file_may_be_a_stream_and_streams_may_have_several_names(asked):
    files = {"p1.csv": "t,pulse,lactate,age\n0,60,1,40\n", "p2.csv": "t,pulse,lactate,age\n0,60,1,40\n"}
    assert asked(files, stream=None, label=None).streams == ("p1", "p2")
    wards = "ward;bed;t;pulse;lactate;age\nicu;1;0;60;1;40\nicu;2;0;-;1;40\n"
    data = asked(wards, name="w.csv", files="w.csv", stream=["ward", "bed"], label=None, separator=";", missing=["-"])
    assert data.streams == ("icu/1", "icu/2")
    assert data.mask[:, 0].tolist() == [1, 0]
    assert data.label is None


def test_quoted_line_ends_do_not_end_a_row(asked, monkeypatch):
    monkeypatch.setattr("tocsin_training.data.files.CSV_BYTES", 10)
    text = 'bed,note,t,pulse,lactate,age\na,"one\ntwo",0,60,1,40\na,x,3600,61,1,40\n'
    assert asked(text, label=None).x[:, 0].tolist() == [60, 61]


@pytest.mark.parametrize(
    ("written", "unit"),
    [("0,1", "h"), ("0,3600000", "ms"), ("2026-01-01T00:00:00Z,2026-01-01T03:00:00+02:00", "s"), ("0.5,3600.5", "s")],
)
def test_times(asked, written, unit):
    first, second = written.split(",")
    data = asked(f"bed,t,pulse,lactate,age\na,{first},60,,\na,{second},61,,\n", unit=unit, label=None)
    assert np.diff(data.tick).tolist() == [1]


def test_streams_are_split_by_their_names_alone(asked):
    rows = [f"s{number},{t},60,,,0" for t in (0, 3600) for number in range(200)]
    header = WIDE.splitlines()[0]
    split = {"by": "stream", "valid": 0.2, "test": 0.3}
    parts = {part: asked("\n".join([header, *rows]), part, split=split).streams for part in ("train", "valid", "test")}
    assert sorted(sum(parts.values(), ())) == sorted(f"s{number}" for number in range(200))
    assert {part: round(len(streams) / 200, 1) for part, streams in parts.items()} == {
        "train": 0.5,
        "valid": 0.2,
        "test": 0.3,
    }
    # Neither the order of rows nor other streams move a stream to another part.
    fewer = "\n".join([header, *(row for row in reversed(rows[200:]) if not row.startswith("s1"))])
    moved = asked(fewer, "test", name="fewer.csv", files="fewer.csv", split=split).streams
    assert set(moved) == {stream for stream in parts["test"] if not stream.startswith("s1")}


def test_parts_split_by_time_share_no_data(asked):
    rows = [f"a,{hour * 3600},{60 + hour},,40,{int(hour == 6)}" for hour in range(10)]
    split = {"by": "time", "valid_from": 4 * 3600, "test_from": "1970-01-01T07:00:00Z", "gap": "1 h"}
    text = "\n".join([WIDE.splitlines()[0], *rows])
    parts = {part: asked(text, part, split=split) for part in ("train", "valid", "test")}
    hours = {part: (data.x[:, 0] - 60).tolist() for part, data in parts.items()}
    assert hours == {"train": [0, 1, 2], "valid": [4, 5], "test": [7, 8, 9]}
    for data in parts.values():  # each part starts with the clock at 0 and without earlier values
        assert data.x[0, 3] == 0
        assert data.delta[0].tolist() == [0, 0, 0, 0]


def test_a_converted_table_is_cached_until_something_changes(asked, monkeypatch, tmp_path):
    first = by_stream(asked(WIDE))
    (kept,) = (tmp_path / "runs" / "tables").iterdir()
    assert kept.stat().st_mode == (tmp_path / "records").stat().st_mode, "other users may read it, as any folder"
    with monkeypatch.context() as patch:
        patch.setattr("tocsin_training.data.tables.chunks", None)  # reading again would fail
        assert by_stream(asked({})) == first
    assert by_stream(asked(WIDE.replace("a,7205,90", "a,7205,91"))) != first
    assert asked({}, label=None).label is None


CLASSES = ("calm", "ill")
KINDS = "bed,t,pulse,lactate,age,kind\na,0,60,,40,ill\nb,0,60,,40,\na,3600,61,,40,ill\nb,3600,61,,40,calm\n"


def test_each_stream_has_the_class_named_in_its_rows(asked):
    kinds = {"label": None, "kind": "kind", "classes": CLASSES}
    data = asked(KINDS, **kinds)
    assert dict(zip(data.streams, data.kind.tolist(), strict=True)) == {"a": 1, "b": 0}
    assert data.label is None
    other = asked(KINDS, **kinds | {"classes": CLASSES[::-1]})
    assert dict(zip(other.streams, other.kind.tolist(), strict=True)) == {"a": 0, "b": 1}
    long = "bed,t,channel,value,sort\na,0,pulse,60,ill\nb,0,pulse,60,calm\na,9,weight,60,ill\nb,3600,age,40,calm\n"
    data = asked(long, name="long.csv", files="long.csv", layout="long", **kinds | {"kind": "sort"})
    assert dict(zip(data.streams, data.kind.tolist(), strict=True)) == {"a": 1, "b": 0}
    elsewhere = "bed,t,channel,value,sort\na,0,pulse,60,\na,9,weight,60,ill\n"
    assert asked(elsewhere, name="e.csv", files="e.csv", layout="long", **kinds | {"kind": "sort"}).kind.tolist() == [1]
    gaps = KINDS.replace("calm", "NA").replace(",60,,40,\n", ",60,,40,calm\n")
    data = asked(gaps, name="gaps.csv", files="gaps.csv", missing=["", "NA"], **kinds)
    assert dict(zip(data.streams, data.kind.tolist(), strict=True)) == {"a": 1, "b": 0}
    early = {"by": "time", "valid_from": 1800}
    assert asked(KINDS, split=early, files="table.csv", **kinds).kind.tolist() == [1, 0], (
        "a class named in a later row holds for the whole stream"
    )


def test_classes_may_be_numbers_with_gaps_in_several_files(asked):
    frame = pl.DataFrame({"bed": ["a", "a"], "t": [0, 3600], "pulse": [60, 61], "lactate": [1, 1], "age": [4, 4]})
    beds = {
        "1.parquet": frame.with_columns(kind=pl.Series([None, 1.0])),
        "2.parquet": frame.with_columns(kind=pl.Series([0.0, None]), bed=pl.lit("b")),
    }
    asking = {"label": None, "kind": "kind", "classes": ("0", "1"), "files": "*.parquet"}
    assert asked(beds, **asking).kind.tolist() == [1, 0]
    beds["2.parquet"] = frame.with_columns(kind=pl.Series([0.0, None]), t=pl.Series([7200, 7300]))
    with pytest.raises(
        TrainingError, match=r"2.parquet: column 'kind': row 1: stream 'a' is 0, and 1 in row 2 of 1.par"
    ):
        asked(beds, **asking)
    text = "bed,t,pulse,lactate,age,kind\na,0,60,1,4,1.0\na,3600,61,1,4,\n"
    assert asked(text, name="g.csv", **asking | {"files": "g.csv"}).kind.tolist() == [1]
    odd = {"3.parquet": frame.with_columns(kind=pl.Series([[1], [1]]))}
    with pytest.raises(TrainingError, match=r"3.parquet: column 'kind' is List\(Int64\); give texts"):
        asked(odd, **asking | {"files": "3.parquet"})


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        (KINDS.replace("calm", "well"), {}, "column 'kind': row 4: 'well' is no class; write one of calm, ill"),
        (KINDS.replace("calm", ""), {}, "column 'kind': no row of stream 'b' names a class; write one of calm, ill"),
        (
            KINDS.replace("61,,40,ill", "61,,40,calm"),
            {},
            "column 'kind': row 3: stream 'a' is calm, and ill in row 1 of table.csv; a stream is of one class",
        ),
        (KINDS, {"kind": None}, "task classify needs each stream's class: say by `kind` which column holds it"),
        (KINDS, {"classes": None}, "kind 'kind' is for task classify alone; leave it out"),
    ],
)
def test_an_invalid_class_is_reported_with_its_location(asked, content, changes, message):
    with pytest.raises(TrainingError) as error:
        asked(content, **{"label": None, "kind": "kind", "classes": CLASSES} | changes)
    assert message in str(error.value)


HEAD = "bed,t,pulse,lactate,age,ill\n"


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        (HEAD + "a,0,60,,40,0\na,9,abc,,40,0\n", {}, "table.csv: column 'pulse': row 2: 'abc' is no number; fix it"),
        (HEAD + "a,0,60,,40,0\na,noon,61,,40,0\n", {}, "column 't': row 2: 'noon' is no number of s; fix the row"),
        (HEAD + "a,03/04/2026 00:00,61,,40,0\n", {}, "row 1: '03/04/2026 00:00' is no ISO 8601 time"),
        (HEAD + "a,2500-01-01,61,,40,0\n", {}, "row 1: '2500-01-01' is no ISO 8601 time"),
        (HEAD.replace("\n", "\r") + "a,0,60,,40,0\r", {}, "its first line is no header"),
        (HEAD + "a,noon,61,,40,0\n", {}, "column 't': row 1: 'noon' is no ISO 8601 time; fix"),
        (HEAD + "a,0,60,,40,0\na,,61,,40,0\n", {}, "column 't': row 2 has no time; fix"),
        (HEAD + "a,1e30,60,,40,0\n", {}, "column 't': row 1: 1e+30 s is no time: correct the unit; fix"),
        (
            HEAD + "a,9,60,,40,0\nb,1,60,,40,0\na,4,61,,40,0\n",
            {},
            "column 't': row 3: the time of stream 'a' runs back by 5 s (after row 1 of table.csv); sort",
        ),
        (HEAD + "a,9,60,,40,0\na,9,60,,40,0\n", {}, "row 2: stream 'a' has a row at this time already (row 1 of table"),
        (
            "bed,t,channel,value,ill\na,0,pulse,60,0\na,0,lactate,60,0\na,0,pulse,61,0\n",
            {"layout": "long"},
            "column 't': row 3: stream 'a' has this channel at this time already (row 1 of table.csv); remove one",
        ),
        ("bed,t,channel,value,ill\na,0,,60,0\n", {"layout": "long"}, "column 'channel': row 1: names no channel;"),
        (HEAD + ",0,60,,40,0\n", {}, "column 'bed': row 1: names no stream; name it or remove the row"),
        (HEAD + "a,0,60,,40,2\n", {}, "column 'ill': row 1: label '2' is neither 0 nor 1; write one of them"),
        (HEAD + "a,0,60,,40,\n", {}, "column 'ill': row 1: label None is neither 0 nor 1"),
        (HEAD + "a,0,60,,40,true\na,9,60,,40,maybe\n", {}, "row 2: label 'maybe' is neither 0 nor 1; write one"),
        (
            HEAD + "a,9,60,,40,0\nb,1,60,,40,0\n",
            {"stream": None},
            "sort each stream by time, or say by stream which column names it, if a file holds several",
        ),
        (HEAD, {}, "table.csv: has no rows; leave the file out"),
        ("", {}, "table.csv: is empty; leave the file out"),
        (HEAD + "a,0,60,,40,0,7\n", {}, "table.csv: row 1: has 7 fields, the header 6; fix the row or quote"),
        (HEAD + "a,0,60,,40,0\na,9,60\n", {}, "table.csv: row 2: has 3 fields, the header 6; fix the row or quote"),
        (HEAD + 'a,0,60,,40,0\n"a",9,60,,40,0,1,1\n', {}, "table.csv: row 2: has 8 fields, the header 6"),
        (
            HEAD.replace("ill", "ill,pulse"),
            {},
            "table.csv: two columns are called 'pulse'; give each a name of its own",
        ),
        (HEAD.encode() + b"a,0,60,,40,0\na,1,\xff,,40,0\n", {}, "table.csv: row 2: byte 0xff is not UTF-8"),
        (
            "bed,t,hr,lactate,age,ill\na,0,60,,40,0\n",
            {},
            "no column 'pulse' (there are: bed, t, hr, lactate, age, ill)",
        ),
        (
            HEAD + "a,0,60,,40,0\n",
            {"files": "nowhere.csv"},
            "nowhere.csv: no such file; look at its name, and",
        ),
        (
            HEAD + "a,0,60,,40,0\n",
            {"split": {"by": "stream", "test": 0.99}},
            "'train' has no streams (test has 1); change",
        ),
        (HEAD + "a,0,60,,40,0\n", {"channels": {"rr": "x"}}, "channels says where rr stands, which the model"),
        (
            HEAD + "a,0,60,,40,0\n",
            {"split": {"by": "row"}},
            "data.options.split.by: Input should be 'stream' or 'time'",
        ),
        (HEAD + "a,0,60,,40,0\n", {"split": {"by": "time"}}, "by: time needs valid_from"),
        (
            HEAD + "a,0,60,,40,0\n",
            {"split": {"by": "time", "valid_from": "soon"}},
            "data.options.split.valid_from 'soon' is no time; write ISO 8601",
        ),
        (
            HEAD + "a,0,60,,40,0\n",
            {"split": {"by": "time", "valid_from": 5, "test_from": 5}},
            "test_from is not after valid_from",
        ),
        (HEAD + "a,0,60,,40,0\n", {"colour": 1}, "data.options.colour: is not a known key, found 1"),
    ],
)
def test_an_invalid_table_is_reported_with_its_location(asked, content, changes, message):
    with pytest.raises(TrainingError) as error:
        asked(content, **changes)
    assert message in str(error.value)


def test_a_fault_in_a_later_chunk_is_reported_with_its_row(asked, monkeypatch):
    monkeypatch.setattr("tocsin_training.data.files.CSV_BYTES", 50)
    rows = [f"a,{t},60,,40,0" for t in range(100)]
    rows[77] = "a,77,sixty,,40,0"
    with pytest.raises(TrainingError, match="column 'pulse': row 78: 'sixty' is no number"):
        asked(HEAD + "\n".join(rows))


def test_a_parquet_file_of_texts_is_refused(asked):
    frame = pl.DataFrame({"bed": ["a"], "t": [0], "pulse": [[1]], "lactate": [1.0], "age": [1.0], "ill": [0]})
    with pytest.raises(TrainingError, match=r"column 'pulse' is List\(Int64\); give numbers"):
        asked(frame, name="table.parquet", files="*.parquet")


def test_an_unknown_part_is_refused(asked):
    asked(WIDE)
    with pytest.raises(TrainingError, match="a table has no part 'tset'; ask for train or valid or test"):
        asked(WIDE, part="tset")
