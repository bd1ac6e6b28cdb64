"""The engine: readings and time in, turns of conditions out. It reads no clock, no file and no socket.

The same calls give the same changes, to the bit, however readings are cut into batches. Streams never mix: whatever
happens to one depends on its own readings and on `now` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.alarm import state_slices
from tocsin.engine.conditions.delays import ConditionState
from tocsin.engine.conditions.evaluator import ConditionEvaluator
from tocsin.engine.frames.assembler import Assembler
from tocsin.engine.frames.reprocessing import Reprocessor
from tocsin.engine.frames.stepper import Stepper
from tocsin.engine.frames.validation import ReadingValidator
from tocsin.engine.lifecycle import streams as lifecycle
from tocsin.engine.lifecycle import transfer
from tocsin.engine.lifecycle.overrides import Overrides
from tocsin.engine.result import EngineResult, ReadingReject
from tocsin.engine.streams.table import NEVER, StreamTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tocsin.engine.conditions.adaptation import Adaptation
    from tocsin.engine.conditions.alarm import Alarm
    from tocsin.engine.frames.assembler import FrameClock
    from tocsin.engine.lifecycle.commands import StreamCommand
    from tocsin.engine.lifecycle.overrides import Override
    from tocsin.engine.lifecycle.transfer import StreamState
    from tocsin.engine.model import Model
    from tocsin.engine.readings import Readings


@dataclass(frozen=True, slots=True)
class Watch:
    """One model watching streams, and what rings.

    Attributes:
        model: The step function and its clock.
        alarms: A of them.
        clock: When frames close.
        max_streams: More are refused.
        name: Of the watch, as changes tell it.
        evict_after_ns: A stream of which nothing was heard for so long is given up; None: none is.
        max_pause_ns: A longer time between two calls is one in which nobody listened, or the clock was set: it counts
            as no silence. None: all time counts, as in a recording.
        explain_ticks: So many frames are kept at least, once there have been as many, to make an alarm's score again.
        overrides: What is otherwise in some streams, by their names.
        adaptation: How thresholds of scores are adapted to each stream; None: they are the same for all.
    """

    model: Model
    alarms: Sequence[Alarm]
    clock: FrameClock
    max_streams: int
    name: str = "watch"
    evict_after_ns: int | None = None
    max_pause_ns: int | None = None
    explain_ticks: int = 0
    overrides: tuple[Override, ...] = ()
    adaptation: Adaptation | None = None


class Engine:
    """All streams of one watch."""

    def __init__(self, watch: Watch) -> None:
        """Start with no stream at all."""
        model = watch.model
        self.watch = watch
        self._assembler = Assembler(model, watch.clock)
        self._stepper = Stepper(model)
        self.state_slices = state_slices(watch.alarms)
        self.table = StreamTable(
            open_frames=self._assembler.open_frames,
            channels=len(model.channels),
            state_size=model.state_size,
            alarms=len(watch.alarms),
            max_streams=watch.max_streams,
            keeps_frames=watch.clock.reprocess_late_ticks > 0,
            samples=self._assembler.samples,
            condition_state_size=self.state_slices[-1].stop if self.state_slices else 0,
            overrides=Overrides(watch.overrides, model, watch.alarms) if watch.overrides else None,
            recent=2 * watch.explain_ticks if any(alarm.condition.modelled for alarm in watch.alarms) else 0,
        )
        self._reprocessor = Reprocessor(
            self._assembler, self._stepper, model.period_ns, watch.clock.reprocess_late_ticks
        )
        self.now = NEVER  # of the last call
        self._validator = ReadingValidator(
            model, {channel for alarm in watch.alarms for channel in alarm.condition.implausible_channels}
        )
        self._evaluator = ConditionEvaluator(
            watch.name, model, watch.alarms, self.table, self.state_slices, watch.adaptation
        )

    @property
    def alarms(self) -> Sequence[Alarm]:
        """The alarms that every stream has."""
        return self.watch.alarms

    def has_off(self, stream: str, alarm: str) -> bool:
        """Whether an alarm is not judged in a stream of this name, be it known or not."""
        return self.table.overrides is not None and self.table.overrides.has_off(stream, alarm)

    def alarms_up(self) -> list[tuple[Alarm, int]]:
        """Count the streams in which each alarm's condition holds."""
        up = (self.table.delay_state[: len(self.table)] != ConditionState.INACTIVE).sum(axis=0)  # (A,)
        return list(zip(self.watch.alarms, up.tolist(), strict=True))

    def warming_up(self) -> int:
        """Count the streams whose score is unknown because they have just begun."""
        table, rows = self.table, self.table.live_rows()
        judged = table.standby_until[rows] == NEVER
        return int((judged & (table.frame_count[rows] <= self.watch.model.warm_up_ticks)).sum())

    def apply(self, batch: Readings, now: int) -> EngineResult:
        """Take in readings that arrived up to `now`, and let time pass until `now`.

        Args:
            batch: The readings, in order of arrival; possibly none.
            now: Nanoseconds since 1970. Should a clock have been set back or forth between two calls, silence and
                lingering are counted from there.

        Returns:
            What happened.
        """
        self.table.reuse()
        return self.go_on(batch, now)

    def go_on(self, batch: Readings, now: int) -> EngineResult:
        """Do as `apply`, in the midst of an outer call whose outcome still speaks of streams that have ended."""
        result = EngineResult(now)
        self._keep_time(now)
        self._resume_expired(now)
        if len(batch):
            rows = self.table.rows(batch.streams, batch.labels)[batch.stream]  # (R,)
            values = self._validator.values(batch)  # (R, C)
            placed, implausible = self._validator.validate(self.table, rows, batch.t, values, result)
            for turn in _turns(rows[placed]):
                at = placed[turn]
                self._take_in(rows[at], batch.t[at], values[at], implausible[at], at, result)
        self._let_linger(result)
        self._evaluator.evaluate_silence(result)
        self._evict(result)
        return result

    def carry_out(self, command: StreamCommand, now: int) -> EngineResult:
        """Do what a person asks of a stream.

        Raises:
            StreamRefused: It can't be done; nothing has changed.
        """
        self.table.reuse()
        result = EngineResult(now)
        self._keep_time(now)
        self._resume_expired(now)
        lifecycle.carry_out(self, command, result)
        return result

    def mark_stale(self, streams: Iterable[str], now: int) -> EngineResult:
        """Hear from their source that these streams are gone: it is silence that nobody has to wait for.

        Open frames close first with what they hold, since it was measured. Then everything but silence is unknown, so
        that what is up stays up, and `silent` rings until the next reading. Streams that aren't known, or are on
        standby, are passed over.

        Args:
            streams: Their names.
            now: Nanoseconds since 1970.

        Returns:
            What happened; what comes of the loss happens at each stream's newest `t`.
        """
        self.table.reuse()
        result = EngineResult(now)
        self._keep_time(now)
        self._resume_expired(now)
        known = [row for name in dict.fromkeys(streams) if (row := self.table.row_of(name)) is not None]
        rows = np.array(known, dtype=np.int64)
        rows = rows[self.table.standby_until[rows] == NEVER]
        self._close_up_to(rows, self.newest_tick(rows), result)
        self._evaluator.mark_stale(rows, result)
        return result

    def refuse(self, command: StreamCommand, now: int) -> None:
        """Say whether a command can't be done; nothing changes.

        Raises:
            StreamRefused: It can't.
        """
        lifecycle.refuse(self, command, now)

    def check_import(self, remembered: StreamState) -> None:
        """Say whether `take` can't be done; nothing changes.

        Raises:
            StreamRefused: It is of another model, is damaged, or there is no room.
        """
        lifecycle.check_import(self, remembered)

    def unknown_streams(self, streams: Sequence[str]) -> list[str]:
        """Those of these streams that are not known: the store may remember them."""
        return [stream for stream in streams if self.table.row_of(stream) is None]

    def export(self, streams: Sequence[str] | None = None) -> StreamState:
        """Give all that is remembered of these streams, or of all of them, as plain columns.

        Raises:
            StreamRefused: One of them is not known.
        """
        return transfer.export(self, streams)

    def import_streams(self, remembered: StreamState, now: int) -> EngineResult:
        """Go on with what was remembered of streams elsewhere, or before they were given up.

        A stream of the same name that is here ends. A condition that held begins again, and rings again, at the next
        frame in which it still holds.

        Args:
            remembered: What `export` gave.
            now: Nanoseconds since 1970; silence is counted from here.

        Raises:
            StreamRefused: It is of another model, or there is no room; nothing has changed.
        """
        self.table.reuse()
        result = EngineResult(now)
        self._keep_time(now)
        lifecycle.import_streams(self, remembered, result)
        return result

    def newest_tick(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(R,) the tick of each stream's newest reading; NEVER before the first."""
        return self.table.newest_tick(rows, self.watch.model.period_ns)

    def _keep_time(self, now: int) -> None:
        """Count silence and lingering anew where the clock was set, or nobody listened."""
        before, self.now = self.now, now
        table, n = self.table, len(self.table)
        pause, most = now - before, self.watch.max_pause_ns
        if before == NEVER or (pause >= 0 and (most is None or pause <= most)):
            return
        for since in (table.last_reading_at[:n], table.opened_at[:n]):
            since[since != NEVER] = (
                np.minimum(since, now)[since != NEVER] if pause < 0 else since[since != NEVER] + pause
            )

    def _resume_expired(self, now: int) -> None:
        until = self.table.standby_until[: len(self.table)]
        expired = np.flatnonzero((until != NEVER) & (until <= now))
        if len(expired):
            lifecycle.resume(self, expired, now)

    def _evict(self, result: EngineResult) -> None:
        """Give up streams of which nothing has been heard for long, but for those that a person admitted."""
        if self.watch.evict_after_ns is None:
            return
        table, n = self.table, len(self.table)
        idle = (table.last_reading_at[:n] != NEVER) & (
            result.now - table.last_reading_at[:n] >= self.watch.evict_after_ns
        )
        rows = np.flatnonzero(idle & ~table.admitted[:n])
        if len(rows):
            lifecycle.evict(self, rows, result)

    def closed_by(self, newest_t: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) the last tick that no reading can reach any more once a stream's newest `t` is `newest_t` (N,)."""
        return self._assembler.watermark(newest_t)

    def close_frames(self, rows: NDArray[np.int64], last: NDArray[np.int64], result: EngineResult) -> None:
        """Close these streams' open frames with ticks up to `last` (R,), and tell `result` what happened."""
        self._close_up_to(rows, last, result)

    def _take_in(
        self,
        rows: NDArray[np.int64],
        t: NDArray[np.int64],
        values: NDArray[np.float64],
        implausible: NDArray[np.bool_],
        indices: NDArray[np.int64],
        result: EngineResult,
    ) -> None:
        """Take in one reading each of some streams."""
        table, assembler = self.table, self._assembler
        table.last_reading_at[rows] = result.now
        passed = assembler.observe(table, rows, t)
        self._evaluator.end_silence(rows, result)
        self._close_up_to(rows, passed, result)
        assembler.advance(table, rows, passed)
        values = np.where(self._validator.measured, values, np.nan)
        late = assembler.late(table, rows, t)
        if late.any():
            self._take_late(rows[late], t[late], values[late], indices[late], result)
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
            self._close(rows, tick[ready], slot[ready], result)

    def _take_late(
        self,
        rows: NDArray[np.int64],
        t: NDArray[np.int64],
        values: NDArray[np.float64],
        indices: NDArray[np.int64],
        result: EngineResult,
    ) -> None:
        """Put readings whose frames have closed into them, as far as it is gone back, and refuse the others."""
        near = self._reprocessor.reaches(self.table, rows, t)
        result.reject(ReadingReject.LATE, indices[~near])
        if not near.any():
            return
        changed, stepped = self._reprocessor.put_in(self.table, rows[near], t[near], values[near], result.now)
        result.reject(ReadingReject.LATE, indices[near][~changed])  # delivered twice
        result.accepted += int(changed.sum())
        result.reprocessed += int(changed.sum())
        for steps in stepped:
            self._evaluator.judge(steps, result)

    def _close_up_to(self, rows: NDArray[np.int64], last: NDArray[np.int64], result: EngineResult) -> None:
        """Close these streams' frames with ticks up to `last` (R,), each stream's oldest first."""
        while len(rows):
            tick, slot = self._assembler.oldest(self.table, rows)
            due = tick <= last
            rows, last = rows[due], last[due]
            self._close(rows, tick[due], slot[due], result)

    def _close(
        self, rows: NDArray[np.int64], tick: NDArray[np.int64], slot: NDArray[np.int64], result: EngineResult
    ) -> None:
        """Close one frame each of some streams: step, judge, and let the conditions turn."""
        if not len(rows):
            return
        steps = self._stepper.step(self.table, rows, tick, slot)
        self._assembler.close(self.table, rows, tick, slot)
        self._evaluator.judge(steps, result)

    def _let_linger(self, result: EngineResult) -> None:
        rows, last = self._assembler.timed_out(self.table, result.now)
        if len(rows):
            self._close_up_to(rows, last, result)
            self._assembler.advance(self.table, rows, last)


def _turns(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Cut readings into turns in which each stream has at most one, keeping each stream's order.

    >>> [turn.tolist() for turn in _turns(np.array([7, 8, 7, 7, 8]))]
    [[0, 1], [2, 4], [3]]
    """
    order = np.argsort(rows, kind="stable")
    grouped = rows[order]
    starts = np.flatnonzero(np.diff(grouped, prepend=-1))
    sizes = np.diff(starts, append=len(rows))
    nth = np.empty(len(rows), dtype=np.int64)  # of its stream's readings in this batch
    nth[order] = np.arange(len(rows)) - np.repeat(starts, sizes)
    by_turn = np.argsort(nth, kind="stable")
    yield from np.split(by_turn, np.cumsum(np.bincount(nth))[:-1]) if len(rows) else ()
