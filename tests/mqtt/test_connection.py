"""The connection against real brokers, checked by an independent client."""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
import shutil
import subprocess
from contextlib import asynccontextmanager

import aiomqtt
import pytest

from tocsin.mqtt.connection import Connection
from tocsin.mqtt.settings import Backoff, ConnectionSettings, ProtocolVersion, Status, Subscription, Tls

FAST = Backoff(first_s=0.05, cap_s=0.2, stable_s=10.0)
BOTH_VERSIONS = pytest.mark.parametrize("version", list(ProtocolVersion), ids=["3.1.1", "5"])
WAIT_S = 10


def settings(broker, **changes):
    defaults = {
        "client_id": "tocsin",
        "subscriptions": (Subscription("in/#"),),
        "backoff": FAST,
    }
    return ConnectionSettings(broker.host, broker.port, **(defaults | changes))


@asynccontextmanager
async def running(connection):
    """Run a connection, and drop it at the end as a crash would if the test hasn't stopped it."""
    task = asyncio.create_task(connection.run())
    try:
        async with asyncio.timeout(WAIT_S):
            await connection.wait_connected()
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def take(connection, count):
    """Receive so many messages without acknowledging them."""
    batches, messages = [], []
    async with asyncio.timeout(WAIT_S):
        while len(messages) < count:
            batch = await connection.receive(max_messages=1000)
            batches.append(batch)
            messages += batch.messages
    return batches, messages


async def nothing_more(connection, wait_s=0.3):
    return len(await connection.receive(max_messages=1000, timeout_s=wait_s)) == 0


def client(broker, **changes):
    return aiomqtt.Client(broker.host, broker.port, **changes)


async def publish(broker, count, start=0, qos=1):
    async with client(broker) as publisher:
        for i in range(start, start + count):
            await publisher.publish(f"in/{i % 7}", str(i).encode(), qos=qos)


async def next_on(listener, topic, payload=None):
    """The next message on a topic, or the next one there with this payload."""
    async with asyncio.timeout(WAIT_S):
        async for message in listener.messages:
            if str(message.topic) == topic and payload in (None, message.payload):
                return message
    raise AssertionError("the listener ended")


def lose(connection):
    """Lose the connection without a word, as when a cable is pulled."""
    connection._latest.abort()  # noqa: SLF001  (no part of what a daemon needs)


async def until(condition):
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110  (what is waited for is often another program's doing)
            await asyncio.sleep(0.01)


CONNACK = bytes([0x20, 3, 0, 0, 0])


@pytest.fixture
async def scripted_broker():
    """Start a broker that answers what it is sent with these bytes, one after the other, whatever it was sent."""
    servers, writers = [], []

    async def start(*answers):
        accepted = []

        async def converse(reader, writer):
            writers.append(writer)
            accepted.append(True)
            for answer in answers:
                await reader.read(1000)
                writer.write(answer)

        servers.append(await asyncio.start_server(converse, "127.0.0.1", 0))
        return servers[-1].sockets[0].getsockname()[1], accepted

    yield start
    for writer in writers:
        writer.close()
    for server in servers:
        server.close()


@BOTH_VERSIONS
async def test_with_20_in_flight_every_message_comes_once_and_in_order(mosquitto, version):
    broker = mosquitto("max_inflight_messages 20", "max_queued_messages 5000")
    connection = Connection(settings(broker, version=version, receive_maximum=20))
    async with running(connection):
        publisher = asyncio.create_task(publish(broker, 500))
        got = []
        async with asyncio.timeout(WAIT_S):
            while len(got) < 500:
                batch = await connection.receive(max_messages=64, linger_s=0.005)
                got += [int(m.payload) for m in batch.messages]
                connection.acknowledge(batch)
        await publisher
        assert got == list(range(500))
        assert await nothing_more(connection)


@BOTH_VERSIONS
async def test_nothing_is_acknowledged_before_acknowledge(mosquitto, version):
    broker = mosquitto("max_inflight_messages 20")
    # In MQTT 5 Mosquitto goes by the client's receive maximum, in 3.1.1 by its own setting.
    connection = Connection(settings(broker, version=version, receive_maximum=20))
    async with running(connection):
        await publish(broker, 30)
        batches, messages = await take(connection, 20)
        assert len(messages) == 20
        assert await nothing_more(connection)  # the broker holds ten back until something is acknowledged
        for batch in batches:
            connection.acknowledge(batch)
        _, rest = await take(connection, 10)
        assert [int(m.payload) for m in rest] == list(range(20, 30))


@BOTH_VERSIONS
async def test_what_was_not_acknowledged_comes_again_to_the_next_connection(mosquitto, version):
    broker = mosquitto()
    first = Connection(settings(broker, version=version))
    async with running(first):
        await publish(broker, 10)
        early = await first.receive(max_messages=4, linger_s=1)
        late = await first.receive(max_messages=6, linger_s=1)
        assert (len(early), len(late)) == (4, 6)
        first.acknowledge(early)
        await asyncio.sleep(0.1)
    await publish(broker, 3, start=10)  # while nobody is there
    second = Connection(settings(broker, version=version))
    async with running(second):
        _, messages = await take(second, 9)
        assert [int(m.payload) for m in messages] == list(range(4, 13))
        assert await nothing_more(second)


@BOTH_VERSIONS
async def test_a_batch_of_a_connection_that_is_gone_is_not_acknowledged_on_the_next(mosquitto, version):
    broker = mosquitto()
    connection = Connection(settings(broker, version=version))
    async with running(connection):
        await publish(broker, 5)
        batches, old = await take(connection, 5)
        lose(connection)
        await until(lambda: connection.connects == 2)
        _, again = await take(connection, 5)
        for batch in batches:
            connection.acknowledge(batch)  # void: its identifiers mean nothing now
        await asyncio.sleep(0.1)
        lose(connection)
        await until(lambda: connection.connects == 3)
        _, third = await take(connection, 5)
        assert [m.payload for m in old] == [m.payload for m in again] == [m.payload for m in third]


@BOTH_VERSIONS
async def test_a_broker_that_restarts_is_found_again_with_the_subscriptions(mosquitto, version):
    broker = mosquitto()
    connection = Connection(settings(broker, version=version))
    async with running(connection):
        broker.kill()  # and it forgets the session
        await until(lambda: not connection.is_connected)
        assert "lost the connection" in connection.problem or "no connection" in connection.problem
        await asyncio.sleep(0.3)
        broker.start()
        await until(lambda: connection.is_connected)
        await publish(broker, 3)
        _, messages = await take(connection, 3)
        assert [m.payload for m in messages] == [b"0", b"1", b"2"]
        assert connection.problem is None


@BOTH_VERSIONS
async def test_the_first_connect_waits_for_a_broker_too(mosquitto, version):
    broker = mosquitto()
    broker.stop()
    connection = Connection(settings(broker, version=version))
    task = asyncio.create_task(connection.run())
    await until(lambda: connection.problem.startswith("no connection to mqtt://127.0.0.1:"))
    broker.start()
    await until(lambda: connection.is_connected)
    await connection.stop(1)
    async with asyncio.timeout(WAIT_S):
        await task


@BOTH_VERSIONS
async def test_what_is_published_without_a_connection_arrives_in_order_after_it(mosquitto, version):
    broker = mosquitto()
    connection = Connection(settings(broker, version=version))
    async with running(connection):
        broker.stop()
        await until(lambda: not connection.is_connected)
        for i in range(300):
            connection.publish("out/event", str(i).encode())
            connection.publish("out/state", str(i).encode(), retain=True)
        connection.publish("out/score", b"worthless later", qos=0)
        assert connection.outbox_depth == 301
        assert connection.outbox_dropped == 1
        broker.start()
        got = []
        async with client(broker, clean_session=True) as listener:
            await listener.subscribe("out/#", qos=1)
            await until(lambda: connection.outbox_depth == 0)
            async with asyncio.timeout(WAIT_S):
                async for message in listener.messages:
                    got.append((str(message.topic), message.payload))
                    if got[-1] == ("out/state", b"299"):
                        break
        # Whoever subscribes late may miss events; the state is there for them.
        events = [int(payload) for topic, payload in got if topic == "out/event"]
        assert events == sorted(set(events))
        assert [payload for topic, payload in got if topic == "out/state"] == [b"299"]


@BOTH_VERSIONS
async def test_status_is_online_while_running_and_offline_after_a_clean_stop(mosquitto, version):
    broker = mosquitto()
    status = Status("out/status", b"online", b"offline")
    connection = Connection(settings(broker, version=version, status=status))
    async with running(connection) as task, client(broker) as listener:
        await listener.subscribe("out/status")
        assert (await next_on(listener, "out/status")).payload == b"online"
        connection.publish("out/status-before", b"1")
        await connection.stop(2)
        await task
        assert (await next_on(listener, "out/status")).payload == b"offline"
        assert connection.outbox_depth == 0
        assert not connection.is_connected
        # The will says the same; had it fired, the payload would come twice.
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await next_on(listener, "out/status")


@BOTH_VERSIONS
async def test_the_will_says_offline_after_an_unclean_loss(mosquitto, version):
    broker = mosquitto()
    status = Status("out/status", b"online", b"offline", will_delay_s=1)
    connection = Connection(settings(broker, version=version, status=status))
    async with client(broker) as listener:
        await listener.subscribe("out/status")
        async with running(connection):
            assert (await next_on(listener, "out/status")).payload == b"online"
        assert (await next_on(listener, "out/status")).payload == b"offline"


async def test_a_reconnect_within_the_wills_delay_never_says_offline(mosquitto):
    broker = mosquitto()
    status = Status("out/status", b"online", b"offline", will_delay_s=2)
    connection = Connection(settings(broker, status=status))
    async with client(broker) as listener:
        await listener.subscribe("out/status")
        async with running(connection):
            assert (await next_on(listener, "out/status")).payload == b"online"
            lose(connection)
            await until(lambda: connection.connects == 2 and connection.is_connected)
            assert (await next_on(listener, "out/status")).payload == b"online"
            await asyncio.sleep(2.5)
            connection.publish("out/status", b"the next")
            assert (await next_on(listener, "out/status")).payload == b"the next"


@BOTH_VERSIONS
async def test_refused_credentials_are_logged_once_and_tried_again(mosquitto, version, caplog):
    broker = mosquitto("allow_anonymous false")
    caplog.set_level(logging.INFO, logger="tocsin")
    connection = Connection(settings(broker, version=version, username="tocsin", password="wrong"))  # noqa: S106  (it is wrong)
    task = asyncio.create_task(connection.run())
    await until(lambda: connection.problem.startswith("mqtt://127.0.0.1"))
    await asyncio.sleep(1.0)
    assert not task.done()
    lines = [r.getMessage() for r in caplog.records if r.name == "tocsin.mqtt.connection"]
    assert len(lines) == 1
    assert "refuses this client (not authorized" in lines[0] or "bad user name or password" in lines[0]
    assert "wrong" not in lines[0]
    await connection.stop(1)
    await task


async def test_a_loss_soon_after_the_connect_asks_after_another_client_with_the_same_id(mosquitto, caplog):
    broker = mosquitto()
    connection = Connection(settings(broker, backoff=Backoff(first_s=5, cap_s=5)))
    async with running(connection), client(broker, identifier="tocsin", protocol=aiomqtt.ProtocolVersion.V5):
        await until(lambda: not connection.is_connected)
        assert connection.problem.endswith("does another client use client_id 'tocsin'?")
        assert len([r for r in caplog.records if "client_id" in r.getMessage()]) == 1


async def test_a_session_that_was_taken_over_is_an_error_and_no_hurry(scripted_broker, caplog):
    port, accepted = await scripted_broker(CONNACK + bytes([0xE0, 1, 0x8E]))  # DISCONNECT, session taken over
    connection = Connection(ConnectionSettings("127.0.0.1", port, "tocsin", backoff=Backoff(first_s=0.5, cap_s=0.5)))
    async with running(connection):
        await until(lambda: not connection.is_connected)
        assert connection.problem.endswith("as 'tocsin': give each its own client_id")
        assert [r.levelname for r in caplog.records if "client_id" in r.getMessage()] == ["ERROR"]
        assert len(accepted) == 1


async def test_quality_of_service_0_beyond_the_inbox_is_dropped_and_counted(mosquitto):
    broker = mosquitto()
    connection = Connection(settings(broker, inbox_messages=50, subscriptions=(Subscription("in/#", 0),)))
    async with running(connection):
        await publish(broker, 200, qos=0)
        await until(lambda: connection.inbox_dropped == 150)
        batch = await connection.receive(max_messages=1000)
        assert [int(m.payload) for m in batch.messages] == list(range(50))


async def test_reading_stops_while_the_inbox_is_full_of_what_must_be_acknowledged(mosquitto):
    broker = mosquitto("max_inflight_messages 0", "max_queued_messages 0")
    connection = Connection(settings(broker, inbox_messages=100))
    payload = b"x" * 4_000
    async with running(connection):
        async with client(broker, max_inflight_messages=500) as publisher:
            await asyncio.gather(*(publisher.publish("in/x", payload, qos=1) for _ in range(1_000)))
        await asyncio.sleep(0.3)
        assert 100 <= connection.inbox_depth < 1_000  # a read may bring more than one packet
        got = 0
        async with asyncio.timeout(WAIT_S):
            while got < 1_000:
                batch = await connection.receive(max_messages=50)
                got += len(batch)
                connection.acknowledge(batch)
        assert connection.inbox_dropped == 0


async def test_a_refused_subscription_is_named(scripted_broker, caplog):
    port, _ = await scripted_broker(CONNACK, bytes([0x90, 5, 0, 1, 0, 1, 0x87]))  # SUBACK: one granted, one not
    subscriptions = (Subscription("allowed/#"), Subscription("forbidden/x"))
    connection = Connection(ConnectionSettings("127.0.0.1", port, "tocsin", subscriptions=subscriptions))
    async with running(connection):
        assert connection.refused_subscriptions == ("forbidden/x",)
        assert any("refuses the subscription 'forbidden/x' (not authorized" in r.getMessage() for r in caplog.records)


async def test_a_retained_message_says_so_and_comes_once_a_process(mosquitto):
    broker = mosquitto()
    async with client(broker) as publisher:
        await publisher.publish("in/age", b"71", qos=1, retain=True)
    connection = Connection(settings(broker))
    async with running(connection):
        batches, messages = await take(connection, 1)
        assert [(m.topic, m.payload, m.retain) for m in messages] == [("in/age", b"71", True)]
        connection.acknowledge(batches[0])
        await asyncio.sleep(0.1)
        lose(connection)
        await until(lambda: connection.connects == 2 and connection.is_connected)
        assert await nothing_more(connection)


async def test_an_empty_batch_after_the_timeout(mosquitto):
    connection = Connection(settings(mosquitto()))
    async with running(connection):
        batch = await connection.receive(max_messages=10, timeout_s=0.05)
        assert len(batch) == 0
        connection.acknowledge(batch)


async def test_received_at_is_the_clocks(mosquitto):
    broker = mosquitto()
    connection = Connection(settings(broker), clock=lambda: 1_764_000_000_000_000_000)
    async with running(connection):
        await publish(broker, 1)
        _, messages = await take(connection, 1)
        assert messages[0].received_at == 1_764_000_000_000_000_000


async def test_stop_returns_at_once_when_the_broker_never_answers(scripted_broker):
    port, accepted = await scripted_broker()
    connection = Connection(ConnectionSettings("127.0.0.1", port, "tocsin"))
    task = asyncio.create_task(connection.run())
    await until(lambda: accepted)
    async with asyncio.timeout(1):
        await connection.stop(5)
        await task


async def test_a_packet_that_cannot_be_read_drops_the_connection_and_it_is_made_anew(scripted_broker, caplog):
    port, accepted = await scripted_broker(CONNACK + bytes([0x32, 3, 0xFF, 0xFF, 0x41]))  # its topic is longer than it
    connection = Connection(ConnectionSettings("127.0.0.1", port, "tocsin", backoff=FAST))
    task = asyncio.create_task(connection.run())
    await until(lambda: len(accepted) == 2)
    assert any("can't be read" in r.getMessage() for r in caplog.records)
    await connection.stop(0.1)
    await task


async def test_a_fault_while_a_packet_is_handled_does_not_leave_a_connection_that_nobody_reads(mosquitto, monkeypatch):
    broker = mosquitto()
    connection = Connection(settings(broker))
    async with running(connection):
        with monkeypatch.context() as patch:
            patch.setattr(connection, "received", lambda *_, **__: 1 / 0)
            await publish(broker, 1)
            await until(lambda: not connection.is_connected)
        await until(lambda: connection.connects == 2)
        _, messages = await take(connection, 1)
        assert messages[0].payload == b"0"


@BOTH_VERSIONS
async def test_a_connection_that_is_lost_again_and_again_loses_no_message_either_way(mosquitto, version):
    broker = mosquitto("max_queued_messages 5000")
    connection = Connection(settings(broker, version=version, backoff=Backoff(first_s=0.02, cap_s=0.02)))
    got, heard = [], []

    async def pump():
        while True:
            batch = await connection.receive(max_messages=50)
            for m in batch.messages:
                got.append(int(m.payload))
                connection.publish("out/echo", m.payload)
            connection.acknowledge(batch)

    async def listen():
        async with client(broker) as listener:
            await listener.subscribe("out/echo", qos=1)
            subscribed.set()
            async for m in listener.messages:
                heard.append(int(m.payload))  # noqa: PERF401  (it never ends: each must be seen as it comes)

    subscribed = asyncio.Event()
    tasks = [asyncio.create_task(listen())]
    await subscribed.wait()
    async with running(connection):
        tasks += [asyncio.create_task(pump()), asyncio.create_task(publish(broker, 1000))]
        for _ in range(10):
            await asyncio.sleep(0.05)
            lose(connection)
        await until(lambda: set(heard) == set(range(1000)))
        assert sorted(set(got)) == list(range(1000))
        assert connection.connects > 2
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_message_larger_than_the_broker_takes_does_not_cost_the_connection(mosquitto):
    broker = mosquitto("max_packet_size 2000")
    connection = Connection(settings(broker))
    async with running(connection):
        connection.publish("in/x", b"x" * 3000)
        connection.publish("in/x", b"small")
        _, messages = await take(connection, 1)
        assert messages[0].payload == b"small"
        assert connection.outbox_dropped == 1
        assert connection.connects == 1


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    files = tmp_path / "certificate.pem", tmp_path / "key.pem"
    curve = "ec -pkeyopt ec_paramgen_curve:prime256v1"
    names = "-subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    command = shlex.split(f"openssl req -x509 -newkey {curve} -nodes -days 1 {names}")
    subprocess.run([*command, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


async def test_tls_checks_the_brokers_certificate(mosquitto, certificate):
    broker = mosquitto(f"certfile {certificate[0]}", f"keyfile {certificate[1]}")
    stranger = Connection(settings(broker, tls=Tls(), client_id="stranger"))
    task = asyncio.create_task(stranger.run())
    await until(lambda: "certificate verify failed" in stranger.problem)
    await stranger.stop(0)
    await task

    connection = Connection(settings(broker, tls=Tls(ca_file=certificate[0])))
    async with running(connection) as task:
        connection.publish("in/x", b"to itself")
        _, messages = await take(connection, 1)
        assert messages[0].payload == b"to itself"
        await connection.stop(2)
        await task


async def test_nats_speaks_3_1_1(nats):
    status = Status("out/status", json.dumps({"state": "online"}).encode(), b"offline")
    connection = Connection(settings(nats, version=ProtocolVersion.V311, status=status))
    async with running(connection) as task, client(nats, protocol=aiomqtt.ProtocolVersion.V311) as listener:
        await listener.subscribe("out/#", qos=1)
        await publish(nats, 50)
        batches, messages = await take(connection, 50)
        for batch in batches:
            connection.acknowledge(batch)
        assert sorted(int(m.payload) for m in messages) == list(range(50))
        connection.publish("out/x", b"1")
        assert (await next_on(listener, "out/x")).payload == b"1"
        await connection.stop(2)
        await task
