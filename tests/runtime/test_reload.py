"""A new configuration while readings flow: the daemon as a process, a real broker, all three ways to ask."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import time
from contextlib import closing

import aiomqtt
import configurations
import pytest
import toy_bundle
from processes import WAIT_S, Daemon, tocsin, until

LOW = {"below": {"channel": "hr", "limit": 40}, "priority": "low"}


class Ward:
    """A daemon, its configuration, a publisher and a subscriber."""

    def __init__(self, folder, broker):
        self.folder = folder
        self.broker = broker
        toy_bundle.write(folder / "toy", toy_bundle.serialised(toy_bundle.REMEMBERING))
        self.file = self.configure()
        self.daemon = Daemon(folder, self.file).ready()
        self._t = (int(time.time()) - 60) * 1000

    def configure(self, **changes):
        ward = {"broker": {"port": self.broker.port}, "publish": {"scores": True}}
        return configurations.write(self.folder, **configurations.merged(ward, changes))

    def reload(self):
        """Over HTTP: status and text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=WAIT_S)
        with closing(connection):
            connection.request("POST", "/-/reload")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    async def hears(self, *readings, topic="vitals/icu/a", wanted="tocsin/score/icu/a"):
        """Publish readings a second apart, and give the bodies of as many messages on a topic."""
        bodies = []
        async with aiomqtt.Client(self.broker.host, self.broker.port) as client:
            await client.subscribe(wanted, qos=1)
            for hr in readings:
                self._t += 1000
                await client.publish(topic, json.dumps({"t": self._t, "hr": hr, "spo2": 97}), qos=1)
            async with asyncio.timeout(WAIT_S):
                while len(bodies) < len(readings):
                    bodies.append(json.loads((await anext(client.messages)).payload))
        return bodies


@pytest.fixture
def ward(tmp_path, mosquitto):
    made = Ward(tmp_path, mosquitto())
    yield made
    made.daemon.clean_up()


def memory(bodies):
    """How many steps the stream remembers, by the last score."""
    last = bodies[-1]
    observed = [channel["value"] for channel in last["channels"].values()]
    return round(last["score"] - sum(observed) / len(observed))


async def test_streams_go_on_under_new_limits(ward):
    assert memory(await ward.hears(80, 80, 80)) == 3
    ward.configure(watches={"ward": {"alarms": {"hr-high": {"above": {"limit": 90}}, "hr-low": LOW}}})
    assert ward.reload() == (200, f"watch ward: 1 streams go on\n{ward.file}: reloaded\n")
    assert memory(await ward.hears(80)) == 4
    (event,) = await ward.hears(95, wanted="tocsin/event/icu/a/hr-high")
    assert (event["transition"], event["reason"]) == ("raise", "hr 95 /min is above 90")
    assert ward.daemon.metric('tocsin_reloads_total{result="success"}') == 1
    assert ward.daemon.metric("tocsin_config_last_reload_successful") == 1
    assert ward.daemon.metric("tocsin_config_last_reload_success_timestamp_seconds") == pytest.approx(
        time.time(), abs=WAIT_S
    )
    series = 'tocsin_events_total{alarm="hr-low",category="physiological",priority="low",transition="raise"}'
    assert ward.daemon.metric(series) == 0  # there before it ever rises


async def test_a_fault_keeps_what_runs_and_says_so(ward):
    ward.configure(watches={"ward": {"alarms": {"hr-high": {"above": {"channel": "pulse"}}}}})
    status, text = ward.reload()
    assert status == 500
    assert "pulse" in text
    assert ward.daemon.metric("tocsin_config_last_reload_successful") == 0
    assert ward.daemon.metric('tocsin_reloads_total{result="failure"}') == 1
    (event,) = await ward.hears(130, wanted="tocsin/event/icu/a/hr-high")
    assert event["reason"] == "hr 130 /min is above 120"

    ward.configure()
    assert ward.reload()[0] == 200
    assert ward.daemon.metric("tocsin_config_last_reload_successful") == 1


@pytest.mark.parametrize(
    ("changes", "key"),
    [({"broker": {"client_id": "other"}}, "broker"), ({"publish": {"base": "bell"}}, "publish.base")],
)
def test_what_takes_a_restart_is_refused(ward, changes, key):
    ward.configure(**changes)
    assert ward.reload() == (500, f"{key} has changed, which takes a restart (or put it back and reload)\n")


async def test_sources_come_and_go(ward):
    await ward.hears(80)
    ward.configure(sources=[{"topic": "monitors/{ward}/{bed}"}])
    assert ward.reload()[0] == 200
    assert memory(await ward.hears(80, topic="monitors/icu/a")) == 2
    async with aiomqtt.Client("127.0.0.1", ward.broker.port) as client:
        await client.publish("vitals/icu/a", b'{"hr": 80}', qos=1)
        await client.publish("monitors/icu/b", b'{"hr": 80}', qos=1)
    until(lambda: ward.daemon.metric("tocsin_streams") == 2)
    assert ward.daemon.metric("tocsin_messages_received_total") == 3  # the old topic is not subscribed any more


async def test_another_model_warms_up_beside_the_old_one_and_an_alarm_that_is_gone_clears(ward):
    await ward.hears(130, wanted="tocsin/event/icu/a/hr-high")
    toy_bundle.write(ward.folder / "toy2", toy_bundle.serialised(toy_bundle.REMEMBERING), version="2", warm_up_ticks=1)
    file = ward.configure(watches={"ward": {"model": "toy2"}})
    text = file.read_text().replace("hr-high", "hr-too-high")
    file.write_text(text)
    async with aiomqtt.Client("127.0.0.1", ward.broker.port) as client:
        await client.subscribe("tocsin/event/#", qos=1)
        ward.daemon.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(WAIT_S):
            message = await anext(client.messages)
    event = json.loads(message.payload)
    assert (event["alarm"], event["transition"]) == ("hr-high", "end")
    assert "configuration" in event["reason"]
    ward.daemon.says(r"watch ward: 1 streams stay with toy/1 \w+, each until toy/2 \w+ is warm")
    assert [memory(await ward.hears(80)) for _ in range(3)] == [2, 3, 3]  # the old model's, then the new one's
    ward.daemon.says("watch ward: toy/2 is warm, and has taken over")
    assert 'tocsin_model_info{name="toy",sha256' in ward.daemon.get("/metrics")[1]
    assert 'version="1"} 1' not in ward.daemon.get("/metrics")[1]


ODD = {"odd": {"anomaly": {"threshold": 105}}}


async def test_one_can_go_back_while_a_model_warms_up_and_after(ward):
    address = f"127.0.0.1:{ward.daemon.port}"
    nowhere = tocsin("rollback", ward.file, "--http", address)
    assert nowhere.returncode == 1
    assert "nothing ran before this configuration" in nowhere.stderr
    ward.configure(watches={"ward": {"alarms": ODD}})
    assert ward.reload()[0] == 200
    (event,) = await ward.hears(140, wanted="tocsin/event/icu/a/odd")
    assert event["transition"] == "raise"
    await ward.hears(140)

    toy_bundle.write(ward.folder / "toy2", toy_bundle.serialised(toy_bundle.REMEMBERING), version="2", warm_up_ticks=3)
    ward.configure(watches={"ward": {"model": "toy2", "alarms": ODD}})
    assert ward.reload()[0] == 200
    assert memory(await ward.hears(140, 140)) == 4  # the old one's: it goes on
    assert ward.daemon.metric("tocsin_shadow_streams") == 1
    done = tocsin("rollback", ward.file, "--http", address)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "watch ward: 1 streams go on"
    assert "is not what runs" in done.stdout
    assert ward.daemon.metric("tocsin_shadow_streams") == 0
    assert ward.daemon.metric("tocsin_config_last_reload_successful") == 0
    assert memory(await ward.hears(140)) == 5  # as if nothing had been

    assert ward.reload()[0] == 200
    assert memory(await ward.hears(140, 140, 140, 140)) == 9
    assert memory(await ward.hears(140)) == 5  # the new one's, which warmed up anew
    assert ward.daemon.metric("tocsin_shadow_taken_over_total") == 1
    back = tocsin("rollback", ward.file, "--http", address)
    assert "1 streams stay with toy/2" in back.stdout
    assert memory(await ward.hears(140)) == 6
    assert memory(await ward.hears(140)) == 2  # the one before knows its score at once, and has begun anew
    (event,) = await ward.hears(80, wanted="tocsin/event/icu/a/odd")
    assert event["transition"] == "clear"
    assert ward.daemon.errors.count("raise icu/a/odd") == 1


def test_the_command_says_what_the_daemon_says(ward):
    address = f"127.0.0.1:{ward.daemon.port}"
    done = tocsin("reload", ward.file, "--http", address)
    assert (done.returncode, done.stdout) == (0, f"watch ward: 0 streams go on\n{ward.file}: reloaded\n")

    ward.configure(publish={"base": "bell"})
    refused = tocsin("reload", ward.file, "--http", address)
    assert refused.returncode == 1
    assert "keeps its configuration" in refused.stderr
    assert "publish.base has changed" in refused.stderr

    ward.configure(watches={"ward": {"model": "absent"}})
    faulty = tocsin("reload", ward.file, "--http", address)
    assert faulty.returncode == 2
    assert ward.daemon.metric('tocsin_reloads_total{result="failure"}') == 1  # of the fault here it was not asked

    ward.configure()
    refused = tocsin("reload", ward.file, "--http", "127.0.0.1:1")
    assert refused.returncode == 1
    assert "no daemon answers at 127.0.0.1:1" in refused.stderr
    assert tocsin("reload", ward.file, "--http", "here").returncode == 1
