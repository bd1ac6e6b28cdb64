"""Link: one TCP connection to a broker, from CONNECT until it is lost.

gmqtt frames and builds packets, and pings. Its `Client` is not used: it gives up after a refusal, reconnects after a
fixed delay, waits in `connect` for its own queue to drain, and acknowledges either before a message is processed or
with one task a message. `Link` takes the place of gmqtt's packet handler: an `MQTTConnection` calls it with every
packet, and reads only the attributes listed below.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import struct
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import gmqtt
import numpy as np
from gmqtt.mqtt.connection import MQTTConnection
from gmqtt.mqtt.constants import MQTTCommands
from gmqtt.mqtt.package import PublishPacket
from gmqtt.mqtt.protocol import MQTTProtocol
from gmqtt.mqtt.utils import ConnectionState, IdGenerator

from tocsin.mqtt.inbox import NO_ACKNOWLEDGEMENT
from tocsin.mqtt.packets import parse_properties, publish_properties, reason_text, skip_properties
from tocsin.mqtt.settings import ConnectionSettings, ProtocolVersion, Tls

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gmqtt.mqtt.package import Package

    from tocsin.mqtt.outbox import Outgoing
    from tocsin.mqtt.packets import PublishProperties
    from tocsin.mqtt.settings import Subscription

_LOG = logging.getLogger(__name__)

# gmqtt logs connections that open, close and are lost, the last with a traceback; `Connection` logs them itself.
logging.getLogger("gmqtt").setLevel(logging.ERROR)

_PACKET_IDENTIFIERS = 65_535
_LONGEST_PACKET_BYTES = 268_435_455  # the longest that four bytes of length can encode
_PUBACK_HEADER = 0x4002  # packet type, and a length of two bytes, the identifier; a missing reason code is success
_QOS_2 = 2
_WRITE_BUFFER_BYTES = 4 * 1024 * 1024


class ConnectionRefusedByBrokerError(Exception):
    """The broker answered CONNECT with a refusal."""

    def __init__(self, code: int) -> None:
        super().__init__(reason_text(code))
        self.code = code


class LinkOwner(Protocol):
    """Receiver of the events of a link. Calls come while a packet is read, and must return quickly."""

    def connected(self, *, session_present: bool) -> None:
        """Handle acceptance by the broker; queued messages of the session may follow at once."""

    def received(
        self, topic: str, payload: bytes, mid: int, *, retain: bool, properties: PublishProperties | None
    ) -> None:
        """Handle a received message.

        Args:
            topic: Topic of the message.
            payload: Payload of the message.
            mid: Packet identifier; 0 for a message that needs no acknowledgement.
            retain: Whether the broker retained it.
            properties: MQTT 5 properties; None if it has none of interest.
        """

    def published(self, mid: int, code: int) -> None:
        """Handle the broker's acknowledgement of a published message, with its reason code."""


class Link:
    """One TCP connection to a broker.

    Attributes:
        lost: Set once the connection is lost.
        reason_code: Reason code of the broker's DISCONNECT; None if it sent none.
        receive_maximum: Maximum number of sent QoS 1 messages without acknowledgement.
        max_packet_bytes: Size of the largest packet that the broker accepts, bytes.
    """

    def __init__(self, settings: ConnectionSettings, owner: LinkOwner) -> None:
        """Keep the settings; `open` connects."""
        self._settings = settings
        self._owner = owner
        self._v5 = settings.version is ProtocolVersion.V5
        self._transport: asyncio.Transport | None = None
        self._protocol: Any = None
        self._connack: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._subacks: dict[int, asyncio.Future[list[int]]] = {}
        self.lost = asyncio.Event()
        self.reason_code: int | None = None
        self.receive_maximum = _PACKET_IDENTIFIERS
        self.max_packet_bytes = _LONGEST_PACKET_BYTES
        # Attributes that gmqtt's MQTTConnection reads:
        self.id_generator = IdGenerator(max=_PACKET_IDENTIFIERS)
        self.current_connection: Any = None

    def set_connection(self, connection: Any) -> None:  # noqa: ANN401  (gmqtt has no annotations)
        """Keep the connection that this handler serves; called by gmqtt."""
        self.current_connection = connection

    async def open(self, *, clean_start: bool, has_room: asyncio.Event) -> None:
        """Connect, and wait for CONNACK.

        Args:
            clean_start: Whether the broker discards an existing session.
            has_room: While it is cleared, nothing is read from the socket.

        Raises:
            OSError: The broker can't be reached; `TimeoutError` is one.
            ConnectionRefusedByBrokerError: The broker refuses the connection.
        """
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await self._start(clean_start=clean_start, has_room=has_room)
                await self._connack
        except BaseException:  # cancellation too: no other reference to this socket exists
            self.abort()
            raise

    async def _start(self, *, clean_start: bool, has_room: asyncio.Event) -> None:
        s = self._settings
        state = ConnectionState(protocol_version=int(s.version))
        transport, protocol = await asyncio.get_running_loop().create_connection(
            partial(MQTTProtocol, connection_state=state, id_generator=self.id_generator),
            s.host,
            s.port,
            ssl=_context(s.tls) if s.tls is not None else None,
        )
        self._transport, self._protocol = transport, protocol
        protocol.read = _gated(protocol.read, has_room)
        # When gmqtt's read loop fails, the socket stays open without a reader.
        protocol._read_loop_future.add_done_callback(self._reading_ended)  # noqa: SLF001  (it has no public signal)
        connection = MQTTConnection(transport, protocol, clean_start, s.keepalive_s, package_handler=self)
        await connection.auth(
            s.client_id.encode(),  # bytes: gmqtt takes the length of text in characters
            s.username.encode() if s.username is not None else None,
            s.password.encode() if s.password is not None else None,
            will_message=self._will(),
            **self._connect_properties(),
        )

    async def subscribe(self, subscriptions: Sequence[Subscription], *, retained: bool) -> list[int]:
        """Subscribe, and wait for SUBACK.

        Args:
            subscriptions: Subscriptions to make.
            retained: Whether the broker sends retained messages even for subscriptions that it kept (MQTT 5; 3.1.1
                always sends them).

        Returns:
            Reason codes in the order of the subscriptions; from 0x80 on they are refusals.
        """
        if not subscriptions:
            return []
        handling = 0 if retained or not self._v5 else 1
        mid = self.current_connection.subscribe(
            [gmqtt.Subscription(s.filter, qos=s.qos, retain_handling_options=handling) for s in subscriptions]
        )
        self._subacks[mid] = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(self._settings.connect_timeout_s):
            return await self._subacks[mid]

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """Remove subscriptions; the broker's answer is ignored."""
        for topic_filter in filters:  # bytes, one a packet: gmqtt takes the length of text in characters
            self.current_connection.unsubscribe(topic_filter.encode())

    def build(self, message: Outgoing) -> tuple[int | None, bytes]:
        """Build a PUBLISH packet: its identifier, None for QoS 0, and its bytes."""
        properties = {} if message.correlation is None else {"correlation_data": message.correlation}
        mid, packet = PublishPacket.build_package(
            gmqtt.Message(message.topic, message.payload, qos=message.qos, retain=message.retain, **properties),
            self._protocol,
        )
        return mid, bytes(packet)

    def write(self, data: bytes) -> None:
        """Send bytes, unless the link is lost."""
        if self._transport is not None and not self._transport.is_closing():
            self.current_connection.send_package(data)

    @property
    def is_congested(self) -> bool:
        """Whether the write buffer grows beyond its limit: the broker reads too slowly."""
        return self._transport is not None and self._transport.get_write_buffer_size() > _WRITE_BUFFER_BYTES

    def acknowledge(self, mids: list[int]) -> None:
        """Acknowledge messages in the order of their arrival, in one write."""
        column = np.array(mids, dtype=">u2")
        packets = np.empty((np.count_nonzero(column), 2), dtype=">u2")
        packets[:, 0] = _PUBACK_HEADER
        packets[:, 1] = column[column != NO_ACKNOWLEDGEMENT]
        if len(packets):
            self.write(packets.tobytes())

    async def disconnect(self) -> None:
        """Send DISCONNECT, so that the broker doesn't publish the will, and close."""
        if self._transport is not None and not self._transport.is_closing():
            self.current_connection.send_disconnect()
            try:
                async with asyncio.timeout(self._settings.connect_timeout_s):
                    await self.current_connection.close()
            except OSError as error:  # it is gone either way
                _LOG.debug("closing: %s", error)
        self.abort()

    def abort(self) -> None:
        """Drop the connection without DISCONNECT; the broker publishes the will."""
        self.lost.set()
        if self._transport is not None:
            self._transport.abort()

    def _reading_ended(self, reading: asyncio.Future[None]) -> None:
        if not reading.cancelled() and (error := reading.exception()) is not None:
            _LOG.error("reading from %s ended", self._settings.broker, exc_info=error)
        self.abort()

    def __call__(self, package: Package) -> None:
        """Handle a packet; called by gmqtt."""
        try:
            command = package.cmd & 0xF0
            if command == MQTTCommands.PUBLISH:
                self._on_publish(package.cmd, package.data)
            else:
                self._on_other(command, package.data)
        except (ValueError, IndexError, struct.error) as error:
            # After an unreadable packet the boundaries of the following ones are unknown.
            _LOG.error(
                "%s sent a packet that can't be read (%s): dropping the connection", self._settings.broker, error
            )
            self.abort()

    def _on_publish(self, command: int, data: bytes) -> None:
        start = 2 + (data[0] << 8 | data[1])
        # Brokers reject topics that are not UTF-8. An error here would have such a message redelivered for ever.
        topic = data[2:start].decode("utf-8", "replace")
        mid = NO_ACKNOWLEDGEMENT
        qos = command >> 1 & 3
        if qos:
            mid = data[start] << 8 | data[start + 1]
            start += 2
        properties = None
        if self._v5:
            if data[start] == 0:  # the usual case: an empty block
                start += 1
            else:
                end = skip_properties(data, start)
                properties = publish_properties(data[start:end])
                start = end
        if qos == _QOS_2:
            raise ValueError(f"QoS 2 on {topic!r}, which was never subscribed")
        self._owner.received(topic, data[start:], mid, retain=bool(command & 1), properties=properties)

    def _on_other(self, command: int, data: bytes) -> None:
        if command == MQTTCommands.PUBACK:
            mid = data[0] << 8 | data[1]
            self.id_generator.free_id(mid)
            self._owner.published(mid, data[2] if len(data) > 2 else 0)  # noqa: PLR2004  (the code follows two bytes of identifier)
        elif command == MQTTCommands.CONNACK:
            self._on_connack(data)
        elif command == MQTTCommands.SUBACK:
            mid = data[0] << 8 | data[1]
            self.id_generator.free_id(mid)
            codes = data[skip_properties(data, 2) if self._v5 else 2 :]
            waiting = self._subacks.pop(mid, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(list(codes))
        elif command == MQTTCommands.UNSUBACK:
            self.id_generator.free_id(data[0] << 8 | data[1])
        elif command == MQTTCommands.DISCONNECT:
            # The broker's packet comes first; gmqtt adds an empty one when the socket closes.
            if self.reason_code is None and data:
                self.reason_code = data[0]
            self._on_lost()

    def _on_connack(self, data: bytes) -> None:
        session_present, code = bool(data[0] & 1), data[1]
        if code != 0:
            if not self._connack.done():
                self._connack.set_exception(ConnectionRefusedByBrokerError(code))
            return
        properties, _ = parse_properties(data[2:]) if self._v5 else ({}, b"")
        self.receive_maximum = properties.get("receive_maximum", _PACKET_IDENTIFIERS)
        self.max_packet_bytes = properties.get("maximum_packet_size", _LONGEST_PACKET_BYTES)
        if "server_keep_alive" in properties:
            self.current_connection.keepalive = properties["server_keep_alive"]
        self._owner.connected(session_present=session_present)
        if not self._connack.done():
            self._connack.set_result(None)

    def _on_lost(self) -> None:
        self.lost.set()
        error = ConnectionResetError(
            "the broker closed the connection"
            + (f": {reason_text(self.reason_code)}" if self.reason_code is not None else "")
        )
        waiters: list[asyncio.Future[Any]] = [self._connack, *self._subacks.values()]
        for waiting in waiters:
            if not waiting.done():
                waiting.set_exception(error)
                waiting.exception()  # marks it as retrieved: asyncio warns of exceptions that no task awaits

    def _will(self) -> gmqtt.Message | None:
        status = self._settings.status
        if status is None:
            return None
        return gmqtt.Message(status.topic, status.offline, qos=1, retain=True, will_delay_interval=status.will_delay_s)

    def _connect_properties(self) -> dict[str, int]:
        return {
            "session_expiry_interval": self._settings.session_expiry_s,
            "receive_maximum": self._settings.receive_maximum,
            "maximum_packet_size": self._settings.max_packet_bytes,
        }


def _gated(read: Callable[..., Awaitable[bytes]], has_room: asyncio.Event) -> Callable[..., Awaitable[bytes]]:
    """Wrap `read` so that it waits for room: the socket's buffers fill, and the broker queues the rest."""

    async def gated(n: int = -1) -> bytes:
        await has_room.wait()
        return await read(n)

    return gated


def _context(tls: Tls) -> ssl.SSLContext:
    """Build the TLS context; once for every attempt, so that a renewed certificate is used."""
    context = ssl.create_default_context(cafile=tls.ca_file)
    if tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return context
