"""Connections to test with, and an independent client beside them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import aiomqtt
import pytest

from tocsin.mqtt.settings import Backoff, ConnectionSettings, ProtocolVersion, Subscription

FAST = Backoff(first_s=0.05, cap_s=0.2, stable_s=10.0)
BOTH_VERSIONS = pytest.mark.parametrize("version", list(ProtocolVersion), ids=["3.1.1", "5"])
WAIT_S = 10
CONNACK = bytes([0x20, 3, 0, 0, 0])


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
