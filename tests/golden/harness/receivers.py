"""Receivers of HTTP notifications."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from harness.recording import Recording
from tocsin.delivery import EventFilter
from tocsin.notify.alertmanager import Alertmanager
from tocsin.notify.webhook import Webhook


class Receivers:
    """Webhooks and Alertmanager of a configuration. Requests reach a recording instead of a server."""

    def __init__(self, config: Any, folder: Path, recording: Recording, clock: Callable[[], int]) -> None:
        self.sinks: list[Any] = []
        self._recording = recording
        self._to_send: list[Any] = []
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._received))
        for name, hook in config.notify.webhooks.items():
            events = EventFilter(hook.transitions, hook.priorities, hook.categories)
            key, origin = hook.signing_key(folder), config.broker.client_id
            self.sinks.append(Webhook(f"webhook/{name}", hook.url, key, origin, events, client, clock))
        entry = config.notify.alertmanager
        if entry is not None:
            self._alertmanager = Alertmanager("alertmanager", entry, client, lambda *_: None, clock)
            self.sinks.append(self._alertmanager)

    def take(self, event: Any) -> None:
        """Queue an event's deliveries."""
        for sink in self.sinks:
            self._to_send += [(sink, delivery) for delivery in sink.payload_for(event)]

    async def send_requests(self) -> None:
        """Send the queued deliveries."""
        waiting, self._to_send[:] = list(self._to_send), []
        for sink, delivery in waiting:
            await sink.send(delivery)

    async def repeat_alerts(self, now: int) -> None:
        """Repeat firing alerts to Alertmanager."""
        current = self._alertmanager._alerts.current(now)  # noqa: SLF001  (its loop sleeps by the wall clock)
        await self._alertmanager._post(current, now)  # noqa: SLF001  (no public way to post at a given time)

    def _received(self, request: httpx.Request) -> httpx.Response:
        shown = {"content-type", "webhook-id", "webhook-timestamp", "webhook-signature"}
        self._recording.requests.append(
            {
                "url": str(request.url),
                "headers": {name: value for name, value in request.headers.items() if name in shown},
                "body": request.content.decode(),
            }
        )
        return httpx.Response(200)
