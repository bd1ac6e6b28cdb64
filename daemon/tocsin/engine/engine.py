"""The engine of one watch: readings and time in, condition events out.

The engine reads no clock, file or socket. The same calls give the same results, to the bit, however readings are cut
into batches. Streams are independent: what happens in one depends on its own readings and on `now` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.frames.reprocessing import Reprocessor
from tocsin.engine.frames.validation import ReadingValidator
from tocsin.engine.lifecycle import streams as lifecycle
from tocsin.engine.lifecycle import transfer
from tocsin.engine.result import EngineResult, ReadingReject
from tocsin.engine.types import NEVER, ConditionState
from tocsin.engine.watch_state import WatchState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tocsin.engine.conditions.alarm import Alarm
    from tocsin.engine.lifecycle.commands import StreamCommand
    from tocsin.engine.readings import Readings
    from tocsin.engine.streams.state import StreamState
    from tocsin.engine.streams.table import StreamTable
    from tocsin.engine.watch import Watch


class Engine:
    """All streams of one watch, at first none.

    Attributes:
        state: State of the watch.
    """

    def __init__(self, watch: Watch) -> None:
        self.state = WatchState(watch)
        model = watch.model
        self._reprocessor = Reprocessor(
            self.state.assembler, self.state.stepper, model.period_ns, watch.clock.reprocess_late_ticks
        )
        self._validator = ReadingValidator(
            model, {channel for alarm in watch.alarms for channel in alarm.condition.implausible_channels}
        )

    @property
    def watch(self) -> Watch:
        """Configuration of the watch."""
        return self.state.watch

    @property
    def table(self) -> StreamTable:
        """The streams."""
        return self.state.table

    @property
    def alarms(self) -> Sequence[Alarm]:
        """Alarms of every stream."""
        return self.state.watch.alarms

    @property
    def now(self) -> int:
        """Time of the last call, ns; NEVER before the first. May be set, as if a call had been made then."""
        return self.state.now

    @now.setter
    def now(self, now: int) -> None:
        self.state.now = now

    def has_off(self, stream: str, alarm: str) -> bool:
        """Whether an override turns an alarm off in streams of this name, known or not."""
        overrides = self.table.overrides
        return overrides is not None and overrides.has_off(stream, alarm)

    def alarms_up(self) -> list[tuple[Alarm, int]]:
        """Each alarm, with the number of streams in which its condition is active or uncertain."""
        up = (self.table.delay_state[: len(self.table)] != ConditionState.INACTIVE).sum(axis=0)  # (A,)
        return list(zip(self.alarms, up.tolist(), strict=True))

    def warming_up(self) -> int:
        """Number of streams, not on standby, whose model has no score yet."""
        table, rows = self.table, self.table.live_rows()
        judged = table.standby_until[rows] == NEVER
        return int((judged & (table.frame_count[rows] <= self.watch.model.warm_up_ticks)).sum())

    def unknown_streams(self, streams: Sequence[str]) -> list[str]:
        """Those of these streams that the engine does not know."""
        return [stream for stream in streams if self.table.row_of(stream) is None]

    def apply(self, batch: Readings, now: int) -> EngineResult:
        """Apply readings that arrived up to `now`, and let time pass until `now`.

        Args:
            batch: The readings, in order of arrival; may be empty.
            now: Nanoseconds since 1970. If the clock was set between two calls, idle times and frame timeouts count
                from there.
        """
        return self.apply_pieces([(batch, now)], now)

    def apply_pieces(self, pieces: Iterable[tuple[Readings, int]], now: int) -> EngineResult:
        """Apply a batch piece by piece, each at a time of its own.

        Args:
            pieces: Pieces of the batch, in order, with the time of each, ns since 1970.
            now: Time of the result if there is no piece.
        """
        self.table.reuse_rows()
        result, offset = EngineResult(now), 0
        for piece, piece_now in pieces:
            result.extend(self._apply(piece, piece_now), offset)
            offset += len(piece)
        return result

    def mark_stale(self, streams: Iterable[str], now: int) -> EngineResult:
        """Mark streams as gone by their source's report: they are silent at once, without the silent delay.

        Open frames close first with what was measured. Then every other condition becomes unknown, so that active ones
        become uncertain, until the next reading. Streams that are unknown or on standby are skipped.

        Args:
            streams: Names.
            now: Nanoseconds since 1970.

        Returns:
            Events at each stream's newest `t`.
        """
        result = self._begin(now)
        known = [row for name in dict.fromkeys(streams) if (row := self.table.row_of(name)) is not None]
        rows = np.array(known, dtype=np.int64)
        rows = rows[self.table.standby_until[rows] == NEVER]
        self.state.close_frames_up_to(rows, self.state.newest_tick(rows), result)
        self.state.evaluator.mark_stale(rows, result)
        return result

    def check_command(self, command: StreamCommand, now: int) -> None:
        """Check whether a command can be carried out; nothing changes.

        Raises:
            StreamRefused: It can't.
        """
        lifecycle.check_command(self.state, command, now)

    def execute(self, command: StreamCommand, now: int) -> EngineResult:
        """Carry out a command on a stream.

        Raises:
            StreamRefused: It can't be carried out; nothing has changed.
        """
        result = self._begin(now)
        lifecycle.execute(self.state, command, result)
        return result

    def export_streams(self, streams: Sequence[str] | None = None) -> StreamState:
        """Export the state of these streams, or of all.

        Raises:
            StreamRefused: One of them is unknown.
        """
        return transfer.export_streams(self.state, streams)

    def check_import(self, exported: StreamState) -> None:
        """Check whether streams can be imported; nothing changes.

        Raises:
            StreamRefused: The state is another model's, of another format or damaged, or there is no room.
        """
        lifecycle.check_import(self.state, exported)

    def import_streams(self, exported: StreamState, now: int) -> EngineResult:
        """Import streams, which continue to the bit.

        A stream of the same name that is here ends. An active condition is inactive at first, and becomes active, with
        an event, in the next frame in which it still holds.

        Args:
            exported: Result of `export_streams`.
            now: Nanoseconds since 1970; idle times count from here.

        Raises:
            StreamRefused: The state is another model's, of another format or damaged, or there is no room; nothing has
                changed.
        """
        self.table.reuse_rows()
        result = EngineResult(now)
        self._set_now(now)
        lifecycle.import_streams(self.state, exported, result)
        return result

    def _begin(self, now: int) -> EngineResult:
        self.table.reuse_rows()
        self._set_now(now)
        self._resume_expired(now)
        return EngineResult(now)

    def _apply(self, batch: Readings, now: int) -> EngineResult:
        result = EngineResult(now)
        self._set_now(now)
        self._resume_expired(now)
        if len(batch):
            rows = self.table.rows(batch.streams, batch.labels)[batch.stream]  # (R,)
            values = self._validator.values(batch)  # (R, C)
            valid, implausible = self._validator.validate(self.table, rows, batch.t, values, result)
            for round_ in _rounds(rows[valid]):
                at = valid[round_]
                self._add_readings(rows[at], batch.t[at], values[at], implausible[at], at, result)
        self._close_timed_out(result)
        self.state.evaluator.evaluate_silence(result)
        self._evict(result)
        return result

    def _set_now(self, now: int) -> None:
        """Let idle times and frame timeouts count from here if the clock was set, or the daemon paused."""
        before, self.now = self.now, now
        table, n = self.table, len(self.table)
        pause, longest = now - before, self.watch.max_pause_ns
        if before == NEVER or (pause >= 0 and (longest is None or pause <= longest)):
            return
        for since in (table.last_reading_at[:n], table.opened_at[:n]):
            since[since != NEVER] = (
                np.minimum(since, now)[since != NEVER] if pause < 0 else since[since != NEVER] + pause
            )

    def _resume_expired(self, now: int) -> None:
        until = self.table.standby_until[: len(self.table)]
        expired = np.flatnonzero((until != NEVER) & (until <= now))
        if len(expired):
            lifecycle.resume(self.state, expired, now)

    def _evict(self, result: EngineResult) -> None:
        if self.watch.evict_after_ns is None:
            return
        table, n = self.table, len(self.table)
        idle = (table.last_reading_at[:n] != NEVER) & (
            result.now - table.last_reading_at[:n] >= self.watch.evict_after_ns
        )
        rows = np.flatnonzero(idle & ~table.admitted[:n])
        if len(rows):
            lifecycle.evict(self.state, rows, result)

    def _add_readings(
        self,
        rows: NDArray[np.int64],
        t: NDArray[np.int64],
        values: NDArray[np.float64],
        implausible: NDArray[np.bool_],
        indices: NDArray[np.int64],
        result: EngineResult,
    ) -> None:
        """Add one reading each to streams (R,)."""
        table, assembler = self.table, self.state.assembler
        table.last_reading_at[rows] = result.now
        watermark = assembler.observe(table, rows, t)
        self.state.evaluator.end_silence(rows, result)
        self.state.close_frames_up_to(rows, watermark, result)
        assembler.advance(table, rows, watermark)
        values = np.where(self._validator.measured, values, np.nan)
        late = assembler.late(table, rows, t)
        if late.any():
            self._reprocess(rows[late], t[late], values[late], indices[late], result)
            rows, t, values, indices = rows[~late], t[~late], values[~late], indices[~late]
            implausible = implausible[~late]
        fits = assembler.place(table, rows, t, values, result.now)
        assembler.mark_implausible(table, rows, t, implausible)
        result.reject(ReadingReject.CROWDED, indices[~fits])
        result.accepted += int(fits.sum())
        while len(rows):
            tick, slot = assembler.oldest(table, rows)
            ready = assembler.complete(table, rows, tick, slot)
            rows = rows[ready]
            self.state.close_frames(rows, tick[ready], slot[ready], result)

    def _reprocess(
        self,
        rows: NDArray[np.int64],
        t: NDArray[np.int64],
        values: NDArray[np.float64],
        indices: NDArray[np.int64],
        result: EngineResult,
    ) -> None:
        """Put late readings into their kept frames and step again from there; reject those that come too late."""
        near = self._reprocessor.reaches(self.table, rows, t)
        result.reject(ReadingReject.LATE, indices[~near])
        if not near.any():
            return
        changed, stepped = self._reprocessor.put_in(self.table, rows[near], t[near], values[near], result.now)
        result.reject(ReadingReject.LATE, indices[near][~changed])  # delivered twice
        result.accepted += int(changed.sum())
        result.reprocessed += int(changed.sum())
        for steps in stepped:
            self.state.evaluator.judge(steps, result)

    def _close_timed_out(self, result: EngineResult) -> None:
        rows, last = self.state.assembler.timed_out(self.table, result.now)
        if len(rows):
            self.state.close_frames_up_to(rows, last, result)
            self.state.assembler.advance(self.table, rows, last)


def _rounds(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Split readings into rounds in which each stream has at most one; each stream's order is kept.

    >>> [round_.tolist() for round_ in _rounds(np.array([7, 8, 7, 7, 8]))]
    [[0, 1], [2, 4], [3]]
    """
    order = np.argsort(rows, kind="stable")
    grouped = rows[order]
    starts = np.flatnonzero(np.diff(grouped, prepend=-1))
    sizes = np.diff(starts, append=len(rows))
    nth = np.empty(len(rows), dtype=np.int64)  # of its stream's readings in this batch
    nth[order] = np.arange(len(rows)) - np.repeat(starts, sizes)
    by_round = np.argsort(nth, kind="stable")
    yield from np.split(by_round, np.cumsum(np.bincount(nth))[:-1]) if len(rows) else ()
