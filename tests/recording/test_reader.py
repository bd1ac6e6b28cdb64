"""Messages from recorded tables; faults are named by file, column and row."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import polars as pl
import pytest

from tocsin.recording import RecordingError, read

S = 1_000_000_000
START = "2026-01-01T00:00:00Z"
START_NS = 1_767_225_600 * S


@pytest.fixture
def table(tmp_path):
    """Write a table: text as CSV, a frame as Parquet."""

    def write(content, name=None):
        file = tmp_path / (name or ("table.csv" if isinstance(content, str | bytes) else "table.parquet"))
        if isinstance(content, pl.DataFrame):
            content.write_parquet(file)
        else:
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


def recorded(file, topic="vitals/{bed}", time="t", unit="s", start=START, channels=None, static=None):
    return read(file, topic, time, unit, start, channels, static)


def messages(*given, **more):
    return list(recorded(*given, **more).messages())


def test_rows_become_messages_in_the_order_of_their_times(table):
    file = table("t,ward,bed,hr,spo2\n2,icu,b,81,\n1,icu,a,80,97.5\n2,icu,a,,97\n")
    assert messages(file, topic="vitals/{ward}/{bed}") == [
        (START_NS + 1 * S, "vitals/icu/a", b'{"t":1767225601000,"hr":80,"spo2":97.5}'),
        (START_NS + 2 * S, "vitals/icu/b", b'{"t":1767225602000,"hr":81,"spo2":null}'),
        (START_NS + 2 * S, "vitals/icu/a", b'{"t":1767225602000,"hr":null,"spo2":97.0}'),
    ]


def test_parquet_and_csv_give_the_same_messages(table):
    frame = pl.DataFrame({"t": [1, 2], "bed": ["a", "b"], "hr": [80, None], "odd": ["x", "y"]})
    assert messages(table(frame)) == messages(table(frame.write_csv()))


def test_channels_are_renamed_and_selected(table):
    file = table("t,bed,HR,O2Sat,Temp\n1,a,80,97,37\n")
    (message,) = messages(file, channels="HR=hr, Temp")
    assert message[2] == b'{"t":1767225601000,"hr":80,"Temp":37}'
    file = table('t,bed,"HR, /min",Temp\n1,a,80,37\n')
    (message,) = messages(file, channels='"HR, /min=hr",Temp')
    assert message[2] == b'{"t":1767225601000,"hr":80,"Temp":37}'


def test_static_values_precede_a_streams_first_reading(table):
    file = table("t,bed,hr,age,weight\n1,a,80,60,70.5\n1,b,81,,\n2,a,82,60,70.5\n")
    assert [(topic, json.loads(payload)) for _, topic, payload in messages(file, static="age,weight=kg")] == [
        ("vitals/a", {"t": 1767225601000, "age": 60, "kg": 70.5}),
        ("vitals/a", {"t": 1767225601000, "hr": 80}),
        ("vitals/b", {"t": 1767225601000, "hr": 81}),
        ("vitals/a", {"t": 1767225602000, "hr": 82}),
    ]


def test_a_value_that_json_cannot_represent_is_missing(table):
    frame = pl.DataFrame({"t": [1, 2, 3], "bed": "a", "hr": [float("nan"), float("inf"), -0.5]})
    assert [json.loads(payload)["hr"] for _, _, payload in messages(table(frame))] == [None, None, -0.5]


@pytest.mark.parametrize(
    ("written", "unit", "start", "ns"),
    [
        ("1", "h", START, START_NS + 3600 * S),
        ("0.5", "min", START, START_NS + 30 * S),
        ("1767225600", "s", None, START_NS),
        ("1767225600.25", "s", None, START_NS + S // 4),
        ("1767225600250", "ms", None, START_NS + S // 4),
        ("1767225600000000001", "ns", None, START_NS + 1),
        ("2026-01-01T00:00:00Z", "s", None, START_NS),
        ("2026-01-01T02:00:00.250+02:00", "s", None, START_NS + S // 4),
    ],
)
def test_times(table, written, unit, start, ns):
    ((t, _, payload),) = messages(table(f"t,bed,hr\n{written},a,80\n"), unit=unit, start=start)
    assert t == ns
    assert json.loads(payload)["t"] == (ns // 10**6 if ns % 10**6 == 0 else ns)


def test_times_of_parquet_have_their_zone(table):
    frame = pl.DataFrame({"t": [datetime(2026, 1, 1, tzinfo=UTC)], "bed": ["a"], "hr": [80]})
    assert messages(table(frame), start=None)[0][0] == START_NS


def test_a_column_may_become_fractional_late_in_a_table(table):
    rows = [f"{i},a,80" for i in range(500)] + ["500,a,80.5"]
    assert messages(table("t,bed,hr\n" + "\n".join(rows)))[-1][2] == b'{"t":1767226100000,"hr":80.5}'


@pytest.mark.parametrize("speed", [0, 1, 4])
def test_restamped_no_reading_lies_in_the_future(table, speed):
    now = 1_800_000_000 * S
    recording = recorded(table("t,bed,hr\n0,a,80\n10,a,81\n60,a,82\n")).ending_at(now, speed)
    times = [t for t, _, _ in recording.messages()]
    assert [t - times[0] for t in times] == [0, 10 * S, 60 * S]
    for t in times:
        published_at = now + ((t - times[0]) / speed if speed else 0)
        assert t <= published_at
    assert times[-1] == now + (60 * S / speed if speed else 0)


@pytest.mark.parametrize(
    ("content", "more", "fault"),
    [
        ("t,bed,hr\n1,a,80\n2,a,abc\n", {"channels": "hr"}, r"column 'hr' is not numeric: row 2 is 'abc'$"),
        ("t,bed,hr\n1,a,80\n,a,81\n", {}, r"column 't': row 2 has no time$"),
        ("t,bed,hr\n1,a,80\n2,,81\n", {}, r"column 'bed': row 2: None can't be a level of the topic$"),
        ("t,bed,hr\n1,a/b,80\n", {}, r"column 'bed': row 1: 'a/b' can't be a level of the topic$"),
        ("t,bed,hr\n1,+,80\n", {}, r"column 'bed': row 1: '\+' can't be a level of the topic$"),
        (
            "t,bed,hr\n1,a,80\n",
            {"start": None},
            r"column 't': row 1: a time before the year 2000: give the start of relative times by --start",
        ),
        (
            "t,bed,hr\n1767225600000,a,80\n",
            {"start": None},
            r"column 't': row 1: 1767225600000 s is no time: correct the unit$",
        ),
        ("t,bed,hr\n1.5,a,80\nNaN,a,80\n", {}, r"column 't': row 2: nan s is no time: correct the unit$"),
        ("t,bed,hr\n2026-01-01T00:00:00Z,a,1\nnoon,a,2\n", {"start": None}, r"'t': row 2: 'noon' is no ISO 8601 time$"),
        ("t,bed,hr\nnoon,a,80\n", {"start": None}, r"column 't': row 1: 'noon' is no ISO 8601 time$"),
        ("t,bed,hr\n03/04/2026 00:00,a,80\n", {"start": None}, r"row 1: '03/04/2026 00:00' is no ISO 8601 time$"),
        ("t,bed,hr\n01.03.2026,a,80\n", {"start": None}, r"row 1: '01.03.2026' is no ISO 8601 time$"),
        ("t,bed,hr\n1,a,80\n", {"topic": "vitals/{ward}"}, r"no column 'ward' \(there are: t, bed, hr\)$"),
        ("t,bed,hr\n1,a,80\n", {"channels": "rr"}, r"no column 'rr' \(there are: t, bed, hr\)$"),
        ("t,bed\n1,a\n", {}, r"no numeric column is left to publish \(name them by --channels\)$"),
        ("t,bed,hr\n", {}, r"has no rows$"),
        ("t,bed,hr\n1,a,80,9,9\n", {}, r"table.csv: "),
        (b"t,bed,hr\n1,\xff,80\n", {}, r"invalid utf-8"),
    ],
)
def test_a_table_that_cannot_be_replayed_is_refused_with_the_location(table, content, more, fault):
    file = table(content)
    with pytest.raises(RecordingError, match=fault) as raised:
        recorded(file, **more)
    assert str(raised.value).startswith(f"{file}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"topic": "vitals/#"}, "topic template 'vitals/#': level '#' has a wildcard"),
        ({"start": "noon"}, "--start 'noon' is no ISO 8601 time"),
        ({"start": "2026-01-01"}, "--start '2026-01-01' has no time zone"),
        ({"unit": "days"}, r"unit 'days' is not known \(legal: ns, us, ms, s, min, h\)"),
        ({"channels": "hr=x,rr=x"}, "two columns are published as field 'x': name each once"),
        ({"channels": "hr=t"}, "field 't' is taken: publish that column under another name"),
        ({"channels": "hr", "static": "rr=hr"}, "two columns are published as field 'hr'"),
    ],
)
def test_invalid_options_are_refused(table, more, fault):
    with pytest.raises(RecordingError, match=fault):
        recorded(table("t,bed,hr,rr\n1,a,80,15\n"), **more)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("table.txt", "x", r"unknown kind of table '.txt' \(legal: .parquet, .csv\)"),
        ("table.parquet", "x", r"table.parquet: "),
        ("table.csv", "", r"table.csv: empty CSV"),
    ],
)
def test_files_that_are_no_tables_are_refused(table, name, content, fault):
    with pytest.raises(RecordingError, match=fault):
        recorded(table(content, name))


def test_a_missing_file_is_refused(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    for name in ("nowhere.csv", "nowhere.parquet", "folder.csv", "*.csv"):
        with pytest.raises(RecordingError, match=r"is no file$"):
            recorded(tmp_path / name)
