"""Connection to a broker for as long as the daemon runs; it reconnects by itself."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import TYPE_CHECKING

from tocsin.ingest.message import Message
from tocsin.mqtt.inbox import Batch, Inbox
from tocsin.mqtt.link import ConnectionRefusedByBrokerError, Link
from tocsin.mqtt.outbox import Outbox, Outgoing
from tocsin.mqtt.packets import FAILURE, SESSION_TAKEN_OVER, reason_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tocsin.mqtt.packets import PublishProperties
    from tocsin.mqtt.settings import ConnectionSettings, Subscription

_LOG = logging.getLogger(__name__)

_IN_FLIGHT = 100  # enough for a flood of alarms; messages in flight are sent again after a loss
_CONGESTION_RETRY_S = 0.05
_OVERHEAD_BYTES = 16  # of a PUBLISH packet besides topic and payload, rounded up


class Connection:
    """One session with one broker.

    `run` connects and reconnects until `stop`. `receive` returns batches of messages; `acknowledge` acknowledges them,
    once their results are on disk. `publish` queues messages, connected or not.

    Attributes:
        connects: Number of connections that the broker accepted; the number of reconnects is one less.
        refused_subscriptions: Filters that the broker refused on this connection.
        problem: Reason why there is no connection; None while there is one.
    """

    def __init__(self, settings: ConnectionSettings, clock: Callable[[], int] = time.time_ns) -> None:
        """Build the queues; `run` connects.

        Args:
            settings: Settings of the connection.
            clock: Clock in nanoseconds since 1970 UTC, for `received_at`.
        """
        self._settings = settings
        self._clock = clock
        self._inbox = Inbox(settings.inbox_messages)
        self._outbox = Outbox(settings.outbox_messages)
        self._latest: Link | None = None  # up, being opened, or lost
        self._link: Link | None = None  # the latest, while it is up
        self._flush_is_due = False
        self._drained = asyncio.Event()
        self._up = asyncio.Event()
        self._stopping = asyncio.Event()
        self._never_published = 0
        self._subscriptions = settings.subscriptions
        self._unwanted: set[str] = set()  # filters that the broker may still hold in the session
        self.connects = 0
        self.refused_subscriptions: tuple[str, ...] = ()
        self.problem: str | None = "not connected yet"

    # Figures for metrics.

    @property
    def is_connected(self) -> bool:
        """Whether the broker accepted the connection and answered the subscriptions."""
        return self._up.is_set()

    @property
    def inbox_depth(self) -> int:
        """Number of messages that wait for `receive`."""
        return len(self._inbox)

    @property
    def outbox_depth(self) -> int:
        """Number of messages that wait to be published, or for the broker's acknowledgement."""
        return len(self._outbox)

    @property
    def inbox_dropped(self) -> int:
        """Number of QoS 0 messages dropped because the inbox was full."""
        return self._inbox.dropped

    @property
    def outbox_dropped(self) -> int:
        """Number of messages never published: no room, no connection (QoS 0), or refused by the broker."""
        return self._outbox.dropped + self._never_published

    # Receiving.

    async def receive(self, *, max_messages: int, linger_s: float = 0.0, timeout_s: float | None = None) -> Batch:
        """Wait for messages. One task at a time may wait; cancelling it loses no message.

        Args:
            max_messages: Size of the largest batch.
            linger_s: Time to wait for the batch to fill after its first message, seconds. Under load batches fill
                without it; a broker with 20 messages in flight sends no 21st meanwhile.
            timeout_s: Time to wait for the first message, seconds; the batch is empty then. None: without end.
        """
        await asyncio.sleep(0)  # under load a batch is always ready: this lets other tasks run
        await self._inbox.wait(1, timeout_s)
        if linger_s > 0 and len(self._inbox):
            await self._inbox.wait(max_messages, linger_s)
        messages, mids = self._inbox.take(max_messages)
        return Batch(messages, mids, self.connects)

    def acknowledge(self, batch: Batch) -> None:
        """Acknowledge a batch. That of a lost connection stays unacknowledged, and is redelivered."""
        if self._link is not None and batch.link == self.connects:
            self._link.acknowledge(batch.mids)

    async def subscribe_to(self, subscriptions: tuple[Subscription, ...]) -> None:
        """Replace the subscriptions, connected or not."""
        wanted, before = {s.filter for s in subscriptions}, self._subscriptions
        self._subscriptions = subscriptions
        self._unwanted = (self._unwanted | {s.filter for s in before}) - wanted
        link = self._link
        if link is None or not self._up.is_set():
            return  # the next connection subscribes
        try:
            await self._subscribe(link, [s for s in subscriptions if s not in before], retained=True)
        except OSError:  # lost meanwhile; `TimeoutError` is one, too
            link.abort()

    # Publishing.

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        correlation: bytes | None = None,
        settled: Callable[[], None] | None = None,
    ) -> None:
        """Queue a message.

        A QoS 1 message waits for a connection, and is sent until the broker acknowledges it. A QoS 0 message is dropped
        and counted without a connection. `settled`: see `Outgoing`; for QoS 1 alone.
        """
        if qos == 0 and (self._link is None or self._link.is_congested):
            self._never_published += 1
            return
        self._put(Outgoing(topic, payload, qos=qos, retain=retain, correlation=correlation, settled=settled))

    async def wait_connected(self) -> None:
        """Wait until the broker has accepted the connection and answered the subscriptions."""
        await self._up.wait()

    # Life cycle.

    async def run(self) -> None:
        """Connect and reconnect until `stop`. Cancelled, it drops the connection as a crash does."""
        keep_connected = asyncio.create_task(self._keep_connected(), name="mqtt keep connected")
        stopping = asyncio.create_task(self._stopping.wait(), name="mqtt stopping")
        try:
            await asyncio.wait({keep_connected, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if keep_connected.done():
                keep_connected.result()  # it ends by an error alone, which is raised here
        finally:
            keep_connected.cancel()
            stopping.cancel()
            if not self._stopping.is_set() and self._latest is not None:
                self._latest.abort()

    async def stop(self, deadline_s: float) -> None:
        """Publish the offline status and the queued messages, and disconnect; then `run` returns.

        Args:
            deadline_s: Time for the queued messages, seconds.
        """
        link = self._link
        if link is not None and self._settings.status is not None:
            self._put(Outgoing(self._settings.status.topic, self._settings.status.offline, retain=True))
        for announcement in self._settings.announcements if link is not None else ():
            self._put(Outgoing(announcement.topic, announcement.offline, retain=True))
        try:
            async with asyncio.timeout(deadline_s):
                while link is not None and len(self._outbox) and not link.lost.is_set():
                    self._drained.clear()
                    await self._drained.wait()
        except TimeoutError:
            _LOG.warning("the broker did not take everything within %g s", deadline_s)
        if len(self._outbox):
            _LOG.warning("stopped with %d messages not published", len(self._outbox))
        self._stopping.set()
        self._up.clear()
        self._link = None
        if link is not None:
            await link.disconnect()

    async def _keep_connected(self) -> None:
        attempt = 0
        backoff = self._settings.backoff
        while True:
            held_s = await self._connect_and_serve()
            attempt = 0 if held_s >= backoff.stable_s else attempt
            await asyncio.sleep(backoff.delay_s(attempt, random.random()))  # noqa: S311  (jitter, no secret)
            attempt += 1

    async def _connect_and_serve(self) -> float:
        """Make one connection, and wait until it is lost; seconds that it lasted, 0 if it was never made."""
        loop = asyncio.get_running_loop()
        broker = self._settings.broker
        link = self._latest = Link(self._settings, self)
        since = loop.time()
        try:
            await link.open(clean_start=self._settings.session_expiry_s == 0, has_room=self._inbox.has_room)
            asked = None
            while asked is not self._subscriptions:  # they may change before the broker answers
                asked = self._subscriptions
                await self._subscribe(link, asked, retained=self.connects == 1)
        except ConnectionRefusedByBrokerError as error:
            self._fail(logging.ERROR, f"{broker} refuses this client ({error}): check the settings; trying again")
            return 0.0
        except (OSError, UnicodeError) as error:  # a host's name that can't be one is a UnicodeError
            self._fail(logging.WARNING, f"no connection to {broker} ({error or type(error).__name__}); trying again")
            link.abort()
            self._on_lost(link)
            return 0.0
        self.problem = None
        self._up.set()
        _LOG.info("connected to %s as %r", broker, self._settings.client_id)
        await link.lost.wait()
        self._on_lost(link)
        if self._stopping.is_set():
            return 0.0
        return self._explain_loss(link, loop.time() - since)

    def _explain_loss(self, link: Link, held_s: float) -> float:
        """Log the reason of a loss; seconds that the connection counts as having lasted."""
        if link.reason_code == SESSION_TAKEN_OVER:
            self._fail(
                logging.ERROR,
                f"another client connected to {self._settings.broker} as {self._settings.client_id!r}: "
                "give each its own client_id",
            )
            return 0.0  # whatever it lasted: an early reconnect would disconnect the other client
        why = reason_text(link.reason_code) if link.reason_code is not None else "without a reason"
        hint = ""
        if held_s < self._settings.backoff.stable_s:
            hint = f" after {held_s:.1f} s: does another client use client_id {self._settings.client_id!r}?"
        self._fail(logging.WARNING, f"lost the connection to {self._settings.broker} ({why}){hint}")
        return held_s

    def _fail(self, level: int, problem: str) -> None:
        # Repeats of one problem are logged at debug level: it may recur every few seconds for days.
        _LOG.log(level if problem != self.problem else logging.DEBUG, "%s", problem)
        self.problem = problem

    async def _subscribe(self, link: Link, subscriptions: Sequence[Subscription], *, retained: bool) -> None:
        """Subscribe, and unsubscribe from filters that are no longer wanted."""
        codes = await link.subscribe(subscriptions, retained=retained)
        refused = [(s.filter, code) for s, code in zip(subscriptions, codes, strict=False) if code >= FAILURE]
        for topic_filter, code in refused:
            _LOG.error("%s refuses the subscription %r (%s)", self._settings.broker, topic_filter, reason_text(code))
        asked, wanted = {s.filter for s in subscriptions}, {s.filter for s in self._subscriptions}
        before = [name for name in self.refused_subscriptions if name in wanted - asked]
        self.refused_subscriptions = (*before, *(topic_filter for topic_filter, _ in refused))
        link.unsubscribe(sorted(self._unwanted))
        self._unwanted.clear()

    def _on_lost(self, link: Link) -> None:
        self._up.clear()
        self._drained.set()
        if self._link is link:
            self._link = None
            self._outbox.requeue()

    # Events of the link.

    def connected(self, *, session_present: bool) -> None:
        """Publish the online status, and send queued messages."""
        self._link = self._latest
        self.connects += 1
        self._inbox.void_identifiers(is_redelivered=session_present)
        if self._settings.status is not None:
            self._put(Outgoing(self._settings.status.topic, self._settings.status.online, retain=True), first=True)
        for announcement in self._settings.announcements:
            self._put(Outgoing(announcement.topic, announcement.online, retain=True))
        self._schedule_flush()

    def received(
        self, topic: str, payload: bytes, mid: int, *, retain: bool, properties: PublishProperties | None = None
    ) -> None:
        """Put a message into the inbox."""
        if properties is None:
            message = Message(topic, payload, self._clock(), retain)
        else:
            message = Message(topic, payload, self._clock(), retain, *properties)
        self._inbox.put(message, mid)

    def published(self, mid: int, code: int) -> None:
        """Remove an acknowledged message from the outbox."""
        message = self._outbox.acknowledged(mid)
        if message is not None and code >= FAILURE:  # the broker would refuse it again
            self._never_published += 1
            _LOG.error("%s refuses a message to %s (%s)", self._settings.broker, message.topic, reason_text(code))
        self._schedule_flush()
        self._drained.set()

    def _put(self, message: Outgoing, *, first: bool = False) -> None:
        self._outbox.put(message, first=first)
        self._schedule_flush()

    def _schedule_flush(self) -> None:
        """Schedule one write of all messages that are queued by then."""
        if not self._flush_is_due and self._link is not None:
            self._flush_is_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        link = self._link
        if link is None:
            return
        if link.is_congested:
            self._flush_is_due = True
            asyncio.get_running_loop().call_later(_CONGESTION_RETRY_S, self._flush)
            return
        packets = []
        while self._outbox.in_flight < min(_IN_FLIGHT, link.receive_maximum):
            message = self._outbox.next()
            if message is None:
                break
            if _bytes(message) > link.max_packet_bytes:
                # The broker would drop the connection at every attempt.
                self._never_published += 1
                _LOG.error(
                    "%s takes no message of %d bytes: %s", self._settings.broker, len(message.payload), message.topic
                )
                message.settle()
                continue
            mid, packet = link.build(message)
            packets.append(packet)
            if mid is not None:
                self._outbox.sent(mid, message)
        if packets:
            link.write(b"".join(packets))
            self._drained.set()


def _bytes(message: Outgoing) -> int:
    """Upper bound of the size of its packet, bytes."""
    return len(message.topic.encode()) + len(message.payload) + len(message.correlation or b"") + _OVERHEAD_BYTES
