"""How to reach a broker, and what to ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path


class ProtocolVersion(IntEnum):
    """The version on the wire."""

    V311 = 4
    V5 = 5


@dataclass(frozen=True, slots=True)
class Tls:
    """An encrypted connection. The broker's certificate is always checked.

    Attributes:
        ca_file: Who is trusted to sign it; None for the system's own list.
        cert_file: This client's certificate, where the broker asks for one.
        key_file: Its key; None if it is in `cert_file`.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """What to receive.

    Attributes:
        filter: A topic filter.
        qos: 0, or 1 to have the broker keep a message until it is acknowledged.
    """

    filter: str
    qos: Literal[0, 1] = 1


@dataclass(frozen=True, slots=True)
class StatusTopic:
    """The retained message that says whether the daemon is there.

    Attributes:
        topic: Where.
        online: Published after every connect.
        offline: The will; published before a clean disconnect, too, as a will is only for an unclean one.
        will_delay_s: MQTT 5: how long the broker waits with the will, so that a short reconnect doesn't flap.
    """

    topic: str
    online: bytes
    offline: bytes
    will_delay_s: int = 5


@dataclass(frozen=True, slots=True)
class Announcement:
    """Another retained message that says whether the daemon is there, which no will stands behind: MQTT has one.

    Attributes:
        topic: Where.
        online: Published after every connect.
        offline: Published before a clean disconnect; an unclean one leaves `online` behind.
    """

    topic: str
    online: bytes
    offline: bytes


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait between attempts to connect.

    Attributes:
        first_s: Before the second attempt.
        cap_s: The longest wait.
        stable_s: A connection that held as long as this starts the waits over. One that is lost sooner does not:
            two clients with one client id throw each other out, and must not do it in a tight loop.
    """

    first_s: float = 0.5
    cap_s: float = 30.0
    stable_s: float = 10.0

    def delay_s(self, attempt: int, jitter: float) -> float:
        """The wait after a number of attempts that failed in a row.

        Args:
            attempt: How many failed before this one; 0 is the first.
            jitter: In [0, 1): spreads a ward's worth of clients after the broker's restart.
        """
        longest = min(self.cap_s, self.first_s * 2.0 ** min(attempt, 32))
        return longest * (0.5 + 0.5 * jitter)


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """One connection to one broker.

    Attributes:
        host: Its name or address.
        port: 1883, or 8883 with TLS, by custom.
        client_id: The session's name with the broker; another client that uses it throws this one out.
        version: The protocol's version.
        username: None for an anonymous client.
        password: None for none.
        tls: None for a plain connection.
        keepalive_s: A silence after which the broker is asked whether it is still there.
        connect_timeout_s: How long an attempt to connect may take.
        session_expiry_s: How long the broker keeps the session, and queues QoS 1 messages, while the daemon is
            away; 0 for not at all. MQTT 3.1.1 knows only not at all and for as long as the broker likes.
        receive_maximum: How many QoS 1 messages may be unacknowledged at once (MQTT 5; 3.1.1 leaves it to the
            broker).
        max_packet_bytes: A larger message is left with the broker (MQTT 5), so that nobody fills this machine's
            memory with one.
        subscriptions: What to receive.
        status: The retained message that says whether the daemon is there; None for none.
        announcements: Others beside it.
        inbox_messages: How many received messages wait for the engine; beyond it QoS 0 is dropped and counted, and
            QoS 1 left to the broker.
        outbox_messages: How many messages wait to be published; beyond it the oldest that isn't retained goes.
        backoff: Waits between attempts.
    """

    host: str
    port: int
    client_id: str
    version: ProtocolVersion = ProtocolVersion.V5
    username: str | None = None
    password: str | None = None
    tls: Tls | None = None
    keepalive_s: int = 30
    connect_timeout_s: float = 10.0
    session_expiry_s: int = 3_600
    receive_maximum: int = 10_000
    max_packet_bytes: int = 17 * 1024 * 1024
    subscriptions: tuple[Subscription, ...] = ()
    status: StatusTopic | None = None
    announcements: tuple[Announcement, ...] = ()
    inbox_messages: int = 100_000
    outbox_messages: int = 10_000
    backoff: Backoff = Backoff()

    @property
    def broker(self) -> str:
        """As a person would write it; the password is no part of it."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"
