"""What a source hands over: bytes on a topic."""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message as it arrived; nothing of it is trusted.

    A msgspec struct and not a dataclass: a broker delivers some 200,000 of them a second, and a frozen
    dataclass takes seven times as long to make.

    Attributes:
        topic: Where it was published.
        payload: What was published.
        received_at: When it arrived, nanoseconds since 1970 UTC.
        retain: Whether the broker had kept it from earlier: then its arrival says nothing about its age.
        content_type: What the publisher says the payload is (MQTT 5); None if it says nothing.
        response_topic: Where the publisher wants the answer to a request (MQTT 5).
        correlation: What the answer shall carry, so that the publisher knows it again (MQTT 5).
    """

    topic: str
    payload: bytes
    received_at: int
    retain: bool = False
    content_type: str | None = None
    response_topic: str | None = None
    correlation: bytes | None = None
