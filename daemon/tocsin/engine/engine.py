"""The engine: readings and time in, turns of conditions out. It reads no clock, no file and no socket.

The same calls give the same changes, to the bit, however readings are cut into batches. Streams never mix: whatever
happens to one depends on its own readings and on `now` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.changes import Change
from tocsin.engine.conditions import ScoreAbove, Silent, Truth, judge
from tocsin.engine.delays import Standing, advance
from tocsin.engine.frames import Assembler
from tocsin.engine.model import ChannelKind
from tocsin.engine.outcome import Outcome, Refusal
from tocsin.engine.reasons import evidence, reason
from tocsin.engine.steps import Stepper
from tocsin.engine.streams import NEVER, StreamTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tocsin.engine.changes import Evidence, Turn
    from tocsin.engine.delays import Alarm
    from tocsin.engine.frames import FrameClock
    from tocsin.engine.model import Model
    from tocsin.engine.readings import Readings
    from tocsin.engine.steps import Steps


@dataclass(frozen=True, slots=True)
class Watch:
    """One model watching streams, and what rings.

    Attributes:
        model: The step function and its clock.
        alarms: A of them.
        clock: When frames close.
        max_streams: More are refused.
        name: Of the watch, as changes tell it.
    """

    model: Model
    alarms: Sequence[Alarm]
    clock: FrameClock
    max_streams: int
    name: str = "watch"


class Engine:
    """All streams of one watch."""

    def __init__(self, watch: Watch) -> None:
        """Start with no stream at all."""
        model = watch.model
        self.watch = watch
        self._assembler = Assembler(model, watch.clock)
        self._stepper = Stepper(model)
        self.table = StreamTable(
            open_frames=self._assembler.open_frames,
            channels=len(model.channels),
            state_size=model.state_size,
            alarms=len(watch.alarms),
            max_streams=watch.max_streams,
        )
        self._column_of = {channel.name: c for c, channel in enumerate(model.channels)}
        self._low = np.array([channel.low for channel in model.channels])  # (C,)
        self._high = np.array([channel.high for channel in model.channels])  # (C,)
        self._measured = np.array([channel.kind is ChannelKind.READING for channel in model.channels])  # (C,)
        self._static = np.array([channel.kind is ChannelKind.STATIC for channel in model.channels])  # (C,)
        self._signature = f"{model.name}/{model.version} {model.sha256[:12]}"

    @property
    def alarms(self) -> Sequence[Alarm]:
        """The alarms that every stream has."""
        return self.watch.alarms

    def alarms_up(self) -> list[tuple[Alarm, int]]:
        """Count the streams in which each alarm's condition holds."""
        up = (self.table.standing[: len(self.table)] != Standing.ABSENT).sum(axis=0)  # (A,)
        return list(zip(self.watch.alarms, up.tolist(), strict=True))

    def warming_up(self) -> int:
        """Count the streams whose score is unknown because they have just begun."""
        return int((self.table.frames[: len(self.table)] <= self.watch.model.warm_up_ticks).sum())

    def apply(self, batch: Readings, now: int) -> Outcome:
        """Take in readings that arrived up to `now`, and let time pass until `now`.

        Args:
            batch: The readings, in order of arrival; possibly none.
            now: Nanoseconds since 1970; must not run backwards from call to call.

        Returns:
            What happened.
        """
        outcome = Outcome(now)
        if len(batch):
            rows = self.table.rows(batch.streams, batch.labels)[batch.stream]  # (R,)
            values = self._values(batch)  # (R, C)
            placed = self._admit(rows, values, outcome)
            for turn in _turns(rows[placed]):
                at = placed[turn]
                self._take_in(rows[at], batch.t[at], values[at], at, outcome)
        self._let_linger(outcome)
        self._listen(outcome)
        return outcome

    def closed_by(self, newest_t: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) the last tick that no reading can reach any more once a stream's newest `t` is `newest_t` (N,)."""
        return self._assembler.passed(newest_t)

    def close_frames(self, rows: NDArray[np.int64], last: NDArray[np.int64], outcome: Outcome) -> None:
        """Close these streams' open frames with ticks up to `last` (R,), and tell `outcome` what happened."""
        self._close_up_to(rows, last, outcome)

    def _values(self, batch: Readings) -> NDArray[np.float64]:
        """Arrange the batch's columns as the model's: (R, C), NaN where not carried."""
        values = np.full((len(batch), len(self._column_of)), np.nan)
        for source, name in enumerate(batch.channels):
            column = self._column_of.get(name)
            if column is not None:
                values[:, column] = batch.values[:, source]
        return values

    def _admit(
        self,
        rows: NDArray[np.int64],
        values: NDArray[np.float64],
        outcome: Outcome,
    ) -> NDArray[np.int64]:
        """Refuse what can't be used, take static values, and return the indices of what goes into frames.

        `values` loses its implausible entries on the way.
        """
        there = ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            implausible = (values < self._low) | (values > self._high)
        values[implausible] = np.nan
        spoilt = implausible.any(axis=1) & (implausible == there).all(axis=1)  # nothing plausible is left
        full = rows < 0
        outcome.refuse(Refusal.IMPLAUSIBLE, np.nonzero(implausible)[0])
        outcome.refuse(Refusal.TOO_MANY_STREAMS, np.flatnonzero(full))
        usable = ~(spoilt | full)
        if self._static.any():
            self._take_static(rows, values, usable)
            # A profile is no measurement: what carries static values alone makes no frame.
            profile = there[:, self._static].any(axis=1) & ~there[:, self._measured].any(axis=1)
            outcome.accepted += int((usable & profile).sum())
            usable &= ~profile
        return np.flatnonzero(usable)

    def _take_static(self, rows: NDArray[np.int64], values: NDArray[np.float64], usable: NDArray[np.bool_]) -> None:
        given = ~np.isnan(values) & self._static & usable[:, None]
        for r, c in zip(*np.nonzero(given), strict=True):  # few: once a stream, in the order of arrival
            self.table.static[rows[r], c] = values[r, c]

    def _take_in(
        self,
        rows: NDArray[np.int64],
        t: NDArray[np.int64],
        values: NDArray[np.float64],
        indices: NDArray[np.int64],
        outcome: Outcome,
    ) -> None:
        """Take in one reading each of some streams."""
        table, assembler = self.table, self._assembler
        table.heard_at[rows] = outcome.now
        passed = assembler.advance(table, rows, t)
        self._hear(rows, outcome)
        self._close_up_to(rows, passed, outcome)
        assembler.settle(table, rows, passed)
        late = assembler.place(table, rows, t, np.where(self._measured, values, np.nan), outcome.now)
        outcome.refuse(Refusal.LATE, indices[late])
        outcome.accepted += len(rows) - int(late.sum())
        rows = rows[~late]
        while len(rows):
            tick, slot = assembler.oldest(table, rows)
            ready = assembler.complete(table, rows, tick, slot)
            rows = rows[ready]
            self._close(rows, tick[ready], slot[ready], outcome)

    def _close_up_to(self, rows: NDArray[np.int64], last: NDArray[np.int64], outcome: Outcome) -> None:
        """Close these streams' frames with ticks up to `last` (R,), each stream's oldest first."""
        while len(rows):
            tick, slot = self._assembler.oldest(self.table, rows)
            due = tick <= last
            rows, last = rows[due], last[due]
            self._close(rows, tick[due], slot[due], outcome)

    def _close(
        self, rows: NDArray[np.int64], tick: NDArray[np.int64], slot: NDArray[np.int64], outcome: Outcome
    ) -> None:
        """Close one frame each of some streams: step, judge, and let the conditions turn."""
        if not len(rows):
            return
        steps = self._stepper.step(self.table, rows, slot)
        self._assembler.close(self.table, rows, tick, slot)
        outcome.steps.append(steps)
        for index, alarm in enumerate(self.watch.alarms):
            if isinstance(alarm.condition, Silent):
                continue
            held = self.table.truth[rows, index]
            truth = judge(alarm.condition, steps, self.table, self.watch.model.period_ns, held)
            for i, turn in advance(self.table, index, alarm, rows, truth, steps.t):
                outcome.changes.append(self._framed_change(index, turn, steps, i, outcome.now))

    def _let_linger(self, outcome: Outcome) -> None:
        rows, last = self._assembler.lingered(self.table, outcome.now)
        if len(rows):
            self._close_up_to(rows, last, outcome)
            self._assembler.settle(self.table, rows, last)

    def _hear(self, rows: NDArray[np.int64], outcome: Outcome) -> None:
        """End the silence of streams that have just been heard."""
        for index, alarm in enumerate(self.watch.alarms):
            if isinstance(alarm.condition, Silent):
                silent = rows[self.table.truth[rows, index] == Truth.TRUE]
                self._judge_bare(index, silent, self.table.newest_t[silent], Truth.FALSE, outcome)

    def _listen(self, outcome: Outcome) -> None:
        """Notice streams that have fallen silent: their other conditions become unknown."""
        table, n = self.table, len(self.table)
        for index, alarm in enumerate(self.watch.alarms):
            if not isinstance(alarm.condition, Silent):
                continue
            heard = (table.heard_at[:n] != NEVER) & (table.truth[:n, index] != Truth.TRUE)
            rows = np.flatnonzero(heard & (outcome.now - table.heard_at[:n] >= alarm.condition.for_ns))
            # Not `now`: a change's time must not depend on how often somebody asked.
            t = table.newest_t[rows] + alarm.condition.for_ns
            self._judge_bare(index, rows, t, Truth.TRUE, outcome)
            self._lose_sight(rows, t, outcome)

    def _judge_bare(
        self, index: int, rows: NDArray[np.int64], t: NDArray[np.int64], judged: Truth, outcome: Outcome
    ) -> None:
        """Judge an alarm's condition alike in some streams, of which no frame has come."""
        if not len(rows):
            return
        truth = np.full(len(rows), judged, dtype=np.int8)
        for i, turn in advance(self.table, index, self.watch.alarms[index], rows, truth, t):
            outcome.changes.append(self._bare_change(index, turn, int(rows[i]), int(t[i]), outcome.now))

    def _lose_sight(self, rows: NDArray[np.int64], t: NDArray[np.int64], outcome: Outcome) -> None:
        for index, alarm in enumerate(self.watch.alarms):
            if not isinstance(alarm.condition, Silent):
                self._judge_bare(index, rows, t, Truth.UNKNOWN, outcome)

    def _framed_change(self, index: int, turn: Turn, steps: Steps, i: int, now: int) -> Change:
        """Make the change of a condition that turned in frame i."""
        scored = isinstance(self.watch.alarms[index].condition, ScoreAbove)
        score = None if np.isnan(steps.score[i]) else float(steps.score[i])
        channels = evidence(self.watch.model, steps, i, scored=scored)
        return self._change(index, turn, int(steps.rows[i]), int(steps.t[i]), now, score, channels)

    def _bare_change(self, index: int, turn: Turn, row: int, t: int, now: int) -> Change:
        """Make the change of a condition that turned because no frame came."""
        return self._change(index, turn, row, t, now, None, ())

    def _change(
        self,
        index: int,
        turn: Turn,
        row: int,
        t: int,
        now: int,
        score: float | None,
        channels: tuple[Evidence, ...],
    ) -> Change:
        alarm = self.watch.alarms[index]
        return Change(
            watch=self.watch.name,
            stream=self.table.names[row],
            labels=self.table.labels[row],
            alarm=alarm.name,
            turn=turn,
            t=t,
            raised_at=now,
            since=int(self.table.began_t[row, index]),
            priority=alarm.priority,
            category=alarm.category,
            reason=reason(alarm.condition, turn, self.watch.model, channels, score),
            score=score,
            evidence=channels,
            model=self._signature if isinstance(alarm.condition, ScoreAbove) else None,
        )


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
