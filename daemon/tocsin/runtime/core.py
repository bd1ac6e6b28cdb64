"""Everything that has a memory: the watches' engines and the register of alarms. The same calls give the same events.

Live readings and the journal's go through the same methods, so that a replay ends where the daemon was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tocsin import __version__
from tocsin.alarm import AlarmRegistry
from tocsin.engine import EngineResult, Readings
from tocsin.engine.events import ConditionEvent, ConditionEventKind, Report
from tocsin.engine.handover.migration import TURNED_OFF, retire
from tocsin.engine.handover.shadow import Shadow
from tocsin.engine.lifecycle import checkpoint
from tocsin.engine.lifecycle.commands import Admit, ImportStream, ResetStream, StreamRefused, Transfer
from tocsin.runtime import stream_commands
from tocsin.runtime.stream_commands import share

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tocsin.alarm import CommandEnvelope, Event
    from tocsin.alarm.commands import Command
    from tocsin.engine.lifecycle.commands import StreamRequest
    from tocsin.engine.lifecycle.transfer import StreamState
    from tocsin.runtime.deployment import Deployment
    from tocsin.runtime.watch_runtime import WatchRuntime

MEMORY_LOST = "what was remembered of the stream is lost: it is not known whether this still holds"
_NO_READINGS = Readings.of([])


@dataclass(frozen=True, slots=True)
class Incumbent:
    """A watch as it was before its model changed, at work until the new one is warm.

    Attributes:
        runtime: It.
        shadow: Says which of both speaks of a stream.
        deployment: What it was part of.
    """

    runtime: WatchRuntime
    shadow: Shadow
    deployment: Deployment


@dataclass(frozen=True, slots=True)
class ShadowResult:
    """What the model that ran before said to the same call.

    Attributes:
        incumbent: It.
        engine_result: What it said.
        waiting: The streams that it spoke of.
        cut_over: How many of them the new model speaks of from now on.
    """

    incumbent: Incumbent
    engine_result: EngineResult
    waiting: frozenset[str]
    cut_over: int


@dataclass(frozen=True, slots=True)
class CoreResult:
    """What came of a call.

    Attributes:
        events: What happened to alarms.
        runtime: Whose engine was called; None where none was.
        engine_result: What it said; None likewise.
        beside: What the model said that is to be taken over from; None where there is none.
    """

    events: list[Event]
    runtime: WatchRuntime | None = None
    engine_result: EngineResult | None = None
    beside: ShadowResult | None = None


class Core:
    """The watches at work, and one register for all of them."""

    def __init__(self, deployment: Deployment) -> None:
        """Begin with no stream and no alarm.

        Args:
            deployment: What the configuration asks for.
        """
        self.deployment = deployment
        self.registry = AlarmRegistry(deployment.policies)
        self.incumbents: dict[str, Incumbent] = {}

    @property
    def runtimes(self) -> dict[str, WatchRuntime]:
        """By watch."""
        return self.deployment.runtimes

    def take_in(self, watch: str, readings: Readings, now: int) -> CoreResult:
        """Let a watch take in readings.

        Args:
            watch: Its name.
            readings: In the order of arrival.
            now: The wall's clock, nanoseconds since 1970.
        """
        return self._apply(self.runtimes[watch], lambda at_work: at_work.apply(readings, now), now)

    def mark_stale(self, watch: str, streams: Sequence[str], now: int) -> CoreResult:
        """Let a watch hear from a source that streams are gone.

        Args:
            watch: Its name.
            streams: Theirs.
            now: The wall's clock, nanoseconds since 1970.
        """
        runtime = self.runtimes[watch]
        return self._apply(runtime, lambda at_work: at_work.mark_stale(streams, now), now)

    def pass_time(self, now: int) -> list[CoreResult]:
        """Let time pass until `now`, the wall's clock, for everybody."""
        results = [
            self._apply(runtime, lambda at_work: at_work.apply(_NO_READINGS, now), now)
            for runtime in self.runtimes.values()
        ]
        return [*results, CoreResult(self.registry.pass_time(now))]

    def order(self, order: CommandEnvelope[Command], now: int) -> list[Event]:
        """Let somebody's order move alarms.

        Raises:
            Refused: It can't be done; nothing has changed.
        """
        return self.registry.carry_out(order, now)

    def command(self, command: StreamRequest, now: int) -> list[CoreResult]:
        """Do what somebody asks of a stream, in every watch that it concerns: in all of them, or in none.

        Whoever comes next inherits nothing: where a stay ends, what people said of its alarms is forgotten too.

        Raises:
            StreamRefused: It can't be done; nothing has changed.
        """
        moves = {name: self.runtimes[name].engine.table.membership_version for name in self.incumbents}
        engine_results = stream_commands.carry_out(self.deployment, command, now)
        changes = [change for _, engine_result in engine_results for change in engine_result.events]
        for name, before in moves.items():
            moved = self.runtimes[name].engine.table.membership_version != before
            changes = self._follow(self.incumbents[name], command, changes, now, moved=moved)
        events = self.registry.take_in(changes, now)
        for stream in stream_commands.ended(command):
            events += self.registry.end_stream(stream, now)
        return [
            CoreResult(events),
            *(CoreResult([], runtime, engine_result) for runtime, engine_result in engine_results),
        ]

    def restore_evicted(self, watch: str, remembered: StreamState, now: int) -> CoreResult:
        """Let a watch go on with what was remembered of streams that it gave up.

        Raises:
            StreamRefused: It is another model's by now, or there is no room; nothing has changed.
        """
        runtime = self.runtimes[watch]
        return self._of(runtime, runtime.import_streams(remembered, now), now)

    def resume(self, now: int) -> None:
        """Go on after a time in which nobody listened: what waits for readings begins to wait anew.

        Otherwise every stream would have been silent for as long as the daemon was away, and every open frame would
        have lingered long enough, before the broker can hand over what it kept.
        """
        for runtime in (*self.runtimes.values(), *(incumbent.runtime for incumbent in self.incumbents.values())):
            runtime.resume(now)

    def take_over(self, deployment: Deployment, now: int) -> list[CoreResult]:
        """Go on with another configuration; alarms that it doesn't have any more end.

        A new model warms up beside the one before, where it can. One that warms up already is given up for that: the
        one before it is warm.

        Args:
            deployment: What it asks for; nothing of it has met a reading.
            now: Nanoseconds since 1970.
        """
        results, incumbents = [], {}
        for name, at_work in self.runtimes.items():
            runtime, before = at_work, self.deployment
            if name in self.incumbents:
                incumbent = self.incumbents[name]
                ends = incumbent.shadow.roll_back(now)
                results.append(CoreResult(self.registry.take_in(ends, now)))
                runtime, before = incumbent.runtime, incumbent.deployment
            successor = deployment.runtimes.get(name)
            if successor is None:
                engine_result = EngineResult(now, events=retire(runtime.engine, now))
            elif successor.obstacle(runtime) is None:
                shadow, engine_result = successor.stand_beside(runtime, now)
                if not shadow.is_over:
                    incumbents[name] = Incumbent(runtime, shadow, before)
            else:
                engine_result = successor.migrate_from(runtime, now)
            results.append(self._of(runtime, engine_result, now))
        results.append(CoreResult(self.registry.reconfigure(deployment.policies, now)))
        self.deployment, self.incumbents = deployment, incumbents
        return results

    def export(self) -> dict[str, Any]:
        """Copy all that is remembered, as plain data with arrays in it."""
        return {
            "stations": {name: runtime.export() for name, runtime in self.runtimes.items()},
            "elders": {
                name: {"station": incumbent.runtime.export(), "gone_over": sorted(incumbent.shadow.cut_over)}
                for name, incumbent in self.incumbents.items()
            },
            "register": self.registry.export(__version__),
        }

    def restore(self, data: Mapping[str, Any], before: Mapping[str, Deployment] | None = None) -> None:
        """Go on with what `export` gave under the same configuration.

        Args:
            data: It.
            before: For each watch whose new model was warming up, what was at work before, made anew.

        Raises:
            ValueError: It was another configuration's.
        """
        if data["stations"].keys() != self.runtimes.keys():
            raise ValueError(f"watches {', '.join(data['runtimes'])} (legal: {', '.join(self.runtimes)})")
        for name, runtime in self.runtimes.items():
            runtime.restore(data["stations"][name])
        for name, deployment in (before or {}).items():
            incumbent, kept = deployment.runtimes[name], data["elders"][name]
            incumbent.restore(kept["station"])
            self.incumbents[name] = Incumbent(
                incumbent, Shadow(incumbent.engine, self.runtimes[name].engine, kept["gone_over"]), deployment
            )
        self.registry.restore(data["register"])

    def recall(self, told: Sequence[Event], now: int) -> list[Event]:
        """Go on from what people were told, where what came in since can't be applied again.

        Alarms that are up and of which nothing else is known stay up, uncertain, until their conditions are judged.

        Args:
            told: The events since `restore`, in order.
            now: Nanoseconds since 1970.
        """
        self.registry.recall(told)
        lost = []
        for record in self.registry.records.values():
            runtime = self.runtimes.get(record.watch)
            names = [] if runtime is None else [alarm.name for alarm in runtime.engine.alarms]
            if runtime is None or record.alarm not in names:
                continue
            index = names.index(record.alarm)
            alarm, is_up = runtime.engine.alarms[index], record.status.active
            since = 0 if record.status.since is None else record.status.since
            is_off = runtime.engine.has_off(record.stream, record.alarm)
            certain = checkpoint.assume_active(
                runtime.engine, record.stream, index, since if is_up and not is_off else None
            )
            if is_up and (is_off or not certain):
                lost.append(
                    ConditionEvent(
                        watch=runtime.name,
                        stream=record.stream,
                        labels=record.labels,
                        alarm=alarm.name,
                        kind=ConditionEventKind.REMOVED if is_off else ConditionEventKind.UNCERTAIN,
                        t=now,
                        raised_at=now,
                        since=since,
                        priority=alarm.priority,
                        category=alarm.category,
                        report=Report(TURNED_OFF if is_off else MEMORY_LOST),
                    )
                )
        return self.registry.take_in(lost, now)

    def _apply(self, runtime: WatchRuntime, call: Callable[[WatchRuntime], EngineResult], now: int) -> CoreResult:
        """Call a watch, and the one that was at work before it where that goes on."""
        incumbent = self.incumbents.get(runtime.name)
        if incumbent is None:
            return self._of(runtime, call(runtime), now)
        waiting = incumbent.shadow.waiting
        before, engine_result = call(incumbent.runtime), call(runtime)
        changes = incumbent.shadow.merged_events(before, engine_result)
        cut_over = len(incumbent.shadow.cut_over_ready())
        self._end_if_over(runtime.name)
        return CoreResult(
            self.registry.take_in(changes, now),
            runtime,
            engine_result,
            ShadowResult(incumbent, before, waiting, cut_over),
        )

    def _follow(
        self, incumbent: Incumbent, command: StreamRequest, changes: list[ConditionEvent], now: int, *, moved: bool
    ) -> list[ConditionEvent]:
        """Let the model that ran before do what was done of a stream; what people are to hear of both.

        Args:
            incumbent: The watch as it was.
            command: It.
            changes: What came of it, in all watches.
            now: The wall's clock, nanoseconds since 1970.
            moved: Whether a stream came, went or was renamed in this watch.
        """
        name, shadow = incumbent.runtime.name, incumbent.shadow
        ours = [change for change in changes if change.watch == name]
        others = [change for change in changes if change.watch != name]
        # A memory is of the new model alone. To the old one it is somebody of whom nothing is known.
        asked = ResetStream(command.stream) if isinstance(command, ImportStream) else share(command, incumbent.runtime)
        engine_result: EngineResult | None = None
        if moved or not isinstance(command, ImportStream | Admit):
            try:
                engine_result = incumbent.runtime.carry_out(asked, now)
            except StreamRefused:  # it doesn't know the stream, or has no such alarm: then nothing of it is told
                engine_result = None
        told = shadow.merged_events(engine_result, EngineResult(now, events=ours))
        if isinstance(command, Transfer):
            shadow.renamed(command.to)
        shadow.cut_over_ready()
        self._end_if_over(name)
        return others + told

    def _end_if_over(self, watch: str) -> None:
        if self.incumbents[watch].shadow.is_over:
            del self.incumbents[watch]

    def _of(self, runtime: WatchRuntime, engine_result: EngineResult, now: int) -> CoreResult:
        return CoreResult(self.registry.take_in(engine_result.events, now), runtime, engine_result)
