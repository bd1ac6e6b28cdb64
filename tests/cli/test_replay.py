"""`tocsin replay` to a real broker, heard by an independent client."""

from __future__ import annotations

import asyncio
import json
import time

import aiomqtt
import polars as pl
import pytest
from processes import WAIT_S, Running, tocsin

START = "2026-01-01T00:00:00Z"


@pytest.fixture
async def heard(mosquitto):
    """A subscriber: `url` of its broker, and `messages(count)` with the time each arrived at."""
    broker = mosquitto("max_queued_messages 0")  # no limit: the replay is faster than this subscriber
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe("#", qos=1)

        async def messages(count):
            taken = []
            async with asyncio.timeout(WAIT_S):
                async for message in client.messages:
                    taken.append((time.monotonic(), str(message.topic), message.payload, message.qos, message.retain))
                    if len(taken) == count:
                        break
            return taken

        messages.url = f"mqtt://{broker.host}:{broker.port}"
        yield messages


async def replayed(heard, *words):
    done = await asyncio.to_thread(tocsin, "replay", *words, "--broker", heard.url)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done


CSV = "hour,ward,bed,HR,age,note\n1,icu,b,81,,x\n0,icu,a,80.5,60,y\n2,icu,a,,60,z\n"
OPTIONS = ("--topic", "vitals/{ward}/{bed}", "--time", "hour", "--unit", "h", "--start", START, "--speed", 0)
EXACTLY = [
    ("vitals/icu/a", b'{"t":1767225600000,"age":60}'),
    ("vitals/icu/a", b'{"t":1767225600000,"hr":80.5}'),
    ("vitals/icu/b", b'{"t":1767229200000,"hr":81.0}'),
    ("vitals/icu/a", b'{"t":1767232800000,"hr":null}'),
]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_every_byte_in_order_statics_first(heard, tmp_path, kind, version):
    file = tmp_path / f"stays.{kind}"
    if kind == "csv":
        file.write_text(CSV)
    else:
        pl.read_csv(CSV.encode()).write_parquet(file)
    done = await replayed(heard, file, *OPTIONS, "--channels", "HR=hr", "--static", "age", "--mqtt", version)
    taken = await heard(len(EXACTLY))
    assert [(topic, payload) for _, topic, payload, _, _ in taken] == EXACTLY
    assert {(qos, retain) for *_, qos, retain in taken} == {(1, False)}
    assert "4 messages of 2 streams published" in done.stderr


async def test_qos_0(heard, tmp_path):
    (tmp_path / "q.csv").write_text(CSV)
    await replayed(heard, tmp_path / "q.csv", *OPTIONS, "--channels", "HR=hr", "--qos", 0)
    assert [qos for *_, qos, _ in await heard(3)] == [0, 0, 0]


async def test_none_is_lost_where_there_are_many(heard, tmp_path):
    rows = 5000
    pl.DataFrame({"t": range(rows), "bed": ["a"] * rows, "hr": range(rows)}).write_parquet(tmp_path / "q.parquet")
    await replayed(heard, tmp_path / "q.parquet", "--topic", "v/{bed}", "--start", START, "--speed", 0)
    assert [json.loads(payload)["hr"] for _, _, payload, _, _ in await heard(rows)] == list(range(rows))


async def test_speed_and_now(heard, tmp_path):
    """20 s of readings at 20 times the speed: in a second, evenly, and none from the future."""
    (tmp_path / "q.csv").write_text("t,bed,hr\n" + "".join(f"{i * 5},a,{80 + i}\n" for i in range(5)))
    running = asyncio.create_task(
        replayed(heard, tmp_path / "q.csv", "--topic", "v/{bed}", "--start", START, "--speed", 20, "--now")
    )
    ahead_s, arrived, taken_at = [], [], []
    for _ in range(5):
        ((at, _, payload, _, _),) = await heard(1)
        t = json.loads(payload)["t"] / (1e3 if json.loads(payload)["t"] < 1e14 else 1e9)
        ahead_s.append(t - time.time())
        arrived.append(at)
        taken_at.append(t)
    await running
    assert max(ahead_s) <= 0.001
    assert ahead_s[-1] > -1.5  # the last one comes as it was taken
    assert [round(later - taken_at[0], 3) for later in taken_at] == [0, 5, 10, 15, 20]
    assert arrived[-1] - arrived[0] == pytest.approx(1.0, abs=0.3)
    assert arrived[2] - arrived[0] == pytest.approx(0.5, abs=0.3)


def test_a_table_that_is_wrong(tmp_path):
    (tmp_path / "q.csv").write_text("t,bed,hr\n1,a,80\n2,a,high\n")
    done = tocsin("replay", "q.csv", "--topic", "v/{bed}", "--start", START, "--channels", "hr", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "error: q.csv: column 'hr' is not numeric: row 2 is 'high'\n"


async def test_a_broker_that_goes_away_and_comes_back(mosquitto, tmp_path):
    """QoS 1 readings wait for it; the replay goes on."""
    broker = mosquitto()
    (tmp_path / "q.csv").write_text("t,bed,hr\n" + "".join(f"{i},a,{i}\n" for i in range(4)))
    replay = Running(
        tmp_path, "replay", tmp_path / "q.csv", "--topic", "v/{bed}", "--start", START, "--speed", 1,
        "--broker", f"mqtt://{broker.host}:{broker.port}",
    )  # fmt: skip
    try:
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await client.subscribe("v/#")
            async with asyncio.timeout(WAIT_S):
                first = await anext(aiter(client.messages))
        assert json.loads(first.payload)["hr"] == 0
        broker.kill()
        broker.start()
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await client.subscribe("v/#")
            async with asyncio.timeout(WAIT_S):
                async for message in client.messages:
                    if json.loads(message.payload)["hr"] == 3:
                        break
        assert replay.process.wait(timeout=WAIT_S) == 0
        assert "Traceback" not in replay.errors
    finally:
        replay.clean_up()
