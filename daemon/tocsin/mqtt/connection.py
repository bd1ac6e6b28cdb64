"""The connection to a broker, for as long as the daemon runs: it comes back by itself."""

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

_IN_FLIGHT = 100  # a flood of alarms needs no more, and what is in flight is sent again after a loss
_CONGESTION_RETRY_S = 0.05
_OVERHEAD_BYTES = 16  # of a PUBLISH packet, topic and payload aside, and then some


class Connection:
    """One session with one broker.

    `run` connects and keeps connected until `stop`. `receive` gives batches of messages; `acknowledge` lets the broker
    forget them, once whatever must survive a crash is on disk. `publish` queues, whether connected or not.

    Attributes:
        connects: How often the broker accepted a connection; one less is the number of reconnects.
        refused_subscriptions: Filters that the broker refused on this connection.
        problem: Why there is no connection; None while there is one.
    """

    def __init__(self, settings: ConnectionSettings, clock: Callable[[], int] = time.time_ns) -> None:
        """Prepare; `run` connects.

        Args:
            settings: Which broker, and what to ask of it.
            clock: Nanoseconds since 1970 UTC, for `received_at`.
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

    # What the metrics show.

    @property
    def is_connected(self) -> bool:
        """Whether the broker accepted and answered the subscriptions."""
        return self._up.is_set()

    @property
    def inbox_depth(self) -> int:
        """Messages that wait for `receive`."""
        return len(self._inbox)

    @property
    def outbox_depth(self) -> int:
        """Messages that wait to be published or acknowledged by the broker."""
        return len(self._outbox)

    @property
    def inbox_dropped(self) -> int:
        """QoS 0 messages dropped because the inbox was full."""
        return self._inbox.dropped

    @property
    def outbox_dropped(self) -> int:
        """Messages that were never published: no room, no connection (QoS 0), or the broker refused them."""
        return self._outbox.dropped + self._never_published

    # The way in.

    async def receive(self, *, max_messages: int, linger_s: float = 0.0, timeout_s: float | None = None) -> Batch:
        """Wait for messages. One task at a time may wait; to cancel it loses nothing.

        Args:
            max_messages: The largest batch.
            linger_s: After the first message, how long to wait for the batch to fill. Under load batches fill by
                themselves; and a broker that has 20 messages in flight sends no 21st while this waits for it.
            timeout_s: How long to wait for the first; then the batch is empty. None waits for ever.
        """
        await asyncio.sleep(0)  # under load a batch is always ready: without this no other task would ever run
        await self._inbox.wait(1, timeout_s)
        if linger_s > 0 and len(self._inbox):
            await self._inbox.wait(max_messages, linger_s)
        messages, mids = self._inbox.take(max_messages)
        return Batch(messages, mids, self.connects)

    def acknowledge(self, batch: Batch) -> None:
        """Let the broker forget a batch. One of a connection that is gone stays unacknowledged, and comes again."""
        if self._link is not None and batch.link == self.connects:
            self._link.acknowledge(batch.mids)

    async def subscribe_to(self, subscriptions: tuple[Subscription, ...]) -> None:
        """Receive these from now on instead of what was asked for until now, whether connected or not."""
        wanted, before = {s.filter for s in subscriptions}, self._subscriptions
        self._subscriptions = subscriptions
        self._unwanted = (self._unwanted | {s.filter for s in before}) - wanted
        link = self._link
        if link is None or not self._up.is_set():
            return  # the next connection asks for them
        try:
            await self._subscribe(link, [s for s in subscriptions if s not in before], retained=True)
        except OSError:  # lost on the way; `TimeoutError` is one, too
            link.abort()

    # The way out.

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

        QoS 1 waits for a connection and is sent until the broker acknowledges it. QoS 0 is for what is worthless
        later: without a connection it is dropped and counted. `settled`: see `Outgoing`; of QoS 1 alone.
        """
        if qos == 0 and (self._link is None or self._link.is_congested):
            self._never_published += 1
            return
        self._put(Outgoing(topic, payload, qos=qos, retain=retain, correlation=correlation, settled=settled))

    async def wait_connected(self) -> None:
        """Wait until the broker has accepted and answered the subscriptions."""
        await self._up.wait()

    # Its life.

    async def run(self) -> None:
        """Connect, and connect again, until `stop`. Cancelled, it drops the connection as a crash would."""
        keep_connected = asyncio.create_task(self._keep_connected(), name="mqtt keep connected")
        stopping = asyncio.create_task(self._stopping.wait(), name="mqtt stopping")
        try:
            await asyncio.wait({keep_connected, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if keep_connected.done():
                keep_connected.result()  # it never ends by itself: this raises what went wrong
        finally:
            keep_connected.cancel()
            stopping.cancel()
            if not self._stopping.is_set() and self._latest is not None:
                self._latest.abort()

    async def stop(self, deadline_s: float) -> None:
        """Say offline, publish what waits, and disconnect; then `run` returns.

        Args:
            deadline_s: How long what waits may take.
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
        """Make one connection and see it through; the seconds it held, 0 if it was never made."""
        loop = asyncio.get_running_loop()
        broker = self._settings.broker
        link = self._latest = Link(self._settings, self)
        since = loop.time()
        try:
            await link.open(clean_start=self._settings.session_expiry_s == 0, has_room=self._inbox.has_room)
            asked = None
            while asked is not self._subscriptions:  # they may change while the broker thinks
                asked = self._subscriptions
                await self._subscribe(link, asked, retained=self.connects == 1)
        except ConnectionRefusedByBrokerError as error:
            self._fail(logging.ERROR, f"{broker} refuses this client ({error}): check the settings; trying again")
            return 0.0
        except (OSError, UnicodeError) as error:  # a host's name that can't be one is a UnicodeError
            self._fail(logging.WARNING, f"no connection to {broker} ({error or type(error).__name__}); trying again")
            link.abort()
            self._lose(link)
            return 0.0
        self.problem = None
        self._up.set()
        _LOG.info("connected to %s as %r", broker, self._settings.client_id)
        await link.lost.wait()
        self._lose(link)
        if self._stopping.is_set():
            return 0.0
        return self._explain_loss(link, loop.time() - since)

    def _explain_loss(self, link: Link, held_s: float) -> float:
        """Log why a connection ended; the seconds that it counts as having held."""
        if link.reason_code == SESSION_TAKEN_OVER:
            self._fail(
                logging.ERROR,
                f"another client connected to {self._settings.broker} as {self._settings.client_id!r}: "
                "give each its own client_id",
            )
            return 0.0  # whatever its length: to hurry back would throw the other one out
        why = reason_text(link.reason_code) if link.reason_code is not None else "without a reason"
        hint = ""
        if held_s < self._settings.backoff.stable_s:
            hint = f" after {held_s:.1f} s: does another client use client_id {self._settings.client_id!r}?"
        self._fail(logging.WARNING, f"lost the connection to {self._settings.broker} ({why}){hint}")
        return held_s

    def _fail(self, level: int, problem: str) -> None:
        # The same problem every few seconds, for days: once is enough.
        _LOG.log(level if problem != self.problem else logging.DEBUG, "%s", problem)
        self.problem = problem

    async def _subscribe(self, link: Link, subscriptions: Sequence[Subscription], *, retained: bool) -> None:
        """Ask for subscriptions, and take back those that are not wanted any more."""
        codes = await link.subscribe(subscriptions, retained=retained)
        refused = [(s.filter, code) for s, code in zip(subscriptions, codes, strict=False) if code >= FAILURE]
        for topic_filter, code in refused:
            _LOG.error("%s refuses the subscription %r (%s)", self._settings.broker, topic_filter, reason_text(code))
        asked, wanted = {s.filter for s in subscriptions}, {s.filter for s in self._subscriptions}
        before = [name for name in self.refused_subscriptions if name in wanted - asked]
        self.refused_subscriptions = (*before, *(topic_filter for topic_filter, _ in refused))
        link.unsubscribe(sorted(self._unwanted))
        self._unwanted.clear()

    def _lose(self, link: Link) -> None:
        self._up.clear()
        self._drained.set()
        if self._link is link:
            self._link = None
            self._outbox.requeue()

    # What the link tells.

    def connected(self, *, session_present: bool) -> None:
        """The broker accepted."""
        self._link = self._latest
        self.connects += 1
        self._inbox.lose_connection(will_come_again=session_present)
        if self._settings.status is not None:
            self._put(Outgoing(self._settings.status.topic, self._settings.status.online, retain=True), first=True)
        for announcement in self._settings.announcements:
            self._put(Outgoing(announcement.topic, announcement.online, retain=True))
        self._schedule_flush()

    def received(
        self, topic: str, payload: bytes, mid: int, *, retain: bool, properties: PublishProperties | None = None
    ) -> None:
        """A message came."""
        if properties is None:
            message = Message(topic, payload, self._clock(), retain)
        else:
            message = Message(topic, payload, self._clock(), retain, *properties)
        self._inbox.put(message, mid)

    def published(self, mid: int, code: int) -> None:
        """The broker acknowledged a message."""
        message = self._outbox.acknowledged(mid)
        if message is not None and code >= FAILURE:  # it would refuse it again
            self._never_published += 1
            _LOG.error("%s refuses a message to %s (%s)", self._settings.broker, message.topic, reason_text(code))
        self._schedule_flush()
        self._drained.set()

    def _put(self, message: Outgoing, *, first: bool = False) -> None:
        self._outbox.put(message, first=first)
        self._schedule_flush()

    def _schedule_flush(self) -> None:
        """Write soon: what is queued until then goes out in one write."""
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
                # The broker would drop the connection, and again after the next attempt.
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
    """No fewer than its packet will have."""
    return len(message.topic.encode()) + len(message.payload) + len(message.correlation or b"") + _OVERHEAD_BYTES
