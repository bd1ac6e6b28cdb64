"""The Alertmanager sink (API v2): posts changed alerts at once, and all that fire again and again."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol, Self

import httpx
import msgspec

from tocsin.delivery import Delivery, DeliveryResult, DeliveryStatus, Sink
from tocsin.notify.alerts import Alerts, alerts_from_json, alerts_to_json
from tocsin.notify.http_post import post

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tocsin.alarm import Event
    from tocsin.delivery import SinkContext

_ALERTS_A_POST = 500
_TIMEOUT_S = 10.0
_encode = msgspec.json.Encoder().encode


class AlertmanagerOptions(Protocol):
    """The options of an Alertmanager cluster; `tocsin.config.notify.AlertmanagerEntry` has them."""

    @property
    def urls(self) -> Sequence[str]:
        """Of each member, without the API's path."""

    @property
    def resend_s(self) -> float:
        """How often what fires is posted again."""

    @property
    def labels(self) -> Mapping[str, str]:
        """For all alerts."""


class Alertmanager(Sink):
    """Posts alerts to each member of a cluster; one that takes them is enough."""

    def __init__(
        self,
        name: str,
        options: AlertmanagerOptions,
        client: httpx.AsyncClient,
        report: Callable[[str, DeliveryStatus], None],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Send nothing yet; `run` posts again and again what fires.

        Args:
            name: The sink's.
            options: The cluster.
            client: To send with; `close` closes it.
            report: Receives the sink's name and the outcome of each round of `run`.
            clock: Nanoseconds since 1970.
        """
        self.name = name
        self._urls = [f"{url.rstrip('/')}/api/v2/alerts" for url in options.urls]
        self._alerts = Alerts(options.labels, options.resend_s)
        self._resend_s = options.resend_s
        self._client = client
        self._report = report
        self._clock = clock

    @classmethod
    def build(cls, options: AlertmanagerOptions, context: SinkContext) -> Self:
        """Make the sink of `notify.alertmanager`."""
        client = httpx.AsyncClient(timeout=_TIMEOUT_S, headers={"user-agent": f"tocsin/{context.version}"})
        return cls(context.name, options, client, context.report)

    def payload_for(self, event: Event) -> list[Delivery]:
        """The alerts that an event changed."""
        changed = self._alerts.update(event)
        if not changed:
            return []
        return [Delivery(self.name, f"{event.stream}/{event.alarm}", event.id, alerts_to_json(changed))]

    def restore(self, event: Event) -> None:
        """Let an alarm fire that was raised before a restart."""
        self._alerts.update(event)

    async def send(self, delivery: Delivery) -> DeliveryResult:
        """Post alerts; delivered once a member has them. An alert that no longer fires is not posted as firing."""
        now = self._clock()
        changed = alerts_from_json(delivery.body)
        current = [alert for alert in changed if alert.ended_at is not None or self._alerts.fires(alert)]
        return await self._post([self._alerts.to_post(alert, now) for alert in current], now)

    async def run(self) -> None:
        """Post all current alerts every `resend_s`, until cancelled."""
        while True:
            await asyncio.sleep(self._resend_s)
            now = self._clock()
            if current := self._alerts.current(now):
                result = await self._post(current, now)
                self._report(self.name, result.status)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _post(self, alerts: Sequence[Mapping[str, object]], now: int) -> DeliveryResult:
        results = await asyncio.gather(*(self._post_to(url, alerts, now) for url in self._urls))
        return next((result for result in results if result.status is DeliveryStatus.DELIVERED), results[0])

    async def _post_to(self, url: str, alerts: Sequence[Mapping[str, object]], now: int) -> DeliveryResult:
        for start in range(0, len(alerts), _ALERTS_A_POST):
            content = _encode(alerts[start : start + _ALERTS_A_POST])
            result = await post(self._client, url, content, {"content-type": "application/json"}, now)
            if result.status is not DeliveryStatus.DELIVERED:
                # Not even a rejection is final: Alertmanager rejects a whole post for one alert at fault.
                return DeliveryResult(DeliveryStatus.RETRY, result.reason, result.retry_after_s)
        return DeliveryResult(DeliveryStatus.DELIVERED)


SINK = Alertmanager
