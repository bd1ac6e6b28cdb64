"""What waits to be published, and what waits to be acknowledged."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_TOPIC_BYTES = 65_535


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to publish.

    Attributes:
        topic: Where.
        payload: What.
        qos: 1 for what must arrive; 0 for what is worthless when it is late.
        retain: Whether the broker keeps it for those who come later.
        correlation: What its receiver knows it by (MQTT 5); None for nothing.
        settled: Called once when there is nothing more to do for it: the broker has it, a newer state has taken its
            place, or it was dropped and counted. Nothing may be put or taken meanwhile.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    correlation: bytes | None = None
    settled: Callable[[], None] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a topic for which a broker would drop the connection, again and again.

        Raises:
            ValueError: For a topic that nothing can be published on.
        """
        if not self.topic or any(c in self.topic for c in "+#\x00") or len(self.topic.encode()) > _LONGEST_TOPIC_BYTES:
            raise ValueError(f"nothing can be published on topic {self.topic!r:.100}")

    def settle(self) -> None:
        """Tell whoever asked that there is nothing more to do for it."""
        if self.settled is not None:
            self.settled()


class Outbox:
    """A bounded queue in which a retained message takes the place of an older one on its topic.

    Retained messages are states: only the newest matters, there are as many as topics, and none is ever dropped.
    The others are news: when too many wait, the oldest goes, and is counted.
    """

    def __init__(self, max_messages: int) -> None:
        """Start empty.

        Args:
            max_messages: How many may wait.
        """
        self._max_messages = max_messages
        self._queue: OrderedDict[str | int, Outgoing] = OrderedDict()  # by topic if retained, else by a number
        self._transient: OrderedDict[int, None] = OrderedDict()  # the numbers in `_queue`, oldest first
        self._in_flight: OrderedDict[int, Outgoing] = OrderedDict()  # by packet identifier
        self._serial = 0
        self.dropped = 0

    def __len__(self) -> int:
        """How many wait, those in flight among them."""
        return len(self._queue) + len(self._in_flight)

    @property
    def in_flight(self) -> int:
        """How many were sent and are not acknowledged."""
        return len(self._in_flight)

    def put(self, message: Outgoing, *, first: bool = False) -> None:
        """Queue a message, at the end or before all others."""
        key = self._append(message)
        if first:
            self._queue.move_to_end(key, last=False)
        self._drop_surplus()

    def next(self) -> Outgoing | None:
        """Take the message that is to be sent now."""
        if not self._queue:
            return None
        key, message = self._queue.popitem(last=False)
        if isinstance(key, int):
            del self._transient[key]
        return message

    def sent(self, mid: int, message: Outgoing) -> None:
        """Hold a QoS 1 message until it is acknowledged."""
        self._in_flight[mid] = message

    def acknowledged(self, mid: int) -> Outgoing | None:
        """Let a message go; None if it was not in flight."""
        message = self._in_flight.pop(mid, None)
        if message is not None:
            message.settle()
        return message

    def requeue(self) -> None:
        """Put what was in flight back to the front, in its order: the connection is gone."""
        messages = [*self._in_flight.values(), *self._queue.values()]
        self._in_flight.clear()
        self._queue.clear()
        self._transient.clear()
        for message in messages:  # a newer state of a topic takes the place of the one that was in flight
            self._append(message)
        self._drop_surplus()

    def _append(self, message: Outgoing) -> str | int:
        key: str | int = message.topic
        if message.retain:
            if (older := self._queue.pop(key, None)) is not None:
                older.settle()
        else:
            self._serial += 1
            key = self._serial
            self._transient[key] = None
        self._queue[key] = message
        return key

    def _drop_surplus(self) -> None:
        while len(self._queue) > self._max_messages and self._transient:
            oldest, _ = self._transient.popitem(last=False)
            self._queue.pop(oldest).settle()
            self.dropped += 1
