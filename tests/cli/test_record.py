"""`tocsin record`: what went over a real broker is in the table, and the table trains and plays back."""

from __future__ import annotations

import signal

import aiomqtt
import configurations
import numpy as np
import polars as pl
import pytest
from paho.mqtt import publish
from processes import Running, tocsin, until

from tocsin.bundle.manifest import ChannelEntry

S = 1_000_000_000
T = 1_767_225_600 * S
# The times of one bed lie apart, so that each row is a reading; bed 007 is not bed 7.
SENT = pl.DataFrame(
    {
        "t": pl.Series([T + second * S + 123_456_789 for second in (0, 0, 1, 2, 2, 3)]).cast(pl.Datetime("ns", "UTC")),
        "ward": ["icu"] * 5 + ["med"],
        "bed": ["007", "b", "007", "007", "b", "a, b"],
        "hr": [80.1, 61.0, None, 82.0, 1e-300, None],
        "spo2": [97.0, None, 96.5, None, 95.0, None],
    }
)


@pytest.fixture
def ward(mosquitto, tmp_path):
    """A broker, a configuration that names it, and `record(out, …)`, which is at work when it returns."""
    broker = mosquitto("max_queued_messages 0")
    configuration = configurations.write(tmp_path, broker={"port": broker.port})
    started = []

    def record(out, *words):
        running = Running(tmp_path, "record", configuration, out, *words)
        started.append(running)
        running.says("recording from")
        return running

    record.broker, record.url, record.configuration = broker, f"mqtt://{broker.host}:{broker.port}", configuration
    yield record
    for running in started:
        running.clean_up()


def replay(ward, table, running):
    done = tocsin("replay", table, "--topic", "vitals/{ward}/{bed}", "--speed", 0, "--broker", ward.url)
    assert done.returncode == 0, done.stderr
    # The last message is reported at once: then all messages before it have arrived.
    publish.single("vitals/icu/b", b"no JSON", qos=1, hostname=ward.broker.host, port=ward.broker.port)
    running.says(r"rejected \(not_json\)")


def load(file):
    if file.suffix == ".parquet":
        return pl.read_parquet(file)
    texts = dict.fromkeys(("stream", "ward", "bed"), pl.String)
    table = pl.read_csv(file, schema_overrides=texts | dict.fromkeys(("hr", "spo2"), pl.Float64))
    return table.with_columns(pl.col("t").str.to_datetime(time_unit="ns", time_zone="UTC"))


def frames(folder, runs, file, stream):
    """A table as training takes it."""
    tables = pytest.importorskip("tocsin_training.data.tables")
    sequences = pytest.importorskip("tocsin_training.data.dataset")
    channels = (
        ChannelEntry(name="hr", unit="/min", low=0, high=300),
        ChannelEntry(name="spo2", unit="%", low=0, high=100),
    )
    data = tables.table(
        sequences.DataRequest(
            part="train", folder=folder, channels=channels, period_s=1.0, delta_cap_s=60, seed=1, runs=runs,
            options={"files": file, "stream": stream, "split": {"by": "stream"}},
        )
    )  # fmt: skip
    return {
        name: [np.asarray(c[data.start[b] : data.start[b + 1]]).tolist() for c in (data.tick, data.x, data.mask)]
        for b, name in enumerate(data.streams)
    }


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_what_was_played_is_recorded_trains_and_plays_again(ward, tmp_path, kind):
    sent = tmp_path / "sent.parquet"
    SENT.write_parquet(sent)
    first, second = tmp_path / f"first.{kind}", tmp_path / f"second.{kind}"
    running = ward(first)
    replay(ward, sent, running)
    assert running.end(signal.SIGINT) == 0
    assert running.errors.endswith("6 readings recorded\n1 messages refused (not_json 1)\n")
    table = load(first)
    assert table.columns == ["stream", "t", "ward", "bed", "hr", "spo2"]
    assert table["stream"].to_list() == ["icu/007", "icu/b", "icu/007", "icu/007", "icu/b", "med/a, b"]
    assert table.drop("stream").equals(SENT.select("t", "ward", "bed", "hr", "spo2"))

    recorded = frames(tmp_path, tmp_path / "runs", sent.name, ["ward", "bed"])
    assert frames(tmp_path, tmp_path / "runs", first.name, "stream") == recorded
    assert sorted(recorded) == ["icu/007", "icu/b", "med/a, b"]

    running = ward(second)
    replay(ward, first, running)
    assert running.end() == 0
    assert load(second).equals(table)


async def test_messages_of_one_time_are_one_row_and_late_ones_find_their_place(mosquitto, tmp_path):
    broker = mosquitto()
    source = {"topic": "v/{bed}/{channel}", "labels": []}
    configuration = configurations.write(tmp_path, broker={"port": broker.port}, sources=[source])
    out = tmp_path / "out.csv"
    running = Running(tmp_path, "record", configuration, out, "--for", "3 s")
    try:
        running.says("recording from")
        async with aiomqtt.Client(broker.host, broker.port) as client:
            for channel, t, value in (
                ("hr", 1, "71"),
                ("hr", 3, "73"),
                ("spo2", 3, "95"),
                ("hr", 2, "72"),
                ("spo2", 1, "97"),
                ("hr", 9, '"x"'),
            ):
                payload = f'{{"t": {T // S + t}, "value": {value}}}'
                await client.publish(f"v/a/{channel}", payload, qos=1)
        assert running.process.wait(timeout=20) == 0
    finally:
        running.clean_up()
    assert out.read_text() == (
        "stream,t,hr,spo2\n"
        "a,2026-01-01T00:00:01.000000000Z,71.0,97.0\n"
        "a,2026-01-01T00:00:02.000000000Z,72.0,\n"
        "a,2026-01-01T00:00:03.000000000Z,73.0,95.0\n"
    )
    assert "3 readings recorded\n1 messages refused (wrong_type 1)\n" in running.errors


def test_cut_off_it_leaves_what_it_had_and_the_next_one_overwrites_nothing(ward, tmp_path):
    SENT.write_parquet(tmp_path / "sent.parquet")
    out, rest = tmp_path / "out.parquet", tmp_path / "out.parquet.partial.csv"
    running = ward(out)
    replay(ward, tmp_path / "sent.parquet", running)
    until(lambda: rest.read_text().count("\n") == 7)
    running.process.kill()
    running.process.wait(timeout=20)
    assert not out.exists()
    assert load(rest).drop("stream").equals(SENT.select("t", "ward", "bed", "hr", "spo2"))
    done = tocsin("record", ward.configuration, out)
    assert done.returncode == 1
    assert "is left from an interrupted recording" in done.stderr
    rest.rename(out)
    assert "exists; name another file" in tocsin("record", ward.configuration, out).stderr


def test_what_can_not_begin_leaves_nothing_behind(ward, tmp_path):
    done = tocsin("record", ward.configuration, tmp_path / "out.xls")
    assert (done.returncode, "legal: .parquet, .csv" in done.stderr) == (1, True)
    ward.broker.stop()
    done = tocsin("record", ward.configuration, tmp_path / "out.csv")
    assert (done.returncode, "check that the broker is running" in done.stderr) == (1, True)
    assert not list(tmp_path.glob("out.*"))
