"""The delivery worker: sends one sink's pending deliveries, keeps their order, and retries with backoff."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.delivery.sink import DeliveryResult, DeliveryStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.delivery.queue import DeliveryQueue, PendingDelivery
    from tocsin.delivery.sink import Sink

_LOG = logging.getLogger(__name__)

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with jitter, and a limit on attempts.

    Attributes:
        first_s: Before the second attempt.
        cap_s: The longest wait.
        attempts: After so many failures a delivery becomes a dead letter.
    """

    first_s: float = 2.0
    cap_s: float = 900.0
    attempts: int = 140  # with the waits above about a day: receivers may be down for that long

    def wait_s(self, attempts: int, jitter: float) -> float:
        """The wait after a number of failed attempts; `jitter` in [0, 1) spreads retries in time."""
        longest = min(self.cap_s, self.first_s * 2.0 ** min(attempts, 32))
        return longest * (0.5 + 0.5 * jitter)


class DeliveryWorker:
    """Sends the deliveries of one sink.

    Attributes:
        problem: Why the last attempt failed; None if it succeeded.
    """

    def __init__(
        self,
        sink: Sink,
        queue: DeliveryQueue,
        report: Callable[[str, DeliveryStatus], None],
        *,
        retry: RetryPolicy = RetryPolicy(),
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Send nothing yet; `start` or `run` does.

        Args:
            sink: The sink.
            queue: Holds its pending deliveries.
            report: Receives the sink's name and the outcome of each attempt.
            retry: When to try again.
            clock: Nanoseconds since 1970.
        """
        self.problem: str | None = None
        self._sink = sink
        self._queue = queue
        self._report = report
        self._retry = retry
        self._clock = clock
        self._attempts: dict[asyncio.Future[DeliveryResult], PendingDelivery] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    async def run(self) -> None:
        """Deliver until cancelled. Deliveries in flight then stay pending."""
        self.start()
        try:
            await asyncio.Event().wait()
        finally:
            await self._stop()

    def start(self) -> None:
        """Deliver from now on, as soon as the queue has something."""
        self._queue.listen(self._sink.name, self._send_due)

    async def _stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        attempts = list(self._attempts)
        for attempt in attempts:
            attempt.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)

    def _send_due(self) -> None:
        """Send what may be sent now, in the order of the queue, and come back when more is due."""
        if self._stopped:
            return
        for pending in self._take(self._sink.max_in_flight - len(self._attempts)):
            attempt = asyncio.ensure_future(self._sink.send(pending.delivery))
            self._attempts[attempt] = pending
            attempt.add_done_callback(self._finish)
        self._schedule()

    def _take(self, limit: int) -> list[PendingDelivery]:
        name = self._sink.name
        if self._sink.keeps_order:
            return self._queue.take(name, limit, self._clock())
        taken: list[PendingDelivery] = []
        while len(taken) < limit and (pending := self._queue.next(name, self._clock())) is not None:
            taken.append(pending)
        return taken

    def _schedule(self) -> None:
        """Set the timer for the next retry; a free slot or a new delivery needs none."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if len(self._attempts) >= self._sink.max_in_flight:
            return
        due_at = self._queue.next_at(self._sink.name)
        if due_at is not None:
            wait_s = max(0.0, (due_at - self._clock()) / _NS_PER_S)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._send_due)

    def _finish(self, attempt: asyncio.Future[DeliveryResult]) -> None:
        """Acknowledge, retry or give up a delivery, as its attempt turned out."""
        pending = self._attempts.pop(attempt)
        if self._stopped and attempt.cancelled():
            return
        result = _result(attempt)
        status = result.status
        if status is DeliveryStatus.RETRY and pending.attempts + 1 >= self._retry.attempts:
            status = DeliveryStatus.REJECTED
        now = self._clock()
        match status:
            case DeliveryStatus.DELIVERED:
                self._queue.acknowledge(pending)
            case DeliveryStatus.REJECTED:
                self._queue.dead_letter(pending, result.reason, now)
                event = pending.delivery.event_id
                _LOG.error("%s: event %d is a dead letter: %s", self._sink.name, event, result.reason)
            case DeliveryStatus.RETRY:
                self._queue.postpone(pending, now + round(self._wait_s(pending, result) * _NS_PER_S))
        self._report(self._sink.name, status)
        self._log_changes(result)
        self._send_due()

    def _wait_s(self, pending: PendingDelivery, result: DeliveryResult) -> float:
        backoff_s = self._retry.wait_s(pending.attempts, random.random())  # noqa: S311  (no secret)
        return max(backoff_s, min(result.retry_after_s or 0.0, self._retry.cap_s))

    def _log_changes(self, result: DeliveryResult) -> None:
        problem = None if result.status is DeliveryStatus.DELIVERED else result.reason
        if problem is not None and self.problem is None:
            _LOG.warning("%s: %s; retrying", self._sink.name, problem)
        elif problem is None and self.problem is not None:
            _LOG.info("%s: delivers again", self._sink.name)
        self.problem = problem


def _result(attempt: asyncio.Future[DeliveryResult]) -> DeliveryResult:
    """The result of an attempt; a sink that raises is tried again, and stops no other."""
    if attempt.cancelled():
        return DeliveryResult(DeliveryStatus.RETRY, "the attempt was cancelled")
    error = attempt.exception()
    return attempt.result() if error is None else DeliveryResult(DeliveryStatus.RETRY, repr(error))
