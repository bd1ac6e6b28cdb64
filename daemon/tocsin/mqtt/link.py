"""One TCP connection to a broker, from CONNECT to its loss.

gmqtt frames packets, builds them and pings. Its `Client` is left out: it gives up for ever after a refusal, comes
back after a fixed delay, waits in `connect` for a queue of its own to drain, and acknowledges either before a message
was processed or with a task each. So this class stands where gmqtt's own packet handler would: an `MQTTConnection`
calls it with every packet, and asks of it nothing but the attributes below.
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

# gmqtt says that a connection came, went, or was lost, the last with a trace; `Connection` says so in words.
logging.getLogger("gmqtt").setLevel(logging.ERROR)

_PACKET_IDENTIFIERS = 65_535
_LONGEST_PACKET_BYTES = 268_435_455  # what four bytes of length can say
_PUBACK_HEADER = 0x4002  # the packet's type, and that two bytes follow: the identifier; success goes without saying
_QOS_2 = 2
_WRITE_BUFFER_BYTES = 4 * 1024 * 1024


class ConnectionRefusedByBrokerError(Exception):
    """The broker answered CONNECT with a refusal."""

    def __init__(self, code: int) -> None:
        """Keep the reason code."""
        super().__init__(reason_text(code))
        self.code = code


class LinkOwner(Protocol):
    """Who is told what comes over a link. Each call is made while a packet is read, and must be quick."""

    def connected(self, *, session_present: bool) -> None:
        """The broker accepted; what it kept for this session may follow at once."""

    def received(
        self, topic: str, payload: bytes, mid: int, *, retain: bool, properties: PublishProperties | None
    ) -> None:
        """A message came; `mid` is 0 if it needs no acknowledgement, `properties` None where it says nothing more."""

    def published(self, mid: int, code: int) -> None:
        """The broker acknowledged a message of ours."""


class Link:
    """One connection.

    Attributes:
        lost: Set when it is gone.
        reason_code: Why the broker says it ended it; None if it said nothing.
        receive_maximum: How many QoS 1 messages may be sent and not acknowledged.
        max_packet_bytes: The largest packet that the broker takes.
    """

    def __init__(self, settings: ConnectionSettings, owner: LinkOwner) -> None:
        """Prepare; `open` connects."""
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
        # What gmqtt's MQTTConnection asks of its handler:
        self.id_generator = IdGenerator(max=_PACKET_IDENTIFIERS)
        self.current_connection: Any = None

    def set_connection(self, connection: Any) -> None:  # noqa: ANN401  (gmqtt has no annotations)
        """Be told which connection this handler serves; gmqtt calls it."""
        self.current_connection = connection

    async def open(self, *, clean_start: bool, has_room: asyncio.Event) -> None:
        """Connect, and wait for the broker's answer.

        Args:
            clean_start: Whether the broker shall forget the session it may have.
            has_room: Nothing is read from the socket while it is cleared.

        Raises:
            OSError: If there is no way to the broker; `TimeoutError` is one.
            ConnectionRefusedByBrokerError: If it refuses.
        """
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await self._start(clean_start=clean_start, has_room=has_room)
                await self._connack
        except BaseException:  # cancelled, too: nobody else knows of this socket
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
        # When gmqtt's reading ends by a fault, the socket stays open and nobody reads it.
        protocol._read_loop_future.add_done_callback(self._reading_ended)  # noqa: SLF001  (it tells nobody else)
        connection = MQTTConnection(transport, protocol, clean_start, s.keepalive_s, package_handler=self)
        await connection.auth(
            s.client_id.encode(),  # bytes: gmqtt takes the length of text in characters
            s.username.encode() if s.username is not None else None,
            s.password.encode() if s.password is not None else None,
            will_message=self._will(),
            **self._connect_properties(),
        )

    async def subscribe(self, subscriptions: Sequence[Subscription], *, retained: bool) -> list[int]:
        """Subscribe.

        Args:
            subscriptions: To what.
            retained: Whether the broker shall send what it retains, even for subscriptions that it kept (MQTT 5;
                3.1.1 always sends it).

        Returns:
            A reason code for each, in their order; from 0x80 on it is a refusal.
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
        """Have the broker forget subscriptions; its answer says nothing that could be acted on."""
        for topic_filter in filters:  # bytes, one a packet: gmqtt takes the length of text in characters
            self.current_connection.unsubscribe(topic_filter.encode())

    def build(self, message: Outgoing) -> tuple[int | None, bytes]:
        """Make a PUBLISH packet: its identifier, None for QoS 0, and its bytes."""
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
        """Whether the broker takes what is sent more slowly than it is written."""
        return self._transport is not None and self._transport.get_write_buffer_size() > _WRITE_BUFFER_BYTES

    def acknowledge(self, mids: list[int]) -> None:
        """Acknowledge messages, in the order in which they came, in one write."""
        column = np.array(mids, dtype=">u2")
        packets = np.empty((np.count_nonzero(column), 2), dtype=">u2")
        packets[:, 0] = _PUBACK_HEADER
        packets[:, 1] = column[column != NO_ACKNOWLEDGEMENT]
        if len(packets):
            self.write(packets.tobytes())

    async def disconnect(self) -> None:
        """Take leave, so that the broker doesn't publish the will."""
        if self._transport is not None and not self._transport.is_closing():
            self.current_connection.send_disconnect()
            try:
                async with asyncio.timeout(self._settings.connect_timeout_s):
                    await self.current_connection.close()
            except OSError as error:  # it is gone either way
                _LOG.debug("closing: %s", error)
        self.abort()

    def abort(self) -> None:
        """Drop the connection without a word."""
        self.lost.set()
        if self._transport is not None:
            self._transport.abort()

    def _reading_ended(self, reading: asyncio.Future[None]) -> None:
        if not reading.cancelled() and (error := reading.exception()) is not None:
            _LOG.error("reading from %s ended", self._settings.broker, exc_info=error)
        self.abort()

    def __call__(self, package: Package) -> None:
        """Handle a packet; gmqtt calls it."""
        try:
            command = package.cmd & 0xF0
            if command == MQTTCommands.PUBLISH:
                self._on_publish(package.cmd, package.data)
            else:
                self._on_other(command, package.data)
        except (ValueError, IndexError, struct.error) as error:
            # A packet that can't be read: nothing after it can be trusted to start where it seems to.
            _LOG.error(
                "%s sent a packet that can't be read (%s): dropping the connection", self._settings.broker, error
            )
            self.abort()

    def _on_publish(self, command: int, data: bytes) -> None:
        start = 2 + (data[0] << 8 | data[1])
        # No broker lets through what is no UTF-8; were it strict here, one such message would come again for ever.
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
            raise ValueError(f"QoS 2 on {topic!r}, which was never asked for")
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
            # The broker's own packet comes first, then one that gmqtt makes up, empty, when the socket closes.
            if self.reason_code is None and data:
                self.reason_code = data[0]
            self._lose()

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

    def _lose(self) -> None:
        self.lost.set()
        error = ConnectionResetError(
            "the broker closed the connection"
            + (f": {reason_text(self.reason_code)}" if self.reason_code is not None else "")
        )
        waiters: list[asyncio.Future[Any]] = [self._connack, *self._subacks.values()]
        for waiting in waiters:
            if not waiting.done():
                waiting.set_exception(error)
                waiting.exception()  # whoever waits is told; where nobody does, asyncio need not complain

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
    """Read only while there is room: then the socket's buffers fill, and the broker keeps the rest."""

    async def gated(n: int = -1) -> bytes:
        await has_room.wait()
        return await read(n)

    return gated


def _context(tls: Tls) -> ssl.SSLContext:
    """Made anew for every attempt, so that a certificate which was replaced is taken."""
    context = ssl.create_default_context(cafile=tls.ca_file)
    if tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return context
