"""A connection to a real broker, checked by an independent client."""

from __future__ import annotations

import asyncio

import aiomqtt
from mqtt_connections import (
    BOTH_VERSIONS,
    WAIT_S,
    client,
    lose,
    next_on,
    nothing_more,
    publish,
    running,
    settings,
    take,
    until,
)
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tocsin.mqtt.connection import Connection
from tocsin.mqtt.settings import Announcement, Subscription


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
    await publish(broker, 3, start=10)  # while the client is away
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
        # Late subscribers miss events, and get the retained state.
        events = [int(payload) for topic, payload in got if topic == "out/event"]
        assert events == sorted(set(events))
        assert [payload for topic, payload in got if topic == "out/state"] == [b"299"]


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


async def test_the_properties_of_a_message_come_with_it(mosquitto):
    broker = mosquitto()
    connection = Connection(settings(broker))
    properties = Properties(PacketTypes.PUBLISH)
    properties.ContentType, properties.ResponseTopic = "application/senml+json", "answers/7"
    properties.CorrelationData = b"\x00\x07"
    properties.UserProperty = ("who", "anybody")
    async with running(connection):
        async with client(broker, protocol=aiomqtt.ProtocolVersion.V5) as publisher:
            await publisher.publish("in/1", b"[]", properties=properties)
            await publisher.publish("in/1", b"{}")
        _, (first, second) = await take(connection, 2)
    assert (first.content_type, first.response_topic, first.correlation, first.payload) == (
        "application/senml+json", "answers/7", b"\x00\x07", b"[]",
    )  # fmt: skip
    assert (second.content_type, second.response_topic, second.correlation) == (None, None, None)


async def test_announcements_are_retained_online_and_offline_at_a_clean_end(mosquitto):
    broker = mosquitto()
    connection = Connection(settings(broker, announcements=(Announcement("state/host", b"on", b"off"),)))
    async with client(broker) as listener:
        await listener.subscribe("state/host")
        async with running(connection):
            await next_on(listener, "state/host", b"on")
            await connection.stop(WAIT_S)
            await next_on(listener, "state/host", b"off")
    async with client(broker) as late:
        await late.subscribe("state/host")
        assert (await next_on(late, "state/host")).retain
