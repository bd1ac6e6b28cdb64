"""Delivering what one sink owes: a few keys at a time, each key in order, again and again until it is told."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from tocsin.notify.http_post import DeliveryStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tocsin.notify.http_post import Answer

_LOG = logging.getLogger(__name__)

_NS_PER_S = 1_000_000_000
_AT_ONCE = 4  # keys: a receiver that hangs on one request is not sent a hundred more


class Parcel(Protocol):
    """Something to tell."""

    @property
    def key(self) -> str:
        """What is told of one key stays in order."""

    @property
    def event_id(self) -> int:
        """Of the event."""

    @property
    def body(self) -> bytes:
        """What to tell."""


class Delivery(Protocol):
    """Something owed, on its way."""

    @property
    def owed(self) -> Parcel:
        """What."""

    @property
    def attempts(self) -> int:
        """How often it was tried and postponed."""


_D = TypeVar("_D", bound=Delivery)


class Deliveries(Protocol[_D]):
    """What is owed; kept elsewhere."""

    def listen(self, sink: str, wake: Callable[[], None]) -> None:
        """Call `wake` whenever the sink owes something."""

    def next(self, sink: str, now: int) -> _D | None:
        """Take in hand the oldest that may be tried now."""

    def next_at(self, sink: str) -> int | None:
        """When `next` will have something, as far as is known now."""

    def settle(self, delivery: _D) -> None:
        """It has been told."""

    def postpone(self, delivery: _D, until: int) -> None:
        """Try again at `until`, nanoseconds since 1970."""

    def bury(self, delivery: _D, reason: str, now: int) -> None:
        """It can't be told, ever."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a receiver that doesn't take something is tried again.

    Attributes:
        first_s: Before the second attempt.
        cap_s: The longest wait.
        attempts: After so many it is buried.
    """

    first_s: float = 2.0
    cap_s: float = 900.0
    attempts: int = 140  # with the waits above a day, and a day is what a receiver may be away

    def wait_s(self, attempts: int, jitter: float) -> float:
        """The wait after a number of attempts that failed; `jitter` in [0, 1) spreads them."""
        longest = min(self.cap_s, self.first_s * 2.0 ** min(attempts, 32))
        return longest * (0.5 + 0.5 * jitter)


class DeliveryWorker(Generic[_D]):
    """One sink's deliveries.

    Attributes:
        problem: Why the last attempt failed; None if it didn't.
    """

    def __init__(
        self,
        sink: str,
        deliveries: Deliveries[_D],
        send: Callable[[Parcel], Awaitable[Answer]],
        tell: Callable[[str, DeliveryStatus], None],
        *,
        patience: RetryPolicy = RetryPolicy(),
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Prepare; `run` delivers.

        Args:
            sink: Its name.
            deliveries: What is owed.
            send: Tries to tell one thing; never raises but when cancelled.
            tell: Is told of each attempt's fate.
            patience: With the receiver.
            clock: Nanoseconds since 1970.
        """
        self.sink = sink
        self.problem: str | None = None
        self._deliveries = deliveries
        self._send = send
        self._tell = tell
        self._patience = patience
        self._clock = clock
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled. What is in hand then is owed still."""
        self._deliveries.listen(self.sink, self._woken.set)
        async with asyncio.TaskGroup() as carriers:
            under_way: set[asyncio.Task[None]] = set()
            while True:
                self._woken.clear()
                while len(under_way) < _AT_ONCE:
                    delivery = self._deliveries.next(self.sink, self._clock())
                    if delivery is None:
                        break
                    task = carriers.create_task(self._carry(delivery), name=f"{self.sink} delivery")
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                    task.add_done_callback(lambda _: self._woken.set())
                await self._wait(busy=len(under_way) >= _AT_ONCE)

    async def _wait(self, *, busy: bool) -> None:
        """Until something is owed, comes due, or a carrier is free."""
        at = None if busy else self._deliveries.next_at(self.sink)
        timeout_s = None if at is None else max(0.0, (at - self._clock()) / _NS_PER_S)
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _carry(self, delivery: _D) -> None:
        answer = await self._send(delivery.owed)
        now = self._clock()
        attempts = delivery.attempts + 1
        fate = answer.fate
        if fate is DeliveryStatus.LATER and attempts >= self._patience.attempts:
            fate = DeliveryStatus.REFUSED
        match fate:
            case DeliveryStatus.DELIVERED:
                self._deliveries.settle(delivery)
            case DeliveryStatus.REFUSED:
                self._deliveries.bury(delivery, answer.why, now)
                _LOG.error("%s: %s of event %d is given up", self.sink, answer.why, delivery.owed.event_id)
            case DeliveryStatus.LATER:
                own_s = self._patience.wait_s(delivery.attempts, random.random())  # noqa: S311  (no secret)
                wait_s = max(own_s, min(answer.wait_s or 0.0, self._patience.cap_s))
                self._deliveries.postpone(delivery, now + round(wait_s * _NS_PER_S))
        self._tell(self.sink, fate)
        self._note(answer)

    def _note(self, answer: Answer) -> None:
        problem = None if answer.fate is DeliveryStatus.DELIVERED else answer.why
        if problem is not None and self.problem is None:
            _LOG.warning("%s: %s; trying again", self.sink, problem)
        elif problem is None and self.problem is not None:
            _LOG.info("%s: delivers again", self.sink)
        self.problem = problem
