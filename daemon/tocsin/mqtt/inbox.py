"""Inbox: received messages that wait for the engine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.ingest.message import Message

NO_ACKNOWLEDGEMENT = 0  # packet identifiers start at 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages to process together.

    Attributes:
        messages: Messages in the order of arrival.
        mids: Packet identifiers of the messages; 0 for one that needs no acknowledgement.
        link: Number of the connection; identifiers are valid on it alone.
    """

    messages: list[Message]
    mids: list[int]
    link: int

    def __len__(self) -> int:
        """Number of messages."""
        return len(self.messages)


class Inbox:
    """Bounded queue with one reader, which waits for a number of messages.

    Beyond the bound QoS 0 messages are dropped and counted. QoS 1 messages are not: `has_room` is cleared, the
    connection stops reading, and the broker queues them.

    Attributes:
        has_room: Cleared while the connection must not read.
        dropped: Number of QoS 0 messages dropped.
    """

    def __init__(self, max_messages: int) -> None:
        """Start empty, with a bound of so many messages."""
        self._max_messages = max_messages
        self._messages: list[Message] = []
        self._mids: list[int] = []
        self._to_acknowledge = 0
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None
        self.has_room = asyncio.Event()
        self.has_room.set()
        self.dropped = 0

    def __len__(self) -> int:
        """Number of messages that wait."""
        return len(self._messages)

    def put(self, message: Message, mid: int) -> None:
        """Queue a message.

        Args:
            message: Received message.
            mid: Packet identifier of the message; 0 for QoS 0.
        """
        if mid == NO_ACKNOWLEDGEMENT:
            if len(self._messages) >= self._max_messages:
                self.dropped += 1
                return
        else:
            self._to_acknowledge += 1
            if self._to_acknowledge == self._max_messages:
                self.has_room.clear()
        self._messages.append(message)
        self._mids.append(mid)
        if self._waiter is not None and len(self._messages) >= self._wanted and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, count: int, timeout_s: float | None) -> None:
        """Wait for a number of messages, or until the timeout."""
        if len(self._messages) >= count:
            return
        self._wanted = count
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await self._waiter
        except TimeoutError:
            pass
        finally:
            self._waiter = None

    def take(self, max_messages: int) -> tuple[list[Message], list[int]]:
        """Take the oldest messages and their packet identifiers."""
        messages, mids = self._messages, self._mids
        self._messages, self._mids = messages[max_messages:], mids[max_messages:]
        self._count()
        return messages[:max_messages], mids[:max_messages]

    def void_identifiers(self, *, is_redelivered: bool) -> None:
        """Void the packet identifiers of a lost connection.

        Args:
            is_redelivered: Whether the broker kept the session, and redelivers messages that were not acknowledged.
        """
        if is_redelivered:
            kept = [m for m, mid in zip(self._messages, self._mids, strict=True) if mid == NO_ACKNOWLEDGEMENT]
            self._messages = kept
        self._mids = [NO_ACKNOWLEDGEMENT] * len(self._messages)
        self._count()

    def _count(self) -> None:
        self._to_acknowledge = len(self._mids) - self._mids.count(NO_ACKNOWLEDGEMENT)
        if self._to_acknowledge < self._max_messages:
            self.has_room.set()
