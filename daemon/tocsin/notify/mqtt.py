"""The MQTT sink: publishes each event's transition and state, which stay pending until the broker has them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import msgspec

from tocsin.delivery import Delivery, DeliveryResult, DeliveryStatus, Sink
from tocsin.notify.mqtt_messages import alarm_state, alarm_transition

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.alarm import Event
    from tocsin.notify.mqtt_messages import MqttMessage

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, bytes, int, bool]).decode


class PublishMessage(Protocol):
    """Queues a message for the broker; `tocsin.mqtt.connection.Connection.publish` does."""

    def __call__(self, topic: str, payload: bytes, *, qos: int, retain: bool, settled: Callable[[], None]) -> None:
        """Queue a message, and call `settled` once it is acknowledged, replaced or dropped.

        Raises:
            ValueError: The topic can't be published on.
        """


class MqttSink(Sink):
    """Publishes to the broker. The connection keeps the order, and the newest state of each topic."""

    name = "mqtt"
    max_in_flight = 1000  # the connection sends as many as the broker takes; the rest waits in the queue, and is stored
    keeps_order = True

    def __init__(self, base: str, publish: PublishMessage) -> None:
        """Publish nothing yet.

        Args:
            base: The first level, or levels, of every topic.
            publish: Queues a message for the broker.
        """
        self._base = base
        self._publish = publish

    def payload_for(self, event: Event) -> list[Delivery]:
        """The transition, and the state that replaces the one before."""
        return [
            Delivery(self.name, message.topic, event.id, _body(message), replaces=message.retain)
            for message in (alarm_transition(self._base, event), alarm_state(self._base, event))
        ]

    def send(self, delivery: Delivery) -> asyncio.Future[DeliveryResult]:
        """Publish at once, in the order of calls; the result comes when the connection has settled the message."""
        result = asyncio.get_running_loop().create_future()

        def settled() -> None:
            if not result.done():
                result.set_result(DeliveryResult(DeliveryStatus.DELIVERED))

        topic, payload, qos, retain = _decode(delivery.body)
        try:
            self._publish(topic, payload, qos=qos, retain=retain, settled=settled)
        except ValueError as error:
            result.set_result(DeliveryResult(DeliveryStatus.REJECTED, str(error)))
        return result


def _body(message: MqttMessage) -> bytes:
    return _encode((message.topic, message.payload, message.qos, message.retain))
