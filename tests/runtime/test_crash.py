"""The daemon killed at any moment, against a real broker: events come as if nothing had happened."""

from __future__ import annotations

import asyncio
import json
import math
import re
import signal
import time

import aiomqtt
import configurations
import pytest
import toy_bundle
from mqtt_connections import until as arrives
from processes import Daemon, tocsin, until

from tocsin.notify.mqtt import MqttSink
from tocsin.store import AlarmLogQuery, Store
from tocsin.store.store import read_history

BEDS, TICKS = 12, 60


class Ward:
    """A broker's beds, and a daemon that may be killed and started again."""

    def __init__(self, folder, broker, **changes):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.broker = broker
        if not (folder / "toy").exists():
            toy_bundle.write(folder / "toy", toy_bundle.serialised(toy_bundle.REMEMBERING))
        asked = {
            "broker": {"port": broker.port, "client_id": folder.name},
            "sources": [{"topic": f"{folder.name}/{{bed}}", "stream": "{bed}"}],
            "watches": {"ward": {"alarms": {"odd": {"anomaly": {"threshold": 130}}, "hr-high": {"on_delay_s": 2}}}},
            "publish": {"base": f"out-{folder.name}"},
            "store": {"folder": "state", "snapshot_every_s": 1},
        }
        self.file = configurations.write(folder, **configurations.merged(asked, changes))
        self.daemons = []
        self.heard = {}

    def start(self):
        self.daemons.append(Daemon(self.folder, self.file))
        return self.daemons[-1]

    async def listen(self):
        async with aiomqtt.Client(self.broker.host, self.broker.port, identifier=f"nurse-{self.folder.name}") as client:
            await client.subscribe(f"out-{self.folder.name}/event/#", qos=1)
            async for message in client.messages:
                body = json.loads(message.payload)
                self.heard.setdefault(body["id"], []).append(body)

    def sequence(self):
        """What happened, doubles dropped by their id."""
        return [
            (body["stream"], body["alarm"], body["transition"], body["t_ns"])
            for _, (body, *_) in sorted(self.heard.items())
        ]

    def logged(self):
        return [
            (event.stream, event.alarm, str(event.transition), event.t)
            for event in read_history(self.folder / "state" / "tocsin.db", AlarmLogQuery())
        ]


@pytest.fixture
def ward(tmp_path, mosquitto):
    broker = mosquitto("max_queued_messages 0", "max_inflight_messages 0")
    wards = []

    def make(name, **changes):
        wards.append(Ward(tmp_path / name, broker, **changes))
        return wards[-1]

    yield make
    for made in wards:
        for daemon in made.daemons:
            daemon.clean_up()


def readings():
    """Topics' last levels and payloads, in order; each bed's pulse crosses its limit, too slowly to chatter."""
    t0 = (int(time.time()) - 300) * 1000
    for tick in range(TICKS):
        for bed in range(BEDS):
            hr = 110 + 30 * math.sin(2 * math.pi * (tick / 31 + bed / BEDS))
            yield f"b{bed}", json.dumps({"t": t0 + 1000 * tick, "hr": round(hr, 1), "spo2": 97})


def by_stream(sequence):
    """The order between streams hangs on how readings were cut into batches."""
    return sorted(sequence, key=lambda entry: entry[0])


async def publish(broker, prefix, messages, pause_s):
    async with aiomqtt.Client(broker.host, broker.port, max_queued_outgoing_messages=0) as client:
        for number, (bed, payload) in enumerate(messages):
            await client.publish(f"{prefix}/{bed}", payload, qos=1)
            if number % BEDS == 0:
                await asyncio.sleep(pause_s)


async def test_killed_again_and_again_it_publishes_what_it_would_have_published(ward):
    whole, broken = ward("whole"), ward("broken")
    messages = list(readings())
    whole.start().ready()
    broken.start().ready()
    listening = [asyncio.create_task(one.listen()) for one in (whole, broken)]
    await asyncio.sleep(0.3)
    publishing = [
        asyncio.create_task(publish(one.broker, one.folder.name, messages, pause_s=0.1)) for one in (whole, broken)
    ]
    kills = 0
    while not all(task.done() for task in publishing) or kills < 3:
        await asyncio.sleep(0.2 + kills * 0.37 % 0.8)  # at moments that have nothing to do with what it does
        await asyncio.to_thread(broken.daemons[-1].end, signal.SIGKILL)
        kills += 1
        await asyncio.to_thread(broken.start)
    await asyncio.gather(*publishing)
    expected = whole.daemons[-1]
    last = f"tocsin_readings_accepted_total {float(len(messages))}"
    await asyncio.to_thread(until, lambda: last in expected.get("/metrics")[1])
    await asyncio.to_thread(until, lambda: len(broken.logged()) >= len(whole.logged()) > 0)
    assert by_stream(broken.logged()) == by_stream(whole.logged())
    assert len({stream for stream, *_ in whole.logged()}) > BEDS // 2, "too little happened"
    await arrives(lambda: len(whole.heard) == len(broken.heard) == len(whole.logged()))
    assert whole.sequence() == whole.logged()
    assert broken.sequence() == broken.logged()
    for doubles in broken.heard.values():  # published twice perhaps, and then the same
        assert all(double == doubles[0] for double in doubles)
    for one in (whole, broken):
        assert await asyncio.to_thread(one.daemons[-1].end) == 0
        assert "Traceback" not in one.daemons[-1].errors
    assert await asyncio.to_thread(broken.start().end) == 0
    assert "journal entries applied again" not in broken.daemons[-1].errors, "a clean end leaves a snapshot"
    for task in listening:
        task.cancel()


async def test_what_the_broker_never_acknowledged_is_published_after_a_restart(ward):
    one = ward("later")
    daemon = one.start().ready()
    await publish(one.broker, "later", list(readings()), pause_s=0)
    await asyncio.to_thread(until, one.logged)
    await asyncio.to_thread(daemon.end, signal.SIGKILL)
    with Store.open(one.folder / "state") as store:  # as if killed before the broker answered
        events = store.history(AlarmLogQuery())
        sink = MqttSink("out-later", lambda *_, **__: None)
        store.deliveries.add(delivery for event in events for delivery in sink.payload_for(event))
        store.commit([], [])
    listening = asyncio.create_task(one.listen())
    await asyncio.sleep(0.3)
    again = await asyncio.to_thread(one.start)
    await arrives(lambda: len(one.heard) == len(one.logged()))
    assert one.sequence() == one.logged()
    await asyncio.to_thread(until, lambda: again.metric('tocsin_deliveries_pending{sink="mqtt"}') == 0)
    listening.cancel()


def test_a_second_daemon_in_the_folder_is_refused(ward):
    one = ward("one")
    daemon = one.start()
    done = tocsin("run", one.file)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: store.folder {one.folder}/state is in use by another daemon (process {daemon.process.pid})",
        "remedy: end it, or give each daemon a folder of its own",
    ]
    assert daemon.end() == 0


def test_an_acknowledgement_and_a_shelf_outlive_a_kill(ward):
    one = ward("ack")
    daemon = one.start().ready()
    t0 = int(time.time()) - 60
    rising = [("b0", json.dumps({"t": (t0 + second) * 1000, "hr": 150, "spo2": 97})) for second in range(8)]
    asyncio.run(publish(one.broker, "ack", rising, 0))
    until(lambda: any(alarm == "hr-high" for _, alarm, _, _ in one.logged()))
    answer = tocsin("alarms", "acknowledge", "b0/hr-high", "--actor", "nurse", "--http", f"127.0.0.1:{daemon.port}")
    assert answer.returncode == 0, answer.stderr
    daemon.end(signal.SIGKILL)
    again = one.start().ready()
    shown = tocsin("alarms", "list", "--json", "--http", f"127.0.0.1:{again.port}")
    (alarm,) = [entry for entry in json.loads(shown.stdout)["alarms"] if entry["alarm"] == "hr-high"]
    assert (alarm["state"], alarm["acknowledged_by"]) == ("acknowledged", "nurse")
    assert re.search(r"store: 1 streams and event \d+ as they were", again.errors)
    assert again.metric("tocsin_streams_warming_up") == 0
    assert again.metric('tocsin_alarms_active{category="physiological",priority="high"}') == 1
