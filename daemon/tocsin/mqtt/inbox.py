"""What was received and waits for the engine."""

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
        messages: In the order of arrival.
        mids: Their packet identifiers; 0 for one that needs no acknowledgement.
        link: The number of the connection they came over: an identifier means nothing to another one.
    """

    messages: list[Message]
    mids: list[int]
    link: int

    def __len__(self) -> int:
        """How many messages."""
        return len(self.messages)


class Inbox:
    """A queue with one reader, who waits for a number of messages.

    Beyond its bound a QoS 0 message is dropped and counted. A QoS 1 message never is: `has_room` is cleared, the
    connection stops reading, and the broker keeps them.
    """

    def __init__(self, max_messages: int) -> None:
        """Start empty.

        Args:
            max_messages: The bound.
        """
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
        """How many wait."""
        return len(self._messages)

    def put(self, message: Message, mid: int) -> None:
        """Queue a message.

        Args:
            message: It.
            mid: Its packet identifier; 0 for QoS 0.
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
        """Wait until a number of messages is here, or a time has passed."""
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

    def lose_connection(self, *, will_come_again: bool) -> None:
        """Void the packet identifiers of a connection that is gone.

        Args:
            will_come_again: Whether the broker kept the session, and so sends what wasn't acknowledged once more.
        """
        if will_come_again:
            kept = [m for m, mid in zip(self._messages, self._mids, strict=True) if mid == NO_ACKNOWLEDGEMENT]
            self._messages = kept
        self._mids = [NO_ACKNOWLEDGEMENT] * len(self._messages)
        self._count()

    def _count(self) -> None:
        self._to_acknowledge = len(self._mids) - self._mids.count(NO_ACKNOWLEDGEMENT)
        if self._to_acknowledge < self._max_messages:
            self.has_room.set()
