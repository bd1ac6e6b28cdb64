"""Outbox: messages that wait to be published or for the broker's acknowledgement."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_TOPIC_BYTES = 65_535


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Message to publish.

    Attributes:
        topic: Topic to publish on.
        payload: Bytes to publish.
        qos: 1 for delivery at least once; 0 for messages without value when they are late.
        retain: Whether the broker retains it for later subscribers.
        correlation: Correlation data of a response (MQTT 5); None: none.
        settled: Callback, called once the message is acknowledged, replaced by a newer state, or dropped and counted.
            It must not change the outbox.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    correlation: bytes | None = None
    settled: Callable[[], None] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Check the topic: brokers drop connections for illegal ones.

        Raises:
            ValueError: The topic is empty, too long, or has a wildcard or a zero character.
        """
        if not self.topic or any(c in self.topic for c in "+#\x00") or len(self.topic.encode()) > _LONGEST_TOPIC_BYTES:
            raise ValueError(f"nothing can be published on topic {self.topic!r:.100}")

    def settle(self) -> None:
        """Call the callback."""
        if self.settled is not None:
            self.settled()


class Outbox:
    """Bounded queue in which a retained message replaces an older one on its topic.

    Retained messages are states: the newest of each topic is kept, and none is dropped. Of the others the oldest is
    dropped and counted when too many wait.

    Attributes:
        dropped: Number of messages dropped.
    """

    def __init__(self, max_messages: int) -> None:
        """Start empty, with a bound of so many messages."""
        self._max_messages = max_messages
        self._queue: OrderedDict[str | int, Outgoing] = OrderedDict()  # by topic if retained, else by a number
        self._transient: OrderedDict[int, None] = OrderedDict()  # the numbers in `_queue`, oldest first
        self._in_flight: OrderedDict[int, Outgoing] = OrderedDict()  # by packet identifier
        self._serial = 0
        self.dropped = 0

    def __len__(self) -> int:
        """Number of messages that wait, those in flight included."""
        return len(self._queue) + len(self._in_flight)

    @property
    def in_flight(self) -> int:
        """Number of messages sent without acknowledgement."""
        return len(self._in_flight)

    def put(self, message: Outgoing, *, first: bool = False) -> None:
        """Queue a message, last or first."""
        key = self._append(message)
        if first:
            self._queue.move_to_end(key, last=False)
        self._drop_surplus()

    def next(self) -> Outgoing | None:
        """Take the next message to send; None if there is none."""
        if not self._queue:
            return None
        key, message = self._queue.popitem(last=False)
        if isinstance(key, int):
            del self._transient[key]
        return message

    def sent(self, mid: int, message: Outgoing) -> None:
        """Keep a sent QoS 1 message until it is acknowledged."""
        self._in_flight[mid] = message

    def acknowledged(self, mid: int) -> Outgoing | None:
        """Remove an acknowledged message; None if it was not in flight."""
        message = self._in_flight.pop(mid, None)
        if message is not None:
            message.settle()
        return message

    def requeue(self) -> None:
        """Put messages in flight back to the front, in their order, after a lost connection."""
        messages = [*self._in_flight.values(), *self._queue.values()]
        self._in_flight.clear()
        self._queue.clear()
        self._transient.clear()
        for message in messages:  # a newer state of a topic replaces the one in flight
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
