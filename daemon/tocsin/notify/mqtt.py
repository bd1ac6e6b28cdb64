"""Alarms over MQTT: each event's transition and state are owed until the broker has them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from tocsin.notify.mqtt_messages import alarm_state, alarm_transition
from tocsin.store.deliveries import Owed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tocsin.alarm import Event
    from tocsin.mqtt.connection import Connection
    from tocsin.mqtt.outbox import Outgoing
    from tocsin.store.deliveries import Deliveries, Delivery

MQTT = "mqtt"
_IN_HAND = 1000  # the connection sends as many as the broker takes; the rest waits where nothing is lost

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, bytes, int, bool]).decode


class MqttSink:
    """Publishes what is owed to the broker. The connection keeps the order, and the newest state of each topic."""

    def __init__(self, base: str, connection: Connection, deliveries: Deliveries) -> None:
        """Publish what is owed from before, and from now on whatever comes to be owed.

        Args:
            base: The first level, or levels, of every topic.
            connection: To the broker.
            deliveries: What is owed.
        """
        self._base = base
        self._connection = connection
        self._deliveries = deliveries
        self._in_hand = 0
        deliveries.listen(MQTT, self._publish)

    def owed(self, events: Sequence[Event]) -> Iterator[Owed]:
        """What is to be published of events."""
        for event in events:
            for message in (alarm_transition(self._base, event), alarm_state(self._base, event)):
                yield Owed(MQTT, message.topic, event.id, _body(message), merges=message.retain)

    def _publish(self) -> None:
        for delivery in self._deliveries.take(MQTT, _IN_HAND - self._in_hand):
            self._in_hand += 1
            topic, payload, qos, retain = _decode(delivery.owed.body)
            settled = partial(self._settle, delivery)
            self._connection.publish(topic, payload, qos=qos, retain=retain, settled=settled)

    def _settle(self, delivery: Delivery) -> None:
        if self._in_hand == _IN_HAND:
            # Not at once: the connection is in the midst of something.
            asyncio.get_running_loop().call_soon(self._publish)
        self._in_hand -= 1
        self._deliveries.settle(delivery)


def _body(message: Outgoing) -> bytes:
    return _encode((message.topic, message.payload, message.qos, message.retain))
