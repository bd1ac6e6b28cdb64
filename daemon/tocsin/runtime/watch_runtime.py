"""Runtime of one watch: its engine, and the clock that the engine's `now` is read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tocsin.engine import EventClock
from tocsin.engine.handover.migration import migrate
from tocsin.engine.handover.shadow import Shadow, obstacle
from tocsin.engine.lifecycle import checkpoint
from tocsin.engine.streams.table import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tocsin.engine import Engine, EngineResult, Readings
    from tocsin.engine.lifecycle.commands import StreamCommand
    from tocsin.engine.lifecycle.transfer import StreamState
    from tocsin.engine.model import Model


class WatchRuntime:
    """A running watch. Methods take the wall clock's time, nanoseconds since 1970; the engine gets its own clock's.

    Attributes:
        name: Name of the watch.
        engine: Engine with the watch's streams.
        model: Model of the engine.
        clock_is_event: Whether the engine's `now` is the newest reading's time, as for recordings, and not the wall
            clock's.
    """

    def __init__(self, name: str, engine: Engine, model: Model, *, clock_is_event: bool) -> None:
        self.name = name
        self.engine = engine
        self.model = model
        self.clock_is_event = clock_is_event
        self._event_clock = EventClock(engine) if clock_is_event else None

    def apply(self, readings: Readings, wall_now: int) -> EngineResult:
        """Apply readings, or let time pass where there are none."""
        if self._event_clock is not None:
            return self._event_clock.apply(readings)
        return self.engine.apply(readings, wall_now)

    def mark_stale(self, streams: Sequence[str], wall_now: int) -> EngineResult:
        """Mark streams stale that their source reports gone."""
        return self.engine.mark_stale(streams, self.now(wall_now))

    def check_command(self, command: StreamCommand, wall_now: int) -> None:
        """Check that the engine can carry out a command; nothing changes.

        Raises:
            StreamRefused: It can't.
        """
        self.engine.refuse(command, self.now(wall_now))

    def carry_out(self, command: StreamCommand, wall_now: int) -> EngineResult:
        """Carry out a command for a stream.

        Raises:
            StreamRefused: The engine can't; nothing has changed.
        """
        return self.engine.carry_out(command, self.now(wall_now))

    def import_streams(self, state: StreamState, wall_now: int) -> EngineResult:
        """Go on with the state of streams that was exported elsewhere or evicted here.

        Raises:
            StreamRefused: The state is another model's, or there is no room; nothing has changed.
        """
        return self.engine.import_streams(state, self.now(wall_now))

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

    def migrate_from(self, predecessor: WatchRuntime, wall_now: int) -> EngineResult:
        """Take over the streams of another configuration's runtime, which must not be used any more.

        The result names streams and alarms as `predecessor` knows them.
        """
        now = predecessor.now(wall_now)
        engine_result = migrate(predecessor.engine, self.engine, now)
        self.set_clock(predecessor, now, wall_now)
        return engine_result

    def obstacle(self, incumbent: WatchRuntime) -> str | None:
        """Why this model can't warm up as a shadow of the incumbent's model; None if it can."""
        if self.clock_is_event != incumbent.clock_is_event:
            return "its clock is another"
        return obstacle(incumbent.model, self.model)

    def stand_beside(self, incumbent: WatchRuntime, wall_now: int) -> tuple[Shadow, EngineResult]:
        """Let the model warm up on the streams of an incumbent, which goes on."""
        now = incumbent.now(wall_now)
        shadow, engine_result = Shadow.start(incumbent.engine, self.engine, now)
        self.set_clock(incumbent, now, wall_now)
        return shadow, engine_result

    def set_clock(self, predecessor: WatchRuntime, now: int, wall_now: int) -> None:
        """Continue the clock of a predecessor at its `now`."""
        table = self.engine.table
        rows = slice(0, len(table))
        if self._event_clock is not None:
            self._event_clock = EventClock(self.engine, max(now, int(table.newest_t[rows].max(initial=0))))
        if (self._event_clock is None) != (predecessor._event_clock is None):
            # Silence was counted on the other clock: it begins anew.
            heard = table.last_reading_at[rows] != NEVER
            table.last_reading_at[rows][heard] = wall_now if self._event_clock is None else self._event_clock.now

    def now(self, wall_now: int) -> int:
        """The engine's time."""
        return wall_now if self._event_clock is None else self._event_clock.now

    def export(self) -> dict[str, Any]:
        """Copy the state of all streams as plain data with arrays in it."""
        clock = None if self._event_clock is None else self._event_clock.now
        return {"engine": checkpoint.export(self.engine), "clock": clock}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Restore what `export` gave under the same configuration.

        Raises:
            ValueError: The data is another configuration's.
        """
        if (data["clock"] is None) != (self._event_clock is None):
            raise ValueError(f"watch {self.name}: its state is by another clock")
        checkpoint.restore(self.engine, data["engine"])
        if self._event_clock is not None:
            self._event_clock = EventClock(self.engine, data["clock"])
