"""The webhook sink: one request an event, signed as the Standard Webhooks specification 1.0.0 has it.

A receiver checks with a library of that specification that a request is authentic and no replay. `webhook-id` is the
same each time an event is sent: receivers drop duplicates by it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Protocol, Self

import httpx
import msgspec

from tocsin.api.event_json import event_fields, status_fields
from tocsin.delivery import Delivery, EventFilter, Sink
from tocsin.ingest.timestamps import iso_8601
from tocsin.notify.http_post import post

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from tocsin.alarm import Event, Transition
    from tocsin.delivery import DeliveryResult, SinkContext
    from tocsin.engine.events import Category, Priority

_encode = msgspec.json.Encoder().encode


class WebhookOptions(Protocol):
    """The options of a webhook; `tocsin.config.notify.WebhookEntry` has them."""

    @property
    def url(self) -> str:
        """The receiver."""

    @property
    def transitions(self) -> Collection[Transition]:
        """Of the events to send."""

    @property
    def priorities(self) -> Collection[Priority]:
        """Of the events to send."""

    @property
    def categories(self) -> Collection[Category]:
        """Of the events to send."""

    @property
    def timeout_s(self) -> float:
        """For connecting, writing and reading, each."""

    def signing_key(self, folder: Path) -> bytes | None:
        """The key to sign with; None for no signature.

        Raises:
            OSError: Its file can't be read.
            ValueError: It can't sign.
        """


class Webhook(Sink):
    """Sends a signed request an event."""

    def __init__(
        self,
        name: str,
        url: str,
        key: bytes | None,
        origin: str,
        events: EventFilter,
        client: httpx.AsyncClient,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Send nothing yet.

        Args:
            name: The sink's.
            url: The receiver.
            key: To sign with; None for no signature.
            origin: Prefix of `webhook-id`: events of two daemons have the same numbers.
            events: Which events to send.
            client: To send with; `close` closes it.
            clock: Nanoseconds since 1970.
        """
        self.name = name
        self._url = url
        self._key = key
        self._origin = origin
        self._events = events
        self._client = client
        self._clock = clock

    @classmethod
    def build(cls, options: WebhookOptions, context: SinkContext) -> Self:
        """Make the sink of an entry in `notify.webhooks`.

        Raises:
            OSError: The secret can't be read.
            ValueError: The secret can't sign.
        """
        client = httpx.AsyncClient(timeout=options.timeout_s, headers={"user-agent": f"tocsin/{context.version}"})
        events = EventFilter(options.transitions, options.priorities, options.categories)
        return cls(context.name, options.url, options.signing_key(context.folder), context.origin, events, client)

    def payload_for(self, event: Event) -> list[Delivery]:
        """The request's body, in order per alarm."""
        if not self._events.passes(event):
            return []
        return [Delivery(self.name, f"{event.stream}/{event.alarm}", event.id, body(event))]

    async def send(self, delivery: Delivery) -> DeliveryResult:
        """Post it; any 2xx status means delivered, 410 rejected."""
        now = self._clock()
        identity = f"{self._origin}-{delivery.event_id}"
        return await post(self._client, self._url, delivery.body, headers(identity, now, delivery.body, self._key), now)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


SINK = Webhook


def body(event: Event) -> bytes:
    """The JSON body: `type`, such as `alarm.raise`, `timestamp`, and the event under `data`."""
    data = {"transition": event.transition, **status_fields(event.status), **event_fields(event)}
    return _encode({"type": f"alarm.{event.transition}", "timestamp": iso_8601(event.raised_at), "data": data})


def headers(identity: str, sent_at: int, content: bytes, key: bytes | None) -> dict[str, str]:
    """The headers of a request.

    Args:
        identity: The same each time this event is sent.
        sent_at: Nanoseconds since 1970.
        content: The body.
        key: To sign with; None for no signature.
    """
    seconds = str(sent_at // 1_000_000_000)
    made = {"content-type": "application/json", "webhook-id": identity, "webhook-timestamp": seconds}
    if key is not None:
        signed = b".".join([identity.encode(), seconds.encode(), content])
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        made["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return made
