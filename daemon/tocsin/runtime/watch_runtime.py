"""Runtime of one watch: its engine, and the clock that the engine's `now` is read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tocsin.engine import EngineResult, EventClock
from tocsin.engine.handover.migration import migrate, removed_alarms
from tocsin.engine.lifecycle import checkpoint
from tocsin.engine.types import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tocsin.engine import Engine, Readings
    from tocsin.engine.events import ConditionEvent
    from tocsin.engine.lifecycle.commands import StreamCommand
    from tocsin.engine.model import Model
    from tocsin.engine.result import Steps
    from tocsin.engine.streams.state import StreamState


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """Frames that one model of a watch stepped in a call.

    Attributes:
        runtime: The model's runtime.
        steps: The frames.
        waiting: Streams whose scores the incumbent model publishes.
        is_incumbent: Whether the model is the incumbent.
    """

    runtime: WatchRuntime
    steps: Sequence[Steps]
    waiting: frozenset[str] = frozenset()
    is_incumbent: bool = False

    def publishes(self, stream: str) -> bool:
        """Whether a stream's scores are published from this model."""
        return (stream in self.waiting) == self.is_incumbent


@dataclass(frozen=True, slots=True)
class ShadowComparison:
    """Differences between the two models of a shadowed watch in one call.

    Attributes:
        onsets: Model (`name/version`) and alarm of each model-based condition that became active.
        differences: By how much the successor's score exceeds the incumbent's, for each frame that both scored.
        cut_over: Number of streams that the successor took over.
        is_complete: Whether the successor has taken over all streams.
    """

    onsets: list[tuple[str, str]]
    differences: list[float]
    cut_over: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class WatchResult:
    """Result of one call of a watch.

    Attributes:
        runtime: Runtime whose engine was called; of a shadowed watch the successor's.
        engine_result: What that engine gave.
        events: Condition events for the alarm registry, in order.
        outputs: Frames by model.
        comparison: Of a shadowed watch's models; None where one model runs.
    """

    runtime: WatchRuntime
    engine_result: EngineResult
    events: list[ConditionEvent]
    outputs: tuple[ModelOutput, ...]
    comparison: ShadowComparison | None = None


class WatchRuntime:
    """A running watch. Methods take the wall clock's time, nanoseconds since 1970; the engine gets its own clock's.

    `ShadowedWatch` has the same interface over two engines.

    Attributes:
        name: Name of the watch.
        engine: Engine with the watch's streams.
        model: Model of the engine.
        clock_is_event: Whether the engine's `now` is the newest reading's time, as for recordings, and not the wall
            clock's.
        waiting: Streams that wait for another model to warm up: none.
        shadow_alarms: Model and alarm of each condition that two models are compared by: none.
        is_shadowed: Whether two models run.
    """

    waiting: frozenset[str] = frozenset()
    shadow_alarms: Sequence[tuple[str, str]] = ()
    is_shadowed = False

    def __init__(self, name: str, engine: Engine, model: Model, *, clock_is_event: bool) -> None:
        self.name = name
        self.engine = engine
        self.model = model
        self.clock_is_event = clock_is_event
        self._event_clock = EventClock(engine) if clock_is_event else None

    @property
    def model_name(self) -> str:
        """Name and version of the model, as `name/version`."""
        return f"{self.model.name}/{self.model.version}"

    @property
    def current(self) -> WatchRuntime:
        """The runtime to use from now on."""
        return self

    @property
    def incumbent(self) -> WatchRuntime:
        """The runtime whose model is warm."""
        return self

    def previous_model(self, stream: str) -> Model | None:  # noqa: ARG002  (the shadowed watch looks it up)
        """The model that a stream still waits under: none."""
        return None

    def apply(self, readings: Readings, wall_now: int) -> WatchResult:
        """Apply readings, or let time pass where there are none."""
        if self._event_clock is not None:
            return self._result(self._event_clock.apply(readings))
        return self._result(self.engine.apply(readings, wall_now))

    def mark_stale(self, streams: Sequence[str], wall_now: int) -> WatchResult:
        """Mark streams stale that their source reports gone."""
        return self._result(self.engine.mark_stale(streams, self.now(wall_now)))

    def check_command(self, command: StreamCommand, wall_now: int) -> None:
        """Check that a command can be carried out; nothing changes.

        Raises:
            StreamRefused: It can't.
        """
        self.engine.check_command(command, self.now(wall_now))

    def execute(self, command: StreamCommand, wall_now: int) -> WatchResult:
        """Carry out a command for a stream.

        Raises:
            StreamRefused: It can't be; nothing has changed.
        """
        return self._result(self.engine.execute(command, self.now(wall_now)))

    def follow(self, command: StreamCommand, wall_now: int) -> None:
        """Note a command that other watches carried out."""

    def import_stream(self, state: StreamState, wall_now: int) -> WatchResult:
        """Go on with the state of a stream that was exported elsewhere.

        Raises:
            StreamRefused: The state is another model's, or there is no room; nothing has changed.
        """
        return self.restore_evicted(state, wall_now)

    def restore_evicted(self, state: StreamState, wall_now: int) -> WatchResult:
        """Go on with the state of a stream that was evicted here.

        Raises:
            StreamRefused: The state is another model's, or there is no room; nothing has changed.
        """
        return self._result(self.engine.import_streams(state, self.now(wall_now)))

    def is_on_standby(self, stream: str, wall_now: int) -> bool:
        """Whether a stream is known and on standby."""
        row = self.engine.table.row_of(stream)
        return row is not None and bool(self.engine.table.standby_until[row] > self.now(wall_now))

    def resume(self, wall_now: int) -> None:
        """Restart the waiting times of silence and open frames after an outage of the daemon."""
        if self._event_clock is not None:
            return  # time stood still
        self.engine.now = wall_now
        table = self.engine.table
        for column in (table.last_reading_at, table.opened_at):
            column[column != NEVER] = np.maximum(column[column != NEVER], wall_now)

    def roll_back(self, wall_now: int) -> list[ConditionEvent]:  # noqa: ARG002  (the shadowed watch needs it)
        """Give all streams back to the incumbent; the condition events of that."""
        return []

    def removed_alarms(self, wall_now: int) -> WatchResult:
        """End the alarms of a watch that is no longer configured."""
        return self._result(EngineResult(wall_now, events=removed_alarms(self.engine, wall_now)))

    def migrate_to(self, successor: WatchRuntime, wall_now: int) -> WatchResult:
        """Hand all streams to a successor; this runtime must not be used any more.

        The result names streams and alarms as this runtime knows them.
        """
        now = self.now(wall_now)
        engine_result = migrate(self.engine, successor.engine, now)
        successor.continue_clock(self, wall_now)
        return self._result(engine_result)

    def continue_clock(self, predecessor: WatchRuntime, wall_now: int) -> None:
        """Start from a predecessor's time."""
        table, now = self.engine.table, predecessor.now(wall_now)
        rows = slice(0, len(table))
        if self._event_clock is not None:
            self._event_clock = EventClock(self.engine, max(now, int(table.newest_t[rows].max(initial=0))))
        if self.clock_is_event != predecessor.clock_is_event:
            # Silence was counted on the other clock: it begins anew.
            known = table.last_reading_at[rows] != NEVER
            table.last_reading_at[rows][known] = self.now(wall_now)

    def now(self, wall_now: int) -> int:
        """The engine's time."""
        return wall_now if self._event_clock is None else self._event_clock.now

    def export(self) -> dict[str, Any]:
        """Copy the state of all streams as plain data with arrays in it."""
        clock = None if self._event_clock is None else self._event_clock.now
        return {"engine": checkpoint.export(self.engine.state), "clock": clock}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Restore what `export` gave under the same configuration.

        Raises:
            ValueError: The data is another configuration's.
        """
        if (data["clock"] is None) != (self._event_clock is None):
            raise ValueError(f"watch {self.name}: its state is by another clock")
        checkpoint.restore(self.engine.state, data["engine"])
        if self._event_clock is not None:
            self._event_clock = EventClock(self.engine, data["clock"])

    def _result(self, engine_result: EngineResult) -> WatchResult:
        return WatchResult(self, engine_result, engine_result.events, (ModelOutput(self, engine_result.steps),))
