"""Settings of a connection to a broker."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path


class ProtocolVersion(IntEnum):
    """MQTT version, by its number in CONNECT."""

    V311 = 4
    V5 = 5


@dataclass(frozen=True, slots=True)
class Tls:
    """Settings of TLS. The broker's certificate is always verified.

    Attributes:
        ca_file: Trusted certificate authorities; None: the system's.
        cert_file: Client certificate; None: none.
        key_file: Private key of the client certificate; None: it is in `cert_file`.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """Subscription to a topic filter.

    Attributes:
        filter: Topic filter.
        qos: Quality of service; with 1 the broker keeps a message until it is acknowledged.
    """

    filter: str
    qos: Literal[0, 1] = 1


@dataclass(frozen=True, slots=True)
class StatusTopic:
    """Retained message with the state of the daemon, online or offline.

    Attributes:
        topic: Topic of the message.
        online: Payload published after every connect.
        offline: Payload of the will; also published before a clean disconnect, for which no will is sent.
        will_delay_s: MQTT 5: delay of the will, seconds, so that a short reconnect doesn't flap.
    """

    topic: str
    online: bytes
    offline: bytes
    will_delay_s: int = 5


@dataclass(frozen=True, slots=True)
class Announcement:
    """Further retained message with the state of the daemon, without a will, of which a session has one.

    Attributes:
        topic: Topic of the message.
        online: Payload published after every connect.
        offline: Payload published before a clean disconnect; after an unclean one `online` stays retained.
    """

    topic: str
    online: bytes
    offline: bytes


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff between attempts to connect.

    Attributes:
        first_s: Wait before the second attempt, seconds.
        cap_s: Longest wait, seconds.
        stable_s: A connection that lasts this long resets the backoff, seconds. Shorter ones don't: two clients with
            one client id disconnect each other, and must not do so in a tight loop.
    """

    first_s: float = 0.5
    cap_s: float = 30.0
    stable_s: float = 10.0

    def delay_s(self, attempt: int, jitter: float) -> float:
        """Wait after a number of failed attempts in a row, seconds.

        Args:
            attempt: Number of attempts that failed before the last one.
            jitter: Random number in [0, 1), which spreads clients after a restart of the broker.
        """
        longest = min(self.cap_s, self.first_s * 2.0 ** min(attempt, 32))
        return longest * (0.5 + 0.5 * jitter)


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Settings of one connection to one broker.

    Attributes:
        host: Host name or address of the broker.
        port: Port of the broker; 1883, or 8883 with TLS, by convention.
        client_id: Name of the session; another client with the same name disconnects this one.
        version: MQTT version.
        username: User name; None for an anonymous client.
        password: Password; None for none.
        tls: Settings of TLS; None for a plain connection.
        keepalive_s: Keep-alive interval, seconds.
        connect_timeout_s: Timeout of an attempt to connect, seconds.
        session_expiry_s: Time for which the broker keeps the session and queues QoS 1 messages while the daemon is
            away, seconds; 0: it doesn't. With MQTT 3.1.1 any other number leaves the time to the broker.
        receive_maximum: Maximum number of unacknowledged QoS 1 messages (MQTT 5; 3.1.1 leaves it to the broker).
        max_packet_bytes: Size of the largest packet that the broker may send (MQTT 5), bytes, which bounds memory.
        subscriptions: Subscriptions of the session.
        status: Retained message with the state of the daemon; None for none.
        announcements: Further retained messages with the state of the daemon.
        inbox_messages: Bound of the inbox; beyond it QoS 0 messages are dropped and counted, and QoS 1 messages stay
            with the broker.
        outbox_messages: Bound of the outbox; beyond it the oldest message that is not retained is dropped.
        backoff: Backoff between attempts.
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
        """URL of the broker, without the password."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"
