"""Real stays through a real broker: the daemon raises the alarms that the engine raises, event by event."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections import defaultdict
from functools import partial
from pathlib import Path

import aiomqtt
import numpy as np
import polars as pl
import pytest
from processes import TOCSIN, Daemon, environment, until

from tocsin.alarm import AlarmRegistry
from tocsin.config import check
from tocsin.engine import EventClock, Readings
from tocsin.engine.model import ChannelKind
from tocsin.runtime.build import build_deployment
from tocsin_training.bundles.icu_hourly.records import COLUMNS, FILE

RECORDS = Path(__file__).parents[3] / "shared" / "data" / FILE
SEPTIC, OTHERS = 90, 120
PIECE = 997
START = "2026-01-01T00:00:00Z"
START_NS = 1_767_225_600 * 10**9
HOUR_NS = 3600 * 10**9
WATCH = {
    "model": "icu-hourly/1",
    "clock": "event",
    "alarms": {
        "sepsis": {"probability": {}, "off_delay_s": 7200},
        "desaturation": {"below": {"channel": "spo2", "limit": 90, "deadband": 2}, "priority": "high"},
        "no-temperature": {"absent": {"channel": "temp", "for_s": "12 h"}},
        "silent": {"silent": {"for_s": "3 h"}},
    },
}


@pytest.fixture(scope="module")
def stays():
    """210 stays of the test part, hour by hour, under the channels' names."""
    if not RECORDS.exists():
        pytest.skip(f"the records are not here: {RECORDS}")
    table = pl.read_parquet(RECORDS).filter(pl.col("split") == "test")
    septic = pl.col("SepsisLabel").max().over("stay") == 1
    chosen = [
        table.filter(which)["stay"].unique(maintain_order=True).head(count)
        for which, count in ((septic, SEPTIC), (~septic, OTHERS))
    ]
    columns = {channel: column for channel, column in COLUMNS.items() if channel != "hours"}
    return (
        table.filter(pl.col("stay").is_in(pl.concat(chosen).implode()))
        .with_columns(HospAdmTime=(-pl.col("HospAdmTime")).clip(0))
        .select("stay", "ICULOS", *(pl.col(column).cast(pl.Float64).alias(name) for name, column in columns.items()))
        .sort("ICULOS", maintain_order=True)
    )


@pytest.fixture(scope="module")
def offline(stays, tmp_path_factory):
    """The events of the core alone, in pieces that no broker cuts: (stream, alarm, transition, t)."""
    configuration = tmp_path_factory.mktemp("offline") / "tocsin.yaml"
    settings = {"sources": [{"topic": "icu/{stay}"}], "watches": {"icu": WATCH}}
    configuration.write_text(json.dumps(settings))  # YAML is a superset of JSON
    checked = check(configuration)
    made = build_deployment(checked.config, checked.bundles)
    engine, bundle = made.runtimes["icu"].engine, checked.bundles["icu"]
    static = [c.name for c in bundle.model.channels if c.kind is ChannelKind.STATIC]
    measured = [c.name for c in bundle.model.channels if c.kind is ChannelKind.READING]
    rows, known = [], set()
    for row in stays.iter_rows(named=True):
        stream, t = str(row["stay"]), START_NS + row["ICULOS"] * HOUR_NS
        readings = [{name: row[name] for name in measured if row[name] is not None}]
        if stream not in known:
            known.add(stream)
            readings.insert(0, {name: row[name] for name in static if row[name] is not None})
        rows += [(stream, t, values) for values in readings]
    clock = EventClock(engine)
    changes = [c for at in range(0, len(rows), PIECE) for c in clock.apply(Readings.of(rows[at : at + PIECE])).events]
    return [(e.stream, e.alarm, e.transition.value, e.t) for e in AlarmRegistry(made.policies).apply(changes, 0)]


async def listen(broker, started):
    """What an independent client hears until the daemon says offline: readings by topic, and events in their order."""
    readings, events = defaultdict(list), []
    async with aiomqtt.Client(broker.host, broker.port) as client:
        for topic in ("icu/#", "tocsin/event/#", "tocsin/status"):
            await client.subscribe(topic, qos=1)
        started.set()
        async for message in client.messages:
            topic, body = str(message.topic), json.loads(message.payload)
            if topic.startswith("icu/"):
                readings[topic.removeprefix("icu/")].append(body)
            elif topic.startswith("tocsin/event/"):
                events.append((body["stream"], body["alarm"], body["transition"], body["t_ns"]))
            elif body["state"] == "offline":
                return readings, events
    raise AssertionError("the subscription ended")


def by_stream(events):
    grouped = defaultdict(list)
    for stream, *rest in events:
        grouped[stream].append(tuple(rest))
    return dict(grouped)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_the_daemon_raises_the_alarms_of_the_engine(stays, offline, tmp_path, mosquitto, version):
    broker = mosquitto("max_queued_messages 0", "max_inflight_messages 20")
    table = tmp_path / "stays.parquet"
    stays.write_parquet(table)
    configuration = tmp_path / "tocsin.yaml"
    settings = {
        "broker": {"host": broker.host, "port": broker.port, "version": version},
        "sources": [{"topic": "icu/{stay}"}],
        "watches": {"icu": WATCH},
        "http": {"port": 0},
    }
    configuration.write_text(json.dumps(settings))
    daemon = Daemon(tmp_path, configuration).ready()
    statics = [name for name in ("age", "male", "medical_unit", "hospital_hours") if name in stays.columns]
    replay = [TOCSIN, "replay", table, "--topic", "icu/{stay}", "--time", "ICULOS", "--unit", "h", "--start", START]
    replay += ["--static", ",".join(statics), "--speed", "0", "--broker", f"mqtt://{broker.host}:{broker.port}"]

    def more(than):
        """How many messages were received, once they are more."""
        received = daemon.metric("tocsin_messages_received_total")
        return received if received > than else None

    async def scenario():
        started = asyncio.Event()
        listening = asyncio.create_task(listen(broker, started))
        await started.wait()
        done = await asyncio.to_thread(
            subprocess.run, [*map(str, replay)], env=environment(), capture_output=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        expected = len(stays) + stays["stay"].n_unique()
        received = 0.0
        while received < expected:  # as long as it goes on
            received = await asyncio.to_thread(until, partial(more, received))
        assert daemon.metric("tocsin_messages_received_total") == expected
        assert daemon.metric("tocsin_readings_accepted_total") == expected
        assert await asyncio.to_thread(daemon.end) == 0
        return await asyncio.wait_for(listening, 30)

    try:
        readings, events = asyncio.run(scenario())
    finally:
        daemon.clean_up()

    for stay, rows in stays.group_by("stay"):
        hours = [START_NS // 10**6 + hour * HOUR_NS // 10**6 for hour in rows["ICULOS"].to_list()]
        sent = [body for body in readings[str(stay[0])] if "hr" in body]
        assert [body["t"] for body in sent] == hours  # each once, in order
        heart_rates = [np.nan if body["hr"] is None else body["hr"] for body in sent]
        assert np.array_equal(heart_rates, rows["hr"].fill_null(np.nan).to_numpy(), equal_nan=True)

    wanted = by_stream(offline)
    assert by_stream(events) == wanted
    assert len({alarm for rest in wanted.values() for alarm, *_ in rest}) == len(WATCH["alarms"])  # each was raised
    assert sum(map(len, wanted.values())) > 500
