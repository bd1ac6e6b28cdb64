"""A watch whose new model warms up in the shadow of the one before it, behind the interface of a single runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.engine import EngineResult
from tocsin.engine.handover.shadow import Shadow, obstacle
from tocsin.engine.lifecycle.commands import Admit, ResetStream, StreamRefused, Transfer
from tocsin.runtime.watch_runtime import ModelOutput, ShadowComparison, WatchResult, WatchRuntime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tocsin.engine import Engine, Readings
    from tocsin.engine.events import ConditionEvent
    from tocsin.engine.lifecycle.commands import StreamCommand
    from tocsin.engine.model import Model
    from tocsin.engine.streams.state import StreamState


def shadow_obstacle(incumbent: WatchRuntime, successor: WatchRuntime) -> str | None:
    """Why a successor can't warm up in the shadow of an incumbent; None if it can."""
    if incumbent.clock_is_event != successor.clock_is_event:
        return "its clock is another"
    return obstacle(incumbent.model, successor.model)


class ShadowedWatch:
    """Incumbent and successor of one watch. Both get every call; each stream's events come from one of them.

    What the watch knows of streams (table, labels, profiles) is the successor's.
    """

    is_shadowed = True

    def __init__(self, incumbent: WatchRuntime, successor: WatchRuntime, shadow: Shadow) -> None:
        self._incumbent = incumbent
        self._successor = successor
        self._shadow = shadow

    @classmethod
    def start(
        cls, incumbent: WatchRuntime, successor: WatchRuntime, wall_now: int
    ) -> tuple[ShadowedWatch, WatchResult]:
        """Put a successor that knows no stream yet into the shadow of an incumbent, which goes on.

        Args:
            incumbent: Runtime with the streams.
            successor: Runtime without a `shadow_obstacle`.
            wall_now: Nanoseconds since 1970.

        Returns:
            Both, and the condition events of the change, as the incumbent knows streams and alarms.
        """
        now = incumbent.now(wall_now)
        shadow, engine_result = Shadow.start(incumbent.engine, successor.engine, now)
        successor.continue_clock(incumbent, wall_now)
        outputs = (ModelOutput(incumbent, engine_result.steps),)
        return cls(incumbent, successor, shadow), WatchResult(incumbent, engine_result, engine_result.events, outputs)

    @property
    def name(self) -> str:
        """Name of the watch."""
        return self._successor.name

    @property
    def engine(self) -> Engine:
        """The successor's engine."""
        return self._successor.engine

    @property
    def model(self) -> Model:
        """The successor's model."""
        return self._successor.model

    @property
    def model_name(self) -> str:
        """Name and version of the successor's model, as `name/version`."""
        return self._successor.model_name

    @property
    def current(self) -> WatchRuntime | ShadowedWatch:
        """The successor alone once it has taken over all streams, else both."""
        return self._successor if self._shadow.is_over else self

    @property
    def incumbent(self) -> WatchRuntime:
        """The runtime whose model is warm."""
        return self._incumbent

    @property
    def waiting(self) -> frozenset[str]:
        """Streams whose model-based events still come from the incumbent."""
        return self._shadow.waiting

    @property
    def shadow_alarms(self) -> Sequence[tuple[str, str]]:
        """Model and alarm of each condition that the two models are compared by."""
        return [
            (runtime.model_name, alarm)
            for runtime in (self._incumbent, self._successor)
            for alarm in self._shadow.alarms
        ]

    def previous_model(self, stream: str) -> Model | None:
        """The model that a stream still waits under; None once the successor has taken it over."""
        return self._incumbent.model if stream in self._shadow.waiting else None

    def apply(self, readings: Readings, wall_now: int) -> WatchResult:
        """Apply readings, or let time pass where there are none."""
        return self._call(lambda runtime: runtime.apply(readings, wall_now))

    def mark_stale(self, streams: Sequence[str], wall_now: int) -> WatchResult:
        """Mark streams stale that their source reports gone."""
        return self._call(lambda runtime: runtime.mark_stale(streams, wall_now))

    def check_command(self, command: StreamCommand, wall_now: int) -> None:
        """Check that the successor can carry out a command; nothing changes.

        Raises:
            StreamRefused: It can't.
        """
        self._successor.check_command(command, wall_now)

    def execute(self, command: StreamCommand, wall_now: int) -> WatchResult:
        """Carry out a command for a stream in the successor, and in the incumbent as far as it can.

        Raises:
            StreamRefused: The successor can't; nothing has changed.
        """
        version = self._membership_version
        result = self._successor.execute(command, wall_now)
        # The incumbent has nothing to begin anew where an admitted stream goes on in the successor.
        repeats = not isinstance(command, Admit) or self._membership_version != version
        return self._follow(command if repeats else None, result, wall_now)

    def follow(self, command: StreamCommand, wall_now: int) -> None:
        """Carry out in the incumbent alone a command that other watches carried out."""
        nothing = EngineResult(wall_now)
        self._follow(
            None if isinstance(command, Admit) else command, WatchResult(self._successor, nothing, [], ()), wall_now
        )

    def import_stream(self, state: StreamState, wall_now: int) -> WatchResult:
        """Go on in the successor with the state of a stream that was exported elsewhere.

        The state means nothing to the incumbent's model, which resets the stream.

        Raises:
            StreamRefused: The state is another model's, or there is no room; nothing has changed.
        """
        version = self._membership_version
        result = self._successor.import_stream(state, wall_now)
        moved = self._membership_version != version
        return self._follow(ResetStream(state.streams[0]) if moved else None, result, wall_now)

    def restore_evicted(self, state: StreamState, wall_now: int) -> WatchResult:
        """Go on in the successor with the state of a stream that was evicted here.

        Raises:
            StreamRefused: The state is another model's, or there is no room; nothing has changed.
        """
        return self._successor.restore_evicted(state, wall_now)

    def is_on_standby(self, stream: str, wall_now: int) -> bool:
        """Whether a stream is known and on standby."""
        return self._successor.is_on_standby(stream, wall_now)

    def resume(self, wall_now: int) -> None:
        """Restart the waiting times of silence and open frames after an outage of the daemon."""
        self._successor.resume(wall_now)
        self._incumbent.resume(wall_now)

    def roll_back(self, wall_now: int) -> list[ConditionEvent]:
        """Give all streams back to the incumbent; the condition events of that. The successor must not be used then."""
        return self._shadow.roll_back(wall_now)

    def export(self) -> dict[str, Any]:
        """Copy the state of all streams of both models as plain data with arrays in it."""
        incumbent = {**self._incumbent.export(), "cut_over": sorted(self._shadow.cut_over)}
        return {**self._successor.export(), "incumbent": incumbent}

    @classmethod
    def restored(cls, incumbent: WatchRuntime, successor: WatchRuntime, data: Mapping[str, Any]) -> ShadowedWatch:
        """Restore what `export` gave, in runtimes of the same configurations that know no stream yet.

        Raises:
            ValueError: The data is another configuration's.
        """
        successor.restore(data)
        incumbent.restore(data["incumbent"])
        shadow = Shadow(incumbent.engine, successor.engine, data["incumbent"]["cut_over"])
        return cls(incumbent, successor, shadow)

    @property
    def _membership_version(self) -> int:
        return self._successor.engine.table.membership_version

    def _call(self, call: Callable[[WatchRuntime], WatchResult]) -> WatchResult:
        shadow, waiting = self._shadow, self._shadow.waiting
        results = before, after = call(self._incumbent).engine_result, call(self._successor).engine_result
        events = shadow.merged_events(before, after)
        cut_over = len(shadow.cut_over_ready())
        onsets = [
            (runtime.model_name, alarm)
            for runtime, result in zip((self._incumbent, self._successor), results, strict=True)
            for alarm in shadow.onsets(result)
        ]
        outputs = (
            ModelOutput(self._successor, after.steps, waiting),
            ModelOutput(self._incumbent, before.steps, waiting, is_incumbent=True),
        )
        comparison = ShadowComparison(
            onsets, shadow.differences(before, after), cut_over, is_complete=bool(cut_over) and shadow.is_over
        )
        return WatchResult(self._successor, after, events, outputs, comparison)

    def _follow(self, command: StreamCommand | None, after: WatchResult, wall_now: int) -> WatchResult:
        """Repeat a command in the incumbent, if any, and merge the events of both."""
        before: EngineResult | None = None
        if command is not None:
            try:
                before = self._incumbent.execute(command, wall_now).engine_result
            except StreamRefused:
                before = None  # the incumbent doesn't know the stream, or has no such alarm
        events = self._shadow.merged_events(before, after.engine_result)
        if isinstance(command, Transfer):
            self._shadow.renamed(command.to)
        self._shadow.cut_over_ready()
        return WatchResult(self._successor, after.engine_result, events, after.outputs)


RunningWatch = WatchRuntime | ShadowedWatch
