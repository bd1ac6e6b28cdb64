"""A sink of another package, whose exceptions harm neither alarms nor other sinks."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from tocsin.delivery.sink import Delivery, DeliveryResult, DeliveryStatus, Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tocsin.alarm import Event

_LOG = logging.getLogger(__name__)

_MAX_EVENT_ID = 2**63 - 1  # as the store holds it


class GuardedSink(Sink):
    """Delegates to a sink, and logs what it raises. An event whose payload can't be made counts as rejected."""

    def __init__(self, name: str, sink: Sink, report: Callable[[str, DeliveryStatus], None]) -> None:
        """Guard a sink.

        Args:
            name: The sink's name, which its deliveries have to carry.
            sink: The sink.
            report: Receives the name and `REJECTED` for an event whose payload can't be made.
        """
        self.name = name
        self.max_in_flight = sink.max_in_flight
        self.keeps_order = sink.keeps_order
        self._sink = sink
        self._report = report

    def payload_for(self, event: Event) -> Sequence[Delivery]:
        """The sink's deliveries; none if it raises or makes something else."""
        try:
            deliveries = list(self._sink.payload_for(event))
            for delivery in deliveries:
                self._check(delivery)
        except Exception:  # noqa: BLE001  (foreign code may raise anything)
            _LOG.exception("%s: event %d has no payload", self.name, event.id)
            self._report(self.name, DeliveryStatus.REJECTED)
            return []
        return deliveries

    def _check(self, delivery: object) -> None:
        """Check a delivery: one that can't be stored would keep the daemon from committing anything."""
        if not isinstance(delivery, Delivery) or delivery.sink != self.name:
            raise TypeError(f"{delivery!r:.200} (legal: a Delivery for sink {self.name!r})")
        key, number, body, replaces = delivery.key, delivery.event_id, delivery.body, delivery.replaces
        if not (type(key) is str and type(number) is int and type(body) is bytes and type(replaces) is bool):
            raise TypeError(f"{delivery!r:.200} (legal: key is text, event_id an integer, body bytes, replaces a bool)")
        if not 0 <= number <= _MAX_EVENT_ID:
            raise ValueError(f"event_id {number} (legal: the event's)")
        key.encode()

    async def send(self, delivery: Delivery) -> DeliveryResult:
        """Send; the worker handles exceptions.

        Raises:
            TypeError: The sink gives no `DeliveryResult`.
        """
        result = await self._sink.send(delivery)
        if not isinstance(result, DeliveryResult):
            raise TypeError(f"send gave {result!r:.200} (legal: a DeliveryResult)")
        after_s = result.retry_after_s
        if not (after_s is None or (isinstance(after_s, int | float) and math.isfinite(after_s))):
            raise TypeError(f"send gave {result!r:.200} (legal: retry_after_s is a finite number, or None)")
        return DeliveryResult(DeliveryStatus(result.status), str(result.reason), after_s)

    def restore(self, event: Event) -> None:
        """Restore an alarm."""
        try:
            self._sink.restore(event)
        except Exception:  # noqa: BLE001  (foreign code may raise anything)
            _LOG.exception("%s: alarm %s/%s is not restored", self.name, event.stream, event.alarm)

    async def run(self) -> None:
        """Run until cancelled, or until the sink returns or raises."""
        try:
            await self._sink.run()
        except Exception:  # noqa: BLE001  (foreign code may raise anything)
            _LOG.exception("%s: its background work has ended", self.name)

    async def close(self) -> None:
        """Release connections."""
        try:
            await self._sink.close()
        except Exception:  # noqa: BLE001  (foreign code may raise anything)
            _LOG.exception("%s: its connections are not closed", self.name)
