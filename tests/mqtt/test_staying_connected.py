"""Connections that are refused, lost, taken over or restarted, against real brokers and scripted ones."""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
import shutil
import subprocess

import aiomqtt
import pytest
from mqtt_connections import (
    BOTH_VERSIONS,
    CONNACK,
    FAST,
    WAIT_S,
    client,
    lose,
    next_on,
    publish,
    running,
    settings,
    take,
    until,
)

from tocsin.mqtt.connection import Connection
from tocsin.mqtt.settings import Backoff, ConnectionSettings, ProtocolVersion, StatusTopic, Subscription, Tls


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
async def test_status_is_online_while_running_and_offline_after_a_clean_stop(mosquitto, version):
    broker = mosquitto()
    status = StatusTopic("out/status", b"online", b"offline")
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
    status = StatusTopic("out/status", b"online", b"offline", will_delay_s=1)
    connection = Connection(settings(broker, version=version, status=status))
    async with client(broker) as listener:
        await listener.subscribe("out/status")
        async with running(connection):
            assert (await next_on(listener, "out/status")).payload == b"online"
        assert (await next_on(listener, "out/status")).payload == b"offline"


async def test_a_reconnect_within_the_wills_delay_never_says_offline(mosquitto):
    broker = mosquitto()
    status = StatusTopic("out/status", b"online", b"offline", will_delay_s=2)
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


async def test_a_refused_subscription_is_named(scripted_broker, caplog):
    port, _ = await scripted_broker(CONNACK, bytes([0x90, 5, 0, 1, 0, 1, 0x87]))  # SUBACK: one granted, one not
    subscriptions = (Subscription("allowed/#"), Subscription("forbidden/x"))
    connection = Connection(ConnectionSettings("127.0.0.1", port, "tocsin", subscriptions=subscriptions))
    async with running(connection):
        assert connection.refused_subscriptions == ("forbidden/x",)
        assert any("refuses the subscription 'forbidden/x' (not authorized" in r.getMessage() for r in caplog.records)


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


async def test_a_fault_while_a_packet_is_handled_does_not_leave_a_connection_without_a_reader(mosquitto, monkeypatch):
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

    async def pipeline():
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
        tasks += [asyncio.create_task(pipeline()), asyncio.create_task(publish(broker, 1000))]
        for _ in range(10):
            await asyncio.sleep(0.05)
            lose(connection)
        await until(lambda: set(heard) == set(range(1000)))
        assert sorted(set(got)) == list(range(1000))
        assert connection.connects > 2
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_tls_checks_the_brokers_certificate(mosquitto, certificate):
    broker = mosquitto(f"certfile {certificate[0]}", f"keyfile {certificate[1]}")
    untrusting = Connection(settings(broker, tls=Tls(), client_id="untrusting"))
    task = asyncio.create_task(untrusting.run())
    await until(lambda: "certificate verify failed" in untrusting.problem)
    await untrusting.stop(0)
    await task

    connection = Connection(settings(broker, tls=Tls(ca_file=certificate[0])))
    async with running(connection) as task:
        connection.publish("in/x", b"to itself")
        _, messages = await take(connection, 1)
        assert messages[0].payload == b"to itself"
        await connection.stop(2)
        await task


async def test_nats_speaks_3_1_1(nats):
    status = StatusTopic("out/status", json.dumps({"state": "online"}).encode(), b"offline")
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
