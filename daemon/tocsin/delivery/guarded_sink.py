"""A sink of another package, whose exceptions harm neither alarms nor other sinks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tocsin.delivery.sink import Delivery, DeliveryStatus, Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tocsin.alarm import Event
    from tocsin.delivery.sink import DeliveryResult

_LOG = logging.getLogger(__name__)


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
        if not isinstance(delivery, Delivery) or delivery.sink != self.name:
            raise TypeError(f"{delivery!r:.200} (legal: a Delivery for sink {self.name!r})")

    async def send(self, delivery: Delivery) -> DeliveryResult:
        """Send; the worker handles exceptions."""
        return await self._sink.send(delivery)

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
