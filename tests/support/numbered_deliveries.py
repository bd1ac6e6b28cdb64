"""Deliveries that are known by their numbers, and a receiver that takes them all."""

from __future__ import annotations

from tocsin.delivery import Delivery


def numbered(number, key="bed-1/spo2-low", sink="webhook", **more):
    return Delivery(sink, key, number, str(number).encode(), **more)


def sent(queue, sink="webhook", now=0):
    """Send all that is due now; the ids of the events."""
    numbers = []
    while (pending := queue.next(sink, now)) is not None:
        numbers.append(pending.delivery.event_id)
        queue.acknowledge(pending)
    return numbers
