"""The way through the house: messages in, decoded, applied, kept, acknowledged; events told."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tocsin.notify.mqtt_messages import score_message
from tocsin.runtime import reading_rejects
from tocsin.runtime.evicted_streams import keep, restore_evicted
from tocsin.runtime.journal_entries import command_input, loss_input, order_input, readings_input, time_input
from tocsin.runtime.sources import Routing
from tocsin.runtime.stream_commands import begins_anew, ended, log_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tocsin.alarm import CommandEnvelope, Event
    from tocsin.alarm.commands import Command
    from tocsin.alarm.record import AlarmRecord
    from tocsin.engine import EngineResult
    from tocsin.engine.lifecycle.commands import StreamRequest
    from tocsin.ingest.message import Message
    from tocsin.ingest.reject import Reject
    from tocsin.ingest.reject_log import RejectLog
    from tocsin.metrics.metrics import Metrics
    from tocsin.mqtt.connection import Connection
    from tocsin.mqtt.inbox import Batch
    from tocsin.runtime.committer import Committer
    from tocsin.runtime.core import Core, CoreResult, Incumbent, ShadowResult
    from tocsin.runtime.deployment import Deployment
    from tocsin.runtime.watch_runtime import WatchRuntime

_LOG = logging.getLogger(__name__)

_NS_PER_S = 1_000_000_000
_MAX_BATCH = 4096


class MessageHandler(Protocol):
    """Who else is sent messages over the broker."""

    def take(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Take those that are for it; the others."""


class Pipeline:
    """Moves readings from the connection through the core and events back out.

    Everything between `receive` and `acknowledge` is one step without a pause, so that what is acknowledged has been
    applied and is kept, with its events and what is owed for them.
    """

    def __init__(
        self,
        core: Core,
        connection: Connection,
        committer: Committer,
        metrics: Metrics,
        rejects: RejectLog,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Wire the parts.

        Args:
            core: What readings go into.
            connection: To the broker.
            committer: Keeps what was applied.
            metrics: Where figures go.
            rejects: Where refusals are logged.
            clock: Nanoseconds since 1970; the only clock that the core's `now` is read from.
        """
        self._core = core
        self._connection = connection
        self._committer = committer
        self._metrics = metrics
        self._rejects = rejects
        self._clock = clock
        self._stopping = asyncio.Event()
        self._doors: list[MessageHandler] = []
        self._unacknowledged: list[Batch] = []
        self._use(core.deployment)

    def listen_to(self, door: MessageHandler) -> None:
        """Give a door what comes for it among the readings."""
        self._doors.append(door)

    @property
    def records(self) -> Mapping[tuple[str, str], AlarmRecord]:
        """Every alarm that has been up, or that somebody has put aside."""
        return self._core.registry.records

    @property
    def deployment(self) -> Deployment:
        """What is at work."""
        return self._core.deployment

    @property
    def incumbents(self) -> Mapping[str, Incumbent]:
        """By watch, what was at work before, where a new model is not warm yet."""
        return self._core.incumbents

    @property
    def before(self) -> Deployment | None:
        """What was at work before a new model began to warm up; None where none does."""
        return next((incumbent.deployment for incumbent in self._core.incumbents.values()), None)

    @property
    def waiting(self) -> int:
        """How many streams wait for a new model to warm up."""
        return sum(len(incumbent.shadow.waiting) for incumbent in self._core.incumbents.values())

    def watched_by(self, watch: str) -> WatchRuntime:
        """Who speaks of a watch's streams: the model before, while a new one warms up."""
        incumbent = self._core.incumbents.get(watch)
        return self._core.runtimes[watch] if incumbent is None else incumbent.runtime

    def command(self, order: CommandEnvelope[StreamRequest]) -> list[Event]:
        """Do what somebody asks of a stream, between two batches; what came of it is kept when this returns, and told.

        Raises:
            StreamRefused: It can't be done; nothing has changed.
        """
        now, command = self._clock(), order.command
        for runtime in self.deployment.runtimes.values():
            if not begins_anew(command):
                self._bring_back(runtime, [command.stream], now)
        results = self._core.command(command, now)
        for stream in ended(command):
            self._forget(stream)
        self._committer.note(command_input(command, now))
        for result in results:
            self._hand_out(result, None)
        events = [event for result in results for event in result.events]
        watches = [result.runtime.name for result in results if result.runtime is not None]
        self._committer.note_command(log_entry(order, now, watches, events))
        self._committer.keep(now)
        self.show_alarms()
        return events

    def _bring_back(self, runtime: WatchRuntime, streams: Sequence[str], now: int) -> None:
        """Let streams that were given up come back before anything is done to them."""
        if not self._committer.evicted:  # none is kept, or there is no store
            return
        for given, result in restore_evicted(self._committer.evicted, self._core, runtime, streams, now):
            self._committer.note(given)
            self._hand_out(result, None)
            self._metrics.stays(returned=1)

    def _forget(self, stream: str) -> None:
        """Whoever comes next inherits nothing."""
        if self._committer.evicted:
            for watch in self.deployment.runtimes:
                self._committer.evicted.forget(watch, stream)

    def _use(self, deployment: Deployment) -> None:
        self._routing = Routing(deployment.sources)
        self._base = deployment.config.publish.base
        self._publish_scores = deployment.config.publish.scores
        self._most_unacknowledged = max(1, deployment.config.broker.receive_maximum // 2)
        # Frames that linger, and silence, are noticed within this time though nothing arrives.
        periods = (runtime.model.period_ns for runtime in deployment.runtimes.values())
        self._tick_s = max(0.05, min(1.0, min(periods) / _NS_PER_S / 4))

    def take_over(self, deployment: Deployment) -> None:
        """Go on with another configuration, between two batches: its watches take over the streams of their namesakes.

        Alarms that it doesn't have any more end.
        """
        now = self._clock()
        for result in self._core.take_over(deployment, now):
            self._hand_out(result, None)
        for watch, incumbent in self._core.incumbents.items():
            for runtime in (incumbent.runtime, self._core.runtimes[watch]):
                name = f"{runtime.model.name}/{runtime.model.version}"
                self._metrics.shadow.expects(name, incumbent.shadow.alarms)
        self._use(deployment)
        self._committer.note_change_of_configuration()
        self._committer.keep(now)
        self.show_alarms()

    def order(self, order: CommandEnvelope[Command]) -> list[Event]:
        """Do what somebody asks of alarms, between two batches; what came of it is kept when this returns, and told.

        Raises:
            Refused: It can't be done; nothing has changed.
        """
        now, before = self._clock(), self._core.registry.last_id
        events = self._core.order(order, now)
        new = [event for event in events if event.id > before]
        if new or not events:  # else it had been carried out before
            self._committer.note(order_input(order, now))
            self._tell(new, None)
            self._committer.keep(now)
            self.show_alarms()
        return events

    def begin(self, deployment: Deployment, untold: Sequence[Event]) -> None:
        """Go on where the daemon was before it ended.

        Args:
            deployment: What is configured now, be it what the core has recovered under or not.
            untold: What nobody has been told yet.
        """
        now = self._clock()
        self._tell(untold, None)
        self._core.resume(now)
        if deployment is not self._core.deployment:
            for result in self._core.take_over(deployment, now):
                self._hand_out(result, None)
            self._use(deployment)
        self._committer.note_change_of_configuration()
        self._committer.keep(now)
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
        now = self._clock()
        messages: Sequence[Message] = batch.messages
        for door in self._doors:
            messages = door.take(messages)
        self._process(messages, now)
        self._unacknowledged.append(batch)
        self._acknowledge(kept=self._committer.keep(now))
        return len(batch)

    def _acknowledge(self, *, kept: bool) -> None:
        """Let the broker forget what is kept.

        What can't be kept it holds on to for a while: the store may come back. But it sends nothing more once it holds
        too much, and to go on watching is worth more than to be able to watch the same again after a crash.
        """
        if not kept:
            count = sum(len(batch) for batch in self._unacknowledged)
            if count <= self._most_unacknowledged:
                return
            self._metrics.keeping.unstored(count)
        for batch in self._unacknowledged:
            self._connection.acknowledge(batch)
        self._unacknowledged.clear()

    def _process(self, messages: Sequence[Message], now: int) -> None:
        began = time.perf_counter()
        readings = 0
        rejects: list[Reject] = []
        moved = False
        for source, of_source in self._routing.runs(messages):
            decoded = source.decoder.decode(of_source, now)
            rejects += decoded.rejects
            for request in decoded.requests:
                self._connection.publish(request.topic, request.payload, qos=0)
            self._metrics.sparkplug(rebirths=len(decoded.requests), stale=len(decoded.stale))
            watches, received_at = [runtime.name for runtime in source.runtimes], of_source[-1].received_at
            if len(decoded.readings):
                topics = ", ".join(source.decoder.settings.topics)
                accepted = 0
                for runtime in source.runtimes:
                    self._bring_back(runtime, decoded.readings.streams, now)
                    result = self._core.take_in(runtime.name, decoded.readings, now)
                    moved |= self._hand_out(result, received_at)
                    if result.engine_result is not None:
                        accepted = max(accepted, result.engine_result.accepted)
                        rejects += reading_rejects.rejects(
                            decoded.readings, result.engine_result, runtime.model, topics
                        )
                self._committer.note(readings_input(watches, decoded.readings, now))
                readings += accepted
            if decoded.stale:
                moved |= self._lose(watches, decoded.stale, now, received_at)
        for result in self._core.pass_time(now):
            moved |= self._hand_out(result, None)
        self._committer.note(time_input(now))
        if messages:
            self._metrics.batch(messages=len(messages), readings=readings, rejects=rejects)
            self._metrics.applied(time.perf_counter() - began)
            self._rejects.report(rejects, now)
        if moved:
            self.show_alarms()

    def _lose(self, watches: Sequence[str], streams: Sequence[str], now: int, received_at: int) -> bool:
        """Let watches hear that streams are gone; whether any alarm moved."""
        moved = False
        for watch in watches:
            moved |= self._hand_out(self._core.mark_stale(watch, streams, now), received_at)
        self._committer.note(loss_input(watches, streams, now))
        return moved

    def _hand_out(self, result: CoreResult, received_at: int | None) -> bool:
        """Note what happened to alarms, and show the rest; whether any alarm moved."""
        self._tell(result.events, received_at)
        if result.runtime is not None and result.engine_result is not None:
            model = f"{result.runtime.model.name}/{result.runtime.model.version}"
            for steps in result.engine_result.steps:
                self._metrics.stepped(model, len(steps.rows))
            if result.beside is not None:
                self._compare(result.runtime, result.engine_result, result.beside)
            self._metrics.of_streams(result.runtime.name, result.engine_result.steps)
            evicted = sum(len(kept.streams) for kept in result.engine_result.evicted)
            self._metrics.stays(reprocessed=result.engine_result.reprocessed, evicted=evicted)
            if evicted and self._committer.evicted is not None:
                keep(self._committer.evicted, result.runtime, result.engine_result)
            if self._publish_scores and self._connection.is_connected:
                waiting = frozenset[str]() if result.beside is None else result.beside.waiting
                self._hand_out_scores(result.runtime, result.engine_result, lambda stream: stream not in waiting)
                if result.beside is not None:
                    self._hand_out_scores(
                        result.beside.incumbent.runtime, result.beside.engine_result, lambda stream: stream in waiting
                    )
        return bool(result.events)

    def _tell(self, events: Sequence[Event], received_at: int | None) -> None:
        """Note what is to be told; that waits for the commit, which is soon."""
        if events:
            self._committer.note_events(events)
        for event in events:
            latency_s = None if received_at is None else (self._clock() - received_at) / _NS_PER_S
            self._metrics.event(event, latency_s)
            _LOG.info("%s %s/%s: %s", event.transition, event.stream, event.alarm, event.report.reason)

    def _compare(self, runtime: WatchRuntime, engine_result: EngineResult, beside: ShadowResult) -> None:
        """Count what two models say of the same streams, and tell when the new one has taken them all over."""
        incumbent = beside.incumbent
        for of, said in ((incumbent.runtime, beside.engine_result), (runtime, engine_result)):
            name = f"{of.model.name}/{of.model.version}"
            for alarm in incumbent.shadow.onsets(said):
                self._metrics.shadow.began(name, alarm)
            if of is incumbent.runtime:
                for steps in said.steps:
                    self._metrics.stepped(name, len(steps.rows))
        self._metrics.shadow.compared(incumbent.shadow.differences(beside.engine_result, engine_result))
        self._metrics.shadow.went_over(beside.cut_over)
        if beside.cut_over and incumbent.shadow.is_over:
            model = runtime.model
            _LOG.info("watch %s: %s/%s is warm, and has taken over", runtime.name, model.name, model.version)

    def _hand_out_scores(
        self, runtime: WatchRuntime, engine_result: EngineResult, speaks_of: Callable[[str], bool]
    ) -> None:
        channels = [channel.name for channel in runtime.model.channels]
        names = runtime.engine.table.names
        for steps in engine_result.steps:
            values = np.where(steps.mask == 0, np.float32(np.nan), steps.x)
            for i, row in enumerate(steps.rows.tolist()):
                if not speaks_of(names[row]):
                    continue
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
                self._connection.publish(message.topic, message.payload, qos=message.qos, retain=message.retain)

    def show_alarms(self) -> None:
        """Set the gauges of alarms."""
        self._metrics.active_alarms(self._core.registry.counts())
        self._metrics.alarm_counts(self._core.registry.alarm_counts())
