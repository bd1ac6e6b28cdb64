"""Pipeline: messages are decoded, applied, recorded, committed, then acknowledged, and their events published."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tocsin.engine.lifecycle.commands import StreamRefused
from tocsin.notify.mqtt_messages import score_message
from tocsin.runtime.evicted_streams import restore_entries, store_evicted
from tocsin.runtime.journal_entries import (
    AlarmCommandEntry,
    ReadingsEntry,
    StaleEntry,
    StreamCommandEntry,
    TickEntry,
)
from tocsin.runtime.sources import Routing, reading_rejects
from tocsin.runtime.stream_commands import begins_anew, ended_streams, log_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tocsin.alarm import CommandEnvelope, Event
    from tocsin.alarm.commands import Command
    from tocsin.alarm.record import AlarmRecord
    from tocsin.engine import Readings
    from tocsin.engine.lifecycle.commands import StreamRequest
    from tocsin.ingest.message import Message
    from tocsin.ingest.reject import Reject
    from tocsin.ingest.reject_log import RejectLog
    from tocsin.metrics.metrics import Metrics
    from tocsin.mqtt.connection import Connection
    from tocsin.mqtt.inbox import Batch
    from tocsin.runtime.committer import Committer
    from tocsin.runtime.core import Core, CoreResult
    from tocsin.runtime.deployment import Deployment
    from tocsin.runtime.journal_entries import JournalEntry
    from tocsin.runtime.shadowed_watch import RunningWatch
    from tocsin.runtime.sources import Source
    from tocsin.runtime.watch_runtime import ModelOutput, ShadowComparison, WatchResult, WatchRuntime

_LOG = logging.getLogger(__name__)

_NS_PER_S = 1_000_000_000
_MAX_BATCH = 4096


class MessageHandler(Protocol):
    """A receiver of messages that are no readings."""

    def take(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Handle the messages that are for this handler; returns the others."""


class Pipeline:
    """Moves readings from the connection through the core and events back out.

    Everything between `receive` and `acknowledge` is one step without a pause: what is acknowledged has been applied
    and is stored, with its events and their pending deliveries.
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
            core: State of the daemon.
            connection: Connection to the broker.
            committer: Records and commits what was applied.
            metrics: Metrics of what passes.
            rejects: Log of rejected readings.
            clock: Nanoseconds since 1970; the only clock that the core's `now` is read from.
        """
        self._core = core
        self._connection = connection
        self._committer = committer
        self._metrics = metrics
        self._rejects = rejects
        self._clock = clock
        self._stopping = asyncio.Event()
        self._handlers: list[MessageHandler] = []
        self._unacknowledged: list[Batch] = []
        self._use(core.deployment)

    def add_handler(self, handler: MessageHandler) -> None:
        """Offer all received messages to a handler, before they count as readings."""
        self._handlers.append(handler)

    @property
    def records(self) -> Mapping[tuple[str, str], AlarmRecord]:
        """Every alarm that has been active, or that is shelved or removed from service."""
        return self._core.registry.records

    @property
    def deployment(self) -> Deployment:
        """The current deployment."""
        return self._core.deployment

    @property
    def runtimes(self) -> Mapping[str, RunningWatch]:
        """Running watches by name."""
        return self._core.runtimes

    @property
    def previous(self) -> Deployment | None:
        """The deployment before a model that still warms up; None where none does."""
        return next(iter(self._core.previous.values()), None)

    @property
    def waiting(self) -> int:
        """Number of streams that wait for a new model to warm up."""
        return sum(len(watch.waiting) for watch in self._core.runtimes.values())

    def stream_command(self, envelope: CommandEnvelope[StreamRequest]) -> list[Event]:
        """Carry out a command for a stream, between two batches; its events are committed when this returns.

        Raises:
            StreamRefused: It can't be carried out; nothing has changed.
        """
        now, command = self._clock(), envelope.command
        if not begins_anew(command):
            for runtime in self.deployment.runtimes.values():
                self._restore_evicted(runtime, [command.stream], now)
        results = self._apply(StreamCommandEntry(now, command))
        for stream in ended_streams(command):
            self._forget_evicted(stream)
        events = [event for result in results for event in result.events]
        watches = [result.watch.runtime.name for result in results if result.watch is not None]
        self._committer.record_stream_command(log_entry(envelope, now, watches, events))
        self._commit(now)
        return events

    def alarm_command(self, envelope: CommandEnvelope[Command]) -> list[Event]:
        """Carry out a command for alarms, between two batches; its events are committed when this returns.

        Raises:
            Refused: It can't be carried out; nothing has changed.
        """
        now = self._clock()
        (result,) = self._apply(AlarmCommandEntry(now, envelope))
        if result.repeated:
            return result.repeated
        self._commit(now)
        return result.events

    def apply_deployment(self, deployment: Deployment) -> None:
        """Migrate to another configuration, between two batches; alarms that it doesn't have end."""
        now = self._clock()
        self._migrate(deployment, now)
        for watch in self._core.runtimes.values():
            for model, alarm in watch.shadow_alarms:
                self._metrics.shadow.add_model(model, [alarm])
        self._committer.require_snapshot()
        self._commit(now)

    def begin(self, deployment: Deployment, unpublished: Sequence[Event]) -> None:
        """Continue after a restart.

        Args:
            deployment: What is configured now; the core may have recovered under another.
            unpublished: Events of the recovery.
        """
        now = self._clock()
        self._record_events(unpublished, None)
        self._core.resume(now)
        if deployment is not self._core.deployment:
            self._migrate(deployment, now)
        self._committer.require_snapshot()
        self._commit(now)

    def stop(self) -> None:
        """Finish what has been received, then end."""
        self._stopping.set()

    async def run(self) -> None:
        """Process messages until `stop`."""
        while not self._stopping.is_set():
            await self._step(self._tick_s)
        waiting = self._connection.inbox_depth
        while waiting > 0 and self._connection.inbox_depth:
            waiting -= await self._step(0)

    def show_alarms(self) -> None:
        """Set the gauges of alarms."""
        self._metrics.active_alarms(self._core.registry.counts())
        self._metrics.alarm_counts(self._core.registry.alarm_counts())

    async def _step(self, timeout_s: float) -> int:
        batch = await self._connection.receive(max_messages=_MAX_BATCH, timeout_s=timeout_s)
        now = self._clock()
        messages: Sequence[Message] = batch.messages
        for handler in self._handlers:
            messages = handler.take(messages)
        self._process(messages, now)
        self._unacknowledged.append(batch)
        self._acknowledge(stored=self._committer.commit(now))
        return len(batch)

    def _acknowledge(self, *, stored: bool) -> None:
        """Acknowledge what is stored.

        What can't be stored stays at the broker for a while: the store may recover. But the broker sends nothing more
        once it holds too much, and alarms now are worth more than the same alarms again after a crash.
        """
        if not stored:
            count = sum(len(batch) for batch in self._unacknowledged)
            if count <= self._max_unacknowledged:
                return
            self._metrics.store.unstored(count)
        for batch in self._unacknowledged:
            self._connection.acknowledge(batch)
        self._unacknowledged.clear()

    def _process(self, messages: Sequence[Message], now: int) -> None:
        began = time.perf_counter()
        readings = 0
        rejects: list[Reject] = []
        results: list[CoreResult] = []
        for source, of_source in self._routing.runs(messages):
            decoded = source.decoder.decode(of_source, now)
            rejects += decoded.rejects
            for request in decoded.requests:
                self._connection.publish(request.topic, request.payload, qos=0)
            self._metrics.sparkplug(rebirths=len(decoded.requests), stale=len(decoded.stale))
            watches, received_at = [runtime.name for runtime in source.runtimes], of_source[-1].received_at
            if len(decoded.readings):
                for runtime in source.runtimes:
                    results += self._restore_evicted(runtime, decoded.readings.streams, now)
                applied = self._apply(ReadingsEntry(now, watches, decoded.readings), received_at)
                readings += max(result.watch.engine_result.accepted for result in applied if result.watch is not None)
                rejects += _rejects(applied, decoded.readings, source)
                results += applied
            if decoded.stale:
                results += self._apply(StaleEntry(now, watches, decoded.stale), received_at)
        results += self._apply(TickEntry(now))
        if messages:
            self._metrics.batch(messages=len(messages), readings=readings, rejects=rejects)
            self._metrics.applied(time.perf_counter() - began)
            self._rejects.report(rejects, now)
        if any(result.events for result in results):
            self.show_alarms()

    def _apply(self, entry: JournalEntry, received_at: int | None = None) -> list[CoreResult]:
        """Apply an entry, record it for the journal, and hand out its results.

        Args:
            entry: The entry; one that only repeats an earlier command is not recorded.
            received_at: When its cause was received, nanoseconds since 1970; None: nothing was received.
        """
        results = self._core.apply(entry)
        if not any(result.repeated for result in results):
            self._committer.record(entry)
        for result in results:
            self._hand_out(result, received_at)
        return results

    def _restore_evicted(self, runtime: WatchRuntime, streams: Sequence[str], now: int) -> list[CoreResult]:
        """Restore evicted streams before anything is done to them."""
        results: list[CoreResult] = []
        if not self._committer.evicted:  # none is stored, or there is no store
            return results
        for entry in restore_entries(self._committer.evicted, runtime, streams, now):
            try:
                results += self._apply(entry)
            except StreamRefused as refused:
                _LOG.info("watch %s: an evicted stream begins anew: %s", runtime.name, refused)
                continue
            self._metrics.stream_changes(returned=1)
        return results

    def _forget_evicted(self, stream: str) -> None:
        if self._committer.evicted:
            for watch in self.deployment.runtimes:
                self._committer.evicted.forget(watch, stream)

    def _migrate(self, deployment: Deployment, now: int) -> None:
        for result in self._core.apply_deployment(deployment, now):
            self._hand_out(result, None)
        self._use(deployment)

    def _use(self, deployment: Deployment) -> None:
        self._routing = Routing(deployment.sources)
        self._base = deployment.config.publish.base
        self._publish_scores = deployment.config.publish.scores
        self._max_unacknowledged = max(1, deployment.config.broker.receive_maximum // 2)
        # Frame timeouts and silence are noticed within this time though nothing arrives.
        periods = (runtime.model.period_ns for runtime in deployment.runtimes.values())
        self._tick_s = max(0.05, min(1.0, min(periods) / _NS_PER_S / 4))

    def _commit(self, now: int) -> None:
        self._committer.commit(now)
        self.show_alarms()

    def _hand_out(self, result: CoreResult, received_at: int | None) -> None:
        """Hand a result to deliveries, metrics and the topics of scores."""
        self._record_events(result.events, received_at)
        watch = result.watch
        if watch is None:
            return
        for output in watch.outputs:
            for steps in output.steps:
                self._metrics.stepped(output.runtime.model_name, len(steps.rows))
        if watch.comparison is not None:
            self._compare(watch, watch.comparison)
        self._metrics.of_streams(watch.runtime.name, watch.engine_result.steps)
        evicted = sum(len(states.streams) for states in watch.engine_result.evicted)
        self._metrics.stream_changes(reprocessed=watch.engine_result.reprocessed, evicted=evicted)
        if evicted and self._committer.evicted is not None:
            store_evicted(self._committer.evicted, watch)
        if self._publish_scores and self._connection.is_connected:
            for output in watch.outputs:
                self._publish_output(output)

    def _record_events(self, events: Sequence[Event], received_at: int | None) -> None:
        """Record events for the commit, which is soon; they are published after it."""
        if events:
            self._committer.record_events(events)
        for event in events:
            latency_s = None if received_at is None else (self._clock() - received_at) / _NS_PER_S
            self._metrics.event(event, latency_s)
            _LOG.info("%s %s/%s: %s", event.transition, event.stream, event.alarm, event.report.reason)

    def _compare(self, watch: WatchResult, comparison: ShadowComparison) -> None:
        for model, alarm in comparison.onsets:
            self._metrics.shadow.onset(model, alarm)
        self._metrics.shadow.compared(comparison.differences)
        self._metrics.shadow.cut_over(comparison.cut_over)
        if comparison.is_complete:
            _LOG.info("watch %s: %s is warm, and has taken over", watch.runtime.name, watch.runtime.model_name)

    def _publish_output(self, output: ModelOutput) -> None:
        channels = [channel.name for channel in output.runtime.model.channels]
        names = output.runtime.engine.table.names
        for steps in output.steps:
            values = np.where(steps.mask == 0, np.float32(np.nan), steps.x)
            for i, row in enumerate(steps.rows.tolist()):
                if not output.publishes(names[row]):
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


def _rejects(results: Sequence[CoreResult], readings: Readings, source: Source) -> list[Reject]:
    """Rejects of a source's readings, over its watches."""
    topics = ", ".join(source.decoder.settings.topics)
    watches = [result.watch for result in results if result.watch is not None]
    return [
        reject
        for watch in watches
        for reject in reading_rejects(readings, watch.engine_result, watch.runtime.model, topics)
    ]
