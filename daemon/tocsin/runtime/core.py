"""Core: all state of the daemon, which is the running watches and the registry of alarms.

The same entries give the same events: live operation and recovery go through `Core.apply`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tocsin import __version__
from tocsin.alarm import AlarmRegistry
from tocsin.engine import Readings
from tocsin.engine.events import ConditionEvent, ConditionEventKind, Report
from tocsin.engine.handover.migration import TURNED_OFF
from tocsin.engine.lifecycle import checkpoint
from tocsin.runtime import stream_commands
from tocsin.runtime.journal_entries import (
    AlarmCommandEntry,
    ReadingsEntry,
    RestoreEntry,
    StaleEntry,
    StreamCommandEntry,
    TickEntry,
)
from tocsin.runtime.shadowed_watch import ShadowedWatch, shadow_obstacle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tocsin.alarm import Event
    from tocsin.runtime.deployment import Deployment
    from tocsin.runtime.journal_entries import JournalEntry
    from tocsin.runtime.shadowed_watch import RunningWatch
    from tocsin.runtime.watch_runtime import WatchResult

STATE_LOST = "the stream's state was lost in a restart: it is not known whether this still holds"
_NO_READINGS = Readings.of([])


@dataclass(frozen=True, slots=True)
class CoreResult:
    """Result of an entry, or a part of it.

    Attributes:
        events: New alarm events, in order.
        watch: What a watch gave; None where none was called.
        repeated: Events of a command that was carried out before under its transaction: nothing has changed.
    """

    events: list[Event]
    watch: WatchResult | None = None
    repeated: list[Event] = field(default_factory=list)


class Core:
    """The running watches and one registry for the alarms of all.

    Attributes:
        deployment: What the configuration asks for.
        registry: Registry of alarms.
        runtimes: Running watches by name, in the configuration's order.
        previous: By shadowed watch, the deployment that its incumbent is part of.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.registry = AlarmRegistry(deployment.policies)
        self.runtimes: dict[str, RunningWatch] = {**deployment.runtimes}
        self.previous: dict[str, Deployment] = {}

    def apply(self, entry: JournalEntry) -> list[CoreResult]:
        """Apply an entry: the only way to change the core but for another deployment and restoring.

        Raises:
            Refused: A command for alarms can't be carried out; nothing has changed.
            StreamRefused: A command for a stream can't be carried out, or an evicted stream can't be restored;
                nothing has changed.
        """
        now = entry.now
        match entry:
            case ReadingsEntry(_, names, readings):
                return [self._result(self.runtimes[name].apply(readings, now), now) for name in names]
            case StaleEntry(_, names, streams):
                return [self._result(self.runtimes[name].mark_stale(streams, now), now) for name in names]
            case TickEntry():
                results = [self._result(watch.apply(_NO_READINGS, now), now) for watch in [*self.runtimes.values()]]
                return [*results, CoreResult(self.registry.expire_deadlines(now))]
            case AlarmCommandEntry():
                return [self._alarm_command(entry)]
            case StreamCommandEntry():
                return self._stream_command(entry)
            case RestoreEntry(_, name, state):
                return [self._result(self.runtimes[name].restore_evicted(state, now), now)]

    def resume(self, now: int) -> None:
        """Restart the waiting times of silence and open frames after an outage of the daemon.

        Otherwise every stream would have been silent during the outage, and every open frame would close, before the
        broker can hand over what it queued.
        """
        for watch in self.runtimes.values():
            watch.resume(now)

    def apply_deployment(self, deployment: Deployment, now: int) -> list[CoreResult]:
        """Migrate to another configuration; alarms that it doesn't have end.

        A new model warms up in the shadow of the one before, where it can. A model that was still warming up is
        dropped: the successor's incumbent is the warm one before it.

        Args:
            deployment: What the configuration asks for; its engines know no stream yet.
            now: Nanoseconds since 1970.
        """
        results: list[CoreResult] = []
        runtimes: dict[str, RunningWatch] = {**deployment.runtimes}
        previous: dict[str, Deployment] = {}
        for name, watch in self.runtimes.items():
            if ends := watch.roll_back(now):
                results.append(CoreResult(self.registry.apply(ends, now)))
            incumbent, successor = watch.incumbent, deployment.runtimes.get(name)
            if successor is None:
                result = incumbent.removed_alarms(now)
            elif shadow_obstacle(incumbent, successor) is not None:
                result = incumbent.migrate_to(successor, now)
            else:
                shadowed, result = ShadowedWatch.start(incumbent, successor, now)
                runtimes[name] = shadowed.current
                if runtimes[name] is shadowed:
                    previous[name] = self.previous.get(name, self.deployment)
            results.append(CoreResult(self.registry.apply(result.events, now), result))
        results.append(CoreResult(self.registry.reconfigure(deployment.policies, now)))
        self.deployment, self.runtimes, self.previous = deployment, runtimes, previous
        return results

    def export(self) -> dict[str, Any]:
        """Copy all state as plain data with arrays in it."""
        return {
            "watches": {name: watch.export() for name, watch in self.runtimes.items()},
            "alarms": self.registry.export(__version__),
        }

    def restore(self, data: Mapping[str, Any], previous: Mapping[str, Deployment] | None = None) -> None:
        """Restore what `export` gave under the same configuration.

        Args:
            data: The exported state.
            previous: By watch that was shadowed, the deployment of its incumbent, built anew.

        Raises:
            ValueError: The state is another configuration's.
        """
        watches = data["watches"]
        if watches.keys() != self.runtimes.keys():
            raise ValueError(f"watches {', '.join(watches)} (legal: {', '.join(self.runtimes)})")
        previous = previous or {}
        for name, runtime in self.deployment.runtimes.items():
            if name in previous:
                incumbent = previous[name].runtimes[name]
                self.runtimes[name] = ShadowedWatch.restored(incumbent, runtime, watches[name])
                self.previous[name] = previous[name]
            else:
                runtime.restore(watches[name])
        self.registry.restore(data["alarms"])

    def restore_from_log(self, events: Sequence[Event], now: int) -> list[Event]:
        """Restore alarms from their log, where the journal can't be applied.

        Active alarms without other information stay active and uncertain until their conditions are judged.

        Args:
            events: Logged events since the restored snapshot, in order.
            now: Nanoseconds since 1970.

        Returns:
            New events of the alarms that became uncertain.
        """
        self.registry.recall(events)
        changes = []
        for record in self.registry.records.values():
            watch = self.runtimes.get(record.watch)
            names = [] if watch is None else [alarm.name for alarm in watch.engine.alarms]
            if watch is None or record.alarm not in names:
                continue
            index = names.index(record.alarm)
            alarm, is_active = watch.engine.alarms[index], record.status.active
            since = 0 if record.status.since is None else record.status.since
            is_off = watch.engine.has_off(record.stream, record.alarm)
            certain = checkpoint.assume_active(
                watch.engine.state, record.stream, index, since if is_active and not is_off else None
            )
            if is_active and (is_off or not certain):
                changes.append(
                    ConditionEvent(
                        watch=watch.name,
                        stream=record.stream,
                        labels=record.labels,
                        alarm=alarm.name,
                        kind=ConditionEventKind.REMOVED if is_off else ConditionEventKind.UNCERTAIN,
                        t=now,
                        raised_at=now,
                        since=since,
                        priority=alarm.priority,
                        category=alarm.category,
                        report=Report(TURNED_OFF if is_off else STATE_LOST),
                    )
                )
        return self.registry.apply(changes, now)

    def _result(self, result: WatchResult, now: int) -> CoreResult:
        self._settle(result.runtime.name)
        return CoreResult(self.registry.apply(result.events, now), result)

    def _settle(self, name: str) -> None:
        """Let a successor that has taken over all streams run alone."""
        current = self.runtimes[name].current
        if current is not self.runtimes[name]:
            self.runtimes[name] = current
            del self.previous[name]

    def _alarm_command(self, entry: AlarmCommandEntry) -> CoreResult:
        last_id = self.registry.last_id
        events = self.registry.execute(entry.envelope, entry.now)
        if events and events[-1].id <= last_id:
            return CoreResult([], repeated=events)
        return CoreResult(events)

    def _stream_command(self, entry: StreamCommandEntry) -> list[CoreResult]:
        """Carry out a command for a stream; where a stay ends, shelving and the like of its alarms end too."""
        results = stream_commands.execute(self.runtimes, self.deployment.sources, entry.command, entry.now)
        # Events of shadowed watches come last.
        results_in_order = sorted(results, key=lambda result: self.runtimes[result.runtime.name].is_shadowed)
        for name in [*self.runtimes]:
            self._settle(name)
        changes = [event for result in results_in_order for event in result.events]
        events = self.registry.apply(changes, entry.now)
        for stream in stream_commands.ended_streams(entry.command):
            events += self.registry.end_stream(stream, entry.now)
        return [CoreResult(events), *(CoreResult([], result) for result in results)]
