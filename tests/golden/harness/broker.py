"""A connection without a broker, and the messages that it delivers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from harness.recording import Recording
from tocsin.ingest.message import Message
from tocsin.mqtt.inbox import Batch


def message(now: int, topic: str, payload: Any, more: dict[str, Any] | None = None) -> Message:
    """Return a received message; a payload other than bytes is encoded as JSON.

    Args:
        now: Time of arrival, nanoseconds since 1970.
        topic: Its topic.
        payload: Bytes, or what is encoded as JSON.
        more: Further attributes of the message; `received_at` replaces `now`.
    """
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    more = dict(more or {})
    return Message(topic, body, more.pop("received_at", now), **more)


class Broker:
    """A connection without a broker: delivers one batch at a time, and records publications."""

    def __init__(self, recording: Recording) -> None:
        self.is_connected = True
        self.problem = None
        self.refused_subscriptions: list[str] = []
        self.connects = 1
        self.inbox_depth = self.inbox_dropped = self.outbox_depth = self.outbox_dropped = 0
        self.idle = asyncio.Event()
        self.batches: asyncio.Queue[Batch] = asyncio.Queue()
        self.acknowledged = 0
        self._recording = recording
        self._settled: list[Any] = []

    async def receive(self, **_how: Any) -> Batch:
        self.idle.set()
        return await self.batches.get()

    def acknowledge(self, batch: Batch) -> None:
        self.acknowledged += len(batch)

    async def subscribe_to(self, subscriptions: Any) -> None:
        filters = sorted([subscription.filter, subscription.qos] for subscription in subscriptions)
        self._recording.answers.append({"subscribed": filters})

    def publish(self, topic, payload, *, qos=1, retain=False, correlation=None, settled=None) -> None:
        self._recording.published.append(
            {
                "topic": topic,
                "qos": qos,
                "retain": retain,
                "correlation": None if correlation is None else correlation.hex(),
                "payload": payload.decode("utf-8", "backslashreplace"),
            }
        )
        if settled is not None:
            self._settled.append(settled)

    async def settle(self) -> None:
        """Acknowledge all publications, also those that are published as others are acknowledged."""
        while self._settled:
            settled, self._settled = self._settled, []
            for one in settled:
                one()
            for _ in range(3):  # the worker learns of it in a later round of the event loop
                await asyncio.sleep(0)
