"""The MQTT sink: its deliveries, and when they count as delivered."""

from __future__ import annotations

import json

import msgspec
from alarm_events import event

from tocsin.delivery import DeliveryStatus
from tocsin.notify.mqtt import MqttSink


def test_an_event_is_a_transition_and_the_state_that_replaces_the_one_before():
    transition, state = MqttSink("tocsin", None).payload_for(event(id=7))
    assert [(one.sink, one.key, one.event_id, one.replaces) for one in (transition, state)] == [
        ("mqtt", "tocsin/event/icu/1/desaturation", 7, False),
        ("mqtt", "tocsin/alarm/icu/1/desaturation", 7, True),
    ]


def test_a_pending_message_is_a_list_of_topic_payload_quality_of_service_and_retain():
    topic, payload, qos, retain = msgspec.msgpack.decode(MqttSink("tocsin", None).payload_for(event())[1].body)
    assert (topic, json.loads(payload)["state"], qos, retain) == (
        "tocsin/alarm/icu/1/desaturation",
        "unacknowledged",
        1,
        True,
    )


async def test_a_message_is_delivered_once_the_connection_has_settled_it():
    published = []
    sink = MqttSink("tocsin", lambda topic, _, *, settled, **__: published.append((topic, settled)))
    delivery, _ = sink.payload_for(event())
    result = sink.send(delivery)
    (topic, settled), *_ = published
    assert (topic, result.done()) == (delivery.key, False)
    settled()
    settled()  # a connection that ends may settle again
    assert (await result).status is DeliveryStatus.DELIVERED


async def test_a_topic_that_nothing_can_be_published_on_is_rejected():
    def publish(topic, *_, **__):
        raise ValueError(f"nothing can be published on topic {topic!r}")

    sink = MqttSink("tocsin", publish)
    result = await sink.send(sink.payload_for(event(stream="a+b"))[0])
    assert (result.status, "a+b" in result.reason) == (DeliveryStatus.REJECTED, True)
