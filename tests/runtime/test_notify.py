"""The daemon and its receivers: a real broker, a real Alertmanager, a receiver that comes and goes."""

from __future__ import annotations

import asyncio
import json
import time

import aiomqtt
import configurations
import pytest
from processes import Daemon, until
from standardwebhooks import Webhook

from tocsin.config import check

SECRET = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="  # noqa: S105  (a test's)


@pytest.fixture
def daemon(tmp_path, mosquitto):
    """Start daemons, all with the same broker, store and configuration."""
    broker, running = mosquitto("persistence false"), []

    def start(**notify):
        configuration = configurations.write(
            tmp_path,
            broker={"host": broker.host, "port": broker.port},
            store={"folder": "state"},
            watches={"ward": {"alarms": {"odd": {"anomaly": {"threshold": 1e9}}}}},  # never
            notify=notify,
        )
        running.append(Daemon(tmp_path, configuration).ready())
        return running[-1]

    start.broker = broker
    yield start
    for one in running:
        one.clean_up()


def read(broker, **by_bed):
    """Publish one reading a bed, of now."""

    async def publish():
        async with aiomqtt.Client(broker.host, broker.port) as client:
            for bed, hr in by_bed.items():
                body = json.dumps({"t": time.time_ns() // 10**6, "hr": hr, "spo2": 97})
                await client.publish(f"vitals/icu/{bed}", body, qos=1)

    asyncio.run(publish())


def raise_alarm(broker, bed="a"):
    read(broker, **{bed: 130})


def calm(broker, bed="a"):
    time.sleep(1.1)  # another tick
    read(broker, **{bed: 80})


def received(receiver):
    return [(body["data"]["alarm"], body["type"]) for _, body in receiver.taken()]


def test_each_receiver_gets_the_events_of_its_filter(daemon, receiver, alertmanager):
    alertmanager.start()
    hook = {"url": receiver.url, "secret": SECRET, "transitions": ["raise", "clear"]}
    daemon(webhooks={"pager": hook}, alertmanager={"urls": [alertmanager.url], "labels": {"site": "north"}})
    raise_alarm(daemon.broker)
    (fires,) = until(alertmanager.alerts)
    assert {name: fires["labels"][name] for name in ("alertname", "stream", "severity", "site", "ward")} == {
        "alertname": "hr-high",
        "stream": "icu/a",
        "severity": "high",
        "site": "north",
        "ward": "icu",
    }
    calm(daemon.broker)
    until(lambda: alertmanager.alerts() == [])
    until(lambda: len(receiver.taken()) == 2)
    assert received(receiver) == [("hr-high", "alarm.raise"), ("hr-high", "alarm.clear")]
    for _, headers, content in receiver.requests:
        Webhook(SECRET).verify(content, headers)
        assert headers["webhook-id"].startswith("tocsin-test-")


def test_a_slow_or_absent_receiver_holds_up_no_alarm_and_gets_its_events_in_the_end(daemon, receiver):
    receiver.answers += [(503, {})] * 3
    tocsin = daemon(webhooks={"pager": {"url": receiver.url}, "gone": {"url": "http://127.0.0.1:9/"}})
    raise_alarm(daemon.broker)
    until(lambda: tocsin.metric('tocsin_deliveries_pending{sink="webhook/gone"}') == 1)
    raise_alarm(daemon.broker, "b")
    series = 'tocsin_events_total{alarm="hr-high",category="physiological",priority="high",transition="raise"}'
    until(lambda: tocsin.metric(series) == 2)
    until(lambda: {body["data"]["stream"] for _, body in receiver.taken()} == {"icu/a", "icu/b"})
    assert tocsin.metric('tocsin_deliveries_attempts_total{result="retry",sink="webhook/pager"}') == 3


def test_a_pending_delivery_is_sent_after_a_restart_once_and_with_the_same_identity(daemon, receiver):
    receiver.answers += [(503, {"retry-after": "2"})]
    tocsin = daemon(webhooks={"pager": {"url": receiver.url, "transitions": ["raise"]}})
    raise_alarm(daemon.broker)
    until(lambda: receiver.requests)
    until(lambda: tocsin.metric('tocsin_deliveries_attempts_total{result="retry",sink="webhook/pager"}') == 1)
    tocsin.process.kill()
    tocsin.process.wait(timeout=10)
    again = daemon(webhooks={"pager": {"url": receiver.url, "transitions": ["raise"]}})
    until(receiver.taken)
    first, second = (headers["webhook-id"] for _, headers, _ in receiver.requests)
    assert first == second
    until(lambda: again.metric('tocsin_deliveries_pending{sink="webhook/pager"}') == 0)
    assert len(receiver.requests) == 2


def test_alertmanager_gets_after_a_restart_what_is_still_up(daemon, alertmanager):
    entry = {"urls": [alertmanager.url], "resend_s": 1}
    tocsin = daemon(alertmanager=entry)
    raise_alarm(daemon.broker)  # no receiver is there yet
    until(lambda: tocsin.metric('tocsin_deliveries_pending{sink="alertmanager"}') == 1)
    assert tocsin.end() == 0
    alertmanager.start()
    daemon(alertmanager=entry)
    (fires,) = until(alertmanager.alerts)
    assert fires["labels"]["stream"] == "icu/a"
    calm(daemon.broker)
    until(lambda: alertmanager.alerts() == [])


def test_home_assistant_finds_every_stream_again_whenever_it_starts(daemon):
    daemon(home_assistant={})
    read(daemon.broker, a=80)

    async def scenario():
        async with aiomqtt.Client(daemon.broker.host, daemon.broker.port) as client:
            await client.subscribe("homeassistant/device/+/config")
            async with asyncio.timeout(20):
                first = await anext(aiter(client.messages))
                await client.publish("homeassistant/status", "online")
                again = await anext(aiter(client.messages))
        return first, again

    first, again = asyncio.run(scenario())
    assert str(first.topic) == str(again.topic)
    assert first.payload == again.payload
    device = json.loads(first.payload)
    assert device["dev"]["name"] == "icu/a"
    assert [part["name"] for part in device["cmps"].values()] == ["hr-high", "odd", "acknowledge"]


def test_its_button_acknowledges_what_is_up_in_its_stream_alone(daemon):
    daemon(home_assistant={})
    read(daemon.broker, a=130, b=130)

    async def scenario():
        async with aiomqtt.Client(daemon.broker.host, daemon.broker.port) as client:
            await client.subscribe("homeassistant/device/+/config")
            await client.subscribe("tocsin/event/#")
            async with asyncio.timeout(20):
                async for message in client.messages:
                    body = json.loads(message.payload)
                    if "dev" in body and body["dev"]["name"] == "icu/a":
                        (button,) = [part for part in body["cmps"].values() if part["p"] == "button"]
                        await client.publish(button["cmd_t"], button["pl_prs"], qos=1)
                    elif body.get("transition") == "acknowledge":
                        return body
        raise AssertionError("the subscription ended")

    acknowledged = asyncio.run(scenario())
    assert (acknowledged["stream"], acknowledged["alarm"], acknowledged["actor"]) == (
        "icu/a",
        "hr-high",
        "home-assistant",
    )


def test_a_secret_that_cannot_sign_is_a_fault_of_the_configuration(tmp_path):
    (tmp_path / "secret").write_text("not base64!\n")
    hooks = {
        "one": {"url": "http://127.0.0.1:9/", "secret_file": "secret"},
        "two": {"url": "http://127.0.0.1:9/", "secret_file": "nowhere"},
    }
    faults = check(configurations.write(tmp_path, notify={"webhooks": hooks})).faults
    text = "\n".join(map(str, faults))
    assert "notify.webhooks.one.secret_file: the secret is no Base64" in text
    assert "notify.webhooks.two.secret_file: file 'nowhere' can't be read" in text
    other = check(configurations.write(tmp_path, notify={"webhooks": {"three": {"url": "ftp://127.0.0.1/"}}}))
    assert ["notify.webhooks.three.url" in str(fault) for fault in other.faults] == [True]
