"""The way through the house: messages in, decoded, applied, published, acknowledged."""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from tocsin.alarm import Register
from tocsin.app import refusals
from tocsin.engine import Outcome, Readings
from tocsin.engine.succession import retire
from tocsin.mqtt.alarm_messages import alarm_state, alarm_transition, score_message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tocsin.alarm import Event, Order
    from tocsin.alarm.record import Record
    from tocsin.app.build import Setup, Station
    from tocsin.app.request_door import RequestDoor
    from tocsin.codec.message import Message
    from tocsin.codec.reject import Reject
    from tocsin.metrics.metrics import Metrics
    from tocsin.mqtt.connection import Connection
    from tocsin.mqtt.outbox import Outgoing
    from tocsin.rejects import RejectLog

_LOG = logging.getLogger(__name__)

_NS_PER_S = 1_000_000_000
_MAX_BATCH = 4096
_CACHED_TOPICS = 100_000
_NO_READINGS = Readings.of([])
_NO_INDICES = np.empty(0, dtype=np.int64)


class Pump:
    """Moves readings from the connection through the engines and events back out.

    Everything between `receive` and `acknowledge` is one step without a pause, so that what is acknowledged has
    been applied and its events are queued.
    """

    def __init__(
        self,
        setup: Setup,
        connection: Connection,
        metrics: Metrics,
        rejects: RejectLog,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Wire the parts.

        Args:
            setup: Sources and watches.
            connection: To the broker.
            metrics: Where figures go.
            rejects: Where refusals are logged.
            clock: Nanoseconds since 1970; the only clock that the engines' `now` is read from.
        """
        self._connection = connection
        self._metrics = metrics
        self._rejects = rejects
        self._clock = clock
        self._stopping = asyncio.Event()
        self._register = Register(setup.plans)
        self._requests: RequestDoor | None = None
        self._use(setup)

    def listen_to(self, requests: RequestDoor) -> None:
        """Have requests answered that come among the readings."""
        self._requests = requests

    @property
    def records(self) -> Mapping[tuple[str, str], Record]:
        """Every alarm that has been up, or that somebody has put aside."""
        return self._register.records

    def order(self, order: Order) -> list[Event]:
        """Do what somebody asks of alarms, between two batches, and tell what came of it.

        Raises:
            Refused: It can't be done; nothing has changed.
        """
        events = self._register.carry_out(order, self._clock())
        self._tell(events, None)
        self.show_alarms()
        return events

    def _use(self, setup: Setup) -> None:
        self._setup = setup
        self._desks = setup.desks
        self._stations = list(setup.stations.values())
        self._base = setup.config.publish.base
        self._publish_scores = setup.config.publish.scores
        self._desk_of_topic: dict[str, int] = {}
        # Frames that linger, and silence, are noticed within this time though nothing arrives.
        self._tick_s = max(0.05, min(1.0, min(s.model.period_ns for s in self._stations) / _NS_PER_S / 4))

    def take_over(self, setup: Setup) -> None:
        """Go on with another configuration, between two batches: its watches take over the streams of their namesakes.

        Alarms that it doesn't have any more clear.
        """
        now, before = self._clock(), self._setup.stations
        for name, station in before.items():
            successor = setup.stations.get(name)
            if successor is None:
                outcome = Outcome(now, changes=retire(station.engine, now))
            else:
                outcome = successor.take_over(station, now)
            self._hand_out(station, outcome, None)
        self._tell(self._register.reconfigure(setup.plans, now), None)
        self._use(setup)
        self.show_alarms()

    def stop(self) -> None:
        """Finish what has been received, then end."""
        self._stopping.set()

    async def run(self) -> None:
        """Pump until `stop`."""
        while not self._stopping.is_set():
            await self._turn(self._tick_s)
        waiting = self._connection.inbox_depth
        while waiting > 0 and self._connection.inbox_depth:
            waiting -= await self._turn(0)

    async def _turn(self, timeout_s: float) -> int:
        batch = await self._connection.receive(max_messages=_MAX_BATCH, timeout_s=timeout_s)
        messages = batch.messages if self._requests is None else self._requests.take(batch.messages)
        self._process(messages)
        self._connection.acknowledge(batch)
        return len(batch)

    def _process(self, messages: Sequence[Message]) -> None:
        began = time.perf_counter()
        now = self._clock()
        readings = 0
        rejects: list[Reject] = []
        moved = False
        # Runs of one source, so that readings of a stream that has several sources stay in the order of arrival.
        for index, run in groupby(messages, key=self._desk_index):
            desk, of_source = self._desks[index], list(run)
            decoded = desk.decoder.decode(of_source, now)
            rejects += decoded.rejects
            topics = ", ".join(desk.decoder.settings.topics)
            accepted = 0
            for station in desk.stations:
                outcome = station.apply(decoded.readings, now)
                accepted = max(accepted, outcome.accepted)
                rejects += refusals.rejects(decoded.readings, outcome, station.model, topics)
                moved |= self._hand_out(station, outcome, of_source[-1].received_at)
            readings += accepted
            for request in decoded.requests:
                self._connection.publish(request.topic, request.payload, qos=0)
            self._metrics.sparkplug(rebirths=len(decoded.requests), stale=len(decoded.stale))
        for station in self._stations:
            moved |= self._hand_out(station, station.apply(_NO_READINGS, now), None)
        due = self._register.pass_time(now)
        self._tell(due, None)
        moved |= bool(due)
        if messages:
            self._metrics.batch(messages=len(messages), readings=readings, rejects=rejects)
            self._metrics.applied(time.perf_counter() - began)
            self._rejects.report(rejects, now)
        if moved:
            self.show_alarms()

    def _desk_index(self, message: Message) -> int:
        """Find the first source whose template matches; the first of all, which will refuse it, if none does."""
        if len(self._desks) == 1:
            return 0
        index = self._desk_of_topic.get(message.topic)
        if index is None:
            matching = (i for i, desk in enumerate(self._desks) if desk.decoder.matches(message.topic))
            index = next(matching, 0)
            if len(self._desk_of_topic) >= _CACHED_TOPICS:
                self._desk_of_topic.clear()
            self._desk_of_topic[message.topic] = index
        return index

    def _hand_out(self, station: Station, outcome: Outcome, received_at: int | None) -> bool:
        """Publish what an engine said; whether any alarm moved."""
        events = self._register.take_in(outcome.changes, self._clock())
        self._tell(events, received_at)
        model = f"{station.model.name}/{station.model.version}"
        for steps in outcome.steps:
            self._metrics.stepped(model, len(steps.rows))
        self._metrics.of_streams(station.name, outcome.steps)
        self._metrics.stays(rewound=outcome.rewound, evicted=sum(len(kept.streams) for kept in outcome.evicted))
        if self._publish_scores and self._connection.is_connected:
            self._hand_out_scores(station, outcome)
        return bool(events)

    def _tell(self, events: Sequence[Event], received_at: int | None) -> None:
        """Publish what happened to alarms."""
        for event in events:
            self._publish(alarm_transition(self._base, event))
            self._publish(alarm_state(self._base, event))
            latency_s = None if received_at is None else (self._clock() - received_at) / _NS_PER_S
            self._metrics.event(event, latency_s)
            _LOG.info("%s %s/%s: %s", event.transition, event.stream, event.alarm, event.reason)

    def _hand_out_scores(self, station: Station, outcome: Outcome) -> None:
        channels = [channel.name for channel in station.model.channels]
        names = station.engine.table.names
        for steps in outcome.steps:
            values = np.where(steps.mask == 0, np.float32(np.nan), steps.x)
            for i, row in enumerate(steps.rows.tolist()):
                message = score_message(
                    self._base,
                    names[row],
                    t=int(steps.t[i]),
                    score=float(steps.score[i]),
                    channels=channels,
                    values=values[i].tolist(),
                    mean=steps.mean[i].tolist(),
                    scale=steps.scale[i].tolist(),
                )
                self._publish(message)

    def _publish(self, message: Outgoing) -> None:
        self._connection.publish(message.topic, message.payload, qos=message.qos, retain=message.retain)

    def show_alarms(self) -> None:
        """Set the gauges of alarms."""
        self._metrics.active_alarms(self._register.counts())
        self._metrics.census(self._register.census())
