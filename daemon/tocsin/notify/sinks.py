"""The sinks over HTTP: what each owes for an event, and how it tells it."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tocsin.notify import webhook_signature
from tocsin.notify.alertmanager import Alert
from tocsin.notify.http_post import Answer, DeliveryStatus, post

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import httpx

    from tocsin.alarm import Event, Transition
    from tocsin.delivery.worker import Parcel
    from tocsin.engine.events import Category, Priority
    from tocsin.notify.alertmanager import Alerts

_LOG = logging.getLogger(__name__)

_NS_PER_S = 1_000_000_000
_ALERTS_A_POST = 500
_encode = msgspec.json.Encoder().encode
_decode_alerts = msgspec.json.Decoder(list[Alert]).decode


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a receiver wants; all where nothing is said.

    Attributes:
        transitions: Of which kinds.
        priorities: Of which priorities.
        categories: Physiological, technical or both.
    """

    transitions: Collection[Transition]
    priorities: Collection[Priority]
    categories: Collection[Category]

    def has(self, event: Event) -> bool:
        """Whether it wants this one; what nobody is told of, it isn't told of either."""
        return (
            event.announced
            and event.transition in self.transitions
            and event.status.priority in self.priorities
            and event.category in self.categories
        )


class Webhook:
    """A receiver of signed requests, one an event."""

    def __init__(
        self,
        name: str,
        url: str,
        key: bytes | None,
        origin: str,
        wanted: EventFilter,
        client: httpx.AsyncClient,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Prepare.

        Args:
            name: In the configuration.
            url: Where.
            key: To sign with; None for no signature.
            origin: What an event's identity begins with: ids of two daemons must not be taken for doubles.
            wanted: Which events.
            client: To send with.
            clock: Nanoseconds since 1970.
        """
        self.sink = f"webhook/{name}"
        self._url = url
        self._key = key
        self._origin = origin
        self._wanted = wanted
        self._client = client
        self._clock = clock

    def owes(self, event: Event) -> bytes | None:
        """What is to be told of an event; None for nothing."""
        return webhook_signature.body(event) if self._wanted.has(event) else None

    async def send(self, parcel: Parcel) -> Answer:
        """Try to tell it."""
        now = self._clock()
        headers = webhook_signature.headers(f"{self._origin}-{parcel.event_id}", now, parcel.body, self._key)
        return await post(self._client, self._url, parcel.body, headers, now)


class Alertmanager:
    """One or more Alertmanagers of a cluster: each is told everything."""

    sink = "alertmanager"

    def __init__(
        self,
        urls: Sequence[str],
        alerts: Alerts,
        resend_s: float,
        client: httpx.AsyncClient,
        tell: Callable[[str, DeliveryStatus], None],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Prepare; `run` tells again and again what fires.

        Args:
            urls: Of each, without the API's path.
            alerts: What they have to know.
            resend_s: How often.
            client: To send with.
            tell: Is told of each round's fate.
            clock: Nanoseconds since 1970.
        """
        self._urls = [f"{url.rstrip('/')}/api/v2/alerts" for url in urls]
        self._alerts = alerts
        self._resend_s = resend_s
        self._client = client
        self._tell = tell
        self._clock = clock

    def owes(self, event: Event) -> bytes | None:
        """The alerts that an event changed; None for none."""
        changed = self._alerts.hear(event)
        return _encode(changed) if changed else None

    async def send(self, parcel: Parcel) -> Answer:
        """Try to tell it; it is delivered once one of the cluster has it. What no longer fires is not told to fire."""
        now = self._clock()
        changed = _decode_alerts(parcel.body)
        due = [alert for alert in changed if alert.ended_at is not None or self._alerts.fires(alert)]
        return await self._post([self._alerts.posted(alert, now) for alert in due], now)

    async def run(self) -> None:
        """Tell again and again until cancelled."""
        while True:
            await asyncio.sleep(self._resend_s)
            now = self._clock()
            if posting := self._alerts.posting(now):
                answer = await self._post(posting, now)
                self._tell(self.sink, answer.fate)

    async def _post(self, posting: Sequence[Mapping[str, object]], now: int) -> Answer:
        answers = await asyncio.gather(*(self._post_to(url, posting, now) for url in self._urls))
        return next((answer for answer in answers if answer.fate is DeliveryStatus.DELIVERED), answers[0])

    async def _post_to(self, url: str, posting: Sequence[Mapping[str, object]], now: int) -> Answer:
        for start in range(0, len(posting), _ALERTS_A_POST):
            content = _encode(posting[start : start + _ALERTS_A_POST])
            answer = await post(self._client, url, content, {"content-type": "application/json"}, now)
            if answer.fate is not DeliveryStatus.DELIVERED:
                # Not even a refusal is for good: Alertmanager refuses the whole of a post for the fault of one alert.
                return Answer(DeliveryStatus.LATER, answer.why, answer.wait_s)
        return Answer(DeliveryStatus.DELIVERED)
