"""Delivery of events to sinks: the `Sink` protocol, the queue of pending deliveries, and the worker that sends them.

Pure of SQL, HTTP and MQTT: the store keeps the queue's changes, and `tocsin.notify` implements the sinks.
"""

from tocsin.delivery.guarded_sink import GuardedSink
from tocsin.delivery.queue import DeadLetter, DeliveryQueue, PendingDelivery, QueueChanges
from tocsin.delivery.sink import Delivery, DeliveryResult, DeliveryStatus, EventFilter, Sink, SinkContext, SinkFactory
from tocsin.delivery.worker import DeliveryWorker, RetryPolicy

__all__ = [
    "DeadLetter",
    "Delivery",
    "DeliveryQueue",
    "DeliveryResult",
    "DeliveryStatus",
    "DeliveryWorker",
    "EventFilter",
    "GuardedSink",
    "PendingDelivery",
    "QueueChanges",
    "RetryPolicy",
    "Sink",
    "SinkContext",
    "SinkFactory",
]
