"""The engine: readings and time in, turns of conditions out. It reads no clock, no file and no socket.

The same calls give the same changes, to the bit, however readings are cut into batches. Streams never mix: whatever
happens to one depends on its own readings and on `now` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine import memory, stays
from tocsin.engine.changes import Change, Turn
from tocsin.engine.conditions import Implausible, Silent, Truth, cells, is_modelled, is_scored, singles
from tocsin.engine.delays import Standing, advance
from tocsin.engine.explaining import explanation
from tocsin.engine.frames import Assembler
from tocsin.engine.judging import Sight, judge
from tocsin.engine.model import ChannelKind
from tocsin.engine.outcome import Outcome, Refusal
from tocsin.engine.reasons import Scene, evidence, reason
from tocsin.engine.rewind import Rewinder
from tocsin.engine.steps import Stepper
from tocsin.engine.streams import NEVER, StreamTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tocsin.engine.changes import Evidence
    from tocsin.engine.commands import StreamCommand
    from tocsin.engine.delays import Alarm
    from tocsin.engine.frames import FrameClock
    from tocsin.engine.memory import StreamMemory
    from tocsin.engine.model import Model
    from tocsin.engine.readings import Readings
    from tocsin.engine.steps import Steps

GONE = "its source says that it is gone"


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
    """

    model: Model
    alarms: Sequence[Alarm]
    clock: FrameClock
    max_streams: int
    name: str = "watch"
    evict_after_ns: int | None = None
    max_pause_ns: int | None = None
    explain_ticks: int = 0


class Engine:
    """All streams of one watch."""

    def __init__(self, watch: Watch) -> None:
        """Start with no stream at all."""
        model = watch.model
        self.watch = watch
        self._assembler = Assembler(model, watch.clock)
        self._stepper = Stepper(model)
        self.noted = _slices([cells(alarm.condition) for alarm in watch.alarms])  # by alarm, of the table's notes
        self.table = StreamTable(
            open_frames=self._assembler.open_frames,
            channels=len(model.channels),
            state_size=model.state_size,
            alarms=len(watch.alarms),
            max_streams=watch.max_streams,
            keeps_frames=watch.clock.rewind_ticks > 0,
            samples=self._assembler.samples,
            notes=self.noted[-1].stop if self.noted else 0,
            recent=2 * watch.explain_ticks if any(is_modelled(alarm.condition) for alarm in watch.alarms) else 0,
        )
        self._rewinder = Rewinder(self._assembler, self._stepper, model.period_ns, watch.clock.rewind_ticks)
        self.now = NEVER  # of the last call
        self._column_of = {channel.name: c for c, channel in enumerate(model.channels)}
        self._low = np.array([channel.low for channel in model.channels])  # (C,)
        self._high = np.array([channel.high for channel in model.channels])  # (C,)
        self._measured = np.array([channel.kind is ChannelKind.READING for channel in model.channels])  # (C,)
        self._static = np.array([channel.kind is ChannelKind.STATIC for channel in model.channels])  # (C,)
        self._heard_spoilt = np.zeros(len(model.channels), dtype=np.bool_)  # (C,) what spoils them is judged too
        for alarm in watch.alarms:
            for single in singles(alarm.condition):
                if isinstance(single, Implausible):
                    self._heard_spoilt[single.channel] = True
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
        table, rows = self.table, self.table.live_rows()
        judged = table.standby_until[rows] == NEVER
        return int((judged & (table.frames[rows] <= self.watch.model.warm_up_ticks)).sum())

    def apply(self, batch: Readings, now: int) -> Outcome:
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

    def go_on(self, batch: Readings, now: int) -> Outcome:
        """Do as `apply`, in the midst of an outer call whose outcome still speaks of streams that have ended."""
        outcome = Outcome(now)
        self._keep_time(now)
        self._resume_expired(now)
        if len(batch):
            rows = self.table.rows(batch.streams, batch.labels)[batch.stream]  # (R,)
            values = self._values(batch)  # (R, C)
            placed, spoilt = self._admit(rows, batch.t, values, outcome)
            for turn in _turns(rows[placed]):
                at = placed[turn]
                self._take_in(rows[at], batch.t[at], values[at], spoilt[at], at, outcome)
        self._let_linger(outcome)
        self._listen(outcome)
        self._evict(outcome)
        return outcome

    def carry_out(self, command: StreamCommand, now: int) -> Outcome:
        """Do what a person asks of a stream.

        Raises:
            StreamRefused: It can't be done; nothing has changed.
        """
        self.table.reuse()
        outcome = Outcome(now)
        self._keep_time(now)
        self._resume_expired(now)
        stays.carry_out(self, command, outcome)
        return outcome

    def lose(self, streams: Iterable[str], now: int) -> Outcome:
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
        outcome = Outcome(now)
        self._keep_time(now)
        self._resume_expired(now)
        known = [row for name in dict.fromkeys(streams) if (row := self.table.row_of(name)) is not None]
        rows = np.array(known, dtype=np.int64)
        rows = rows[self.table.standby_until[rows] == NEVER]
        self._close_up_to(rows, self.newest_tick(rows), outcome)
        for index, alarm in enumerate(self.watch.alarms):
            if isinstance(alarm.condition, Silent):
                heard = rows[self.table.truth[rows, index] != Truth.TRUE]
                self._judge_bare(index, heard, self._heard_t(heard), Truth.TRUE, outcome, because=GONE)
        self._lose_sight(rows, self._heard_t(rows), outcome)
        return outcome

    def refuse(self, command: StreamCommand, now: int) -> None:
        """Say whether a command can't be done; nothing changes.

        Raises:
            StreamRefused: It can't.
        """
        stays.refuse(self, command, now)

    def refuse_taking(self, remembered: StreamMemory) -> None:
        """Say whether `take` can't be done; nothing changes.

        Raises:
            StreamRefused: It is of another model, is damaged, or there is no room.
        """
        stays.refuse_taking(self, remembered)

    def strangers(self, streams: Sequence[str]) -> list[str]:
        """Those of these streams that are not known: the store may remember them."""
        return [stream for stream in streams if self.table.row_of(stream) is None]

    def export(self, streams: Sequence[str] | None = None) -> StreamMemory:
        """Give all that is remembered of these streams, or of all of them, as plain columns.

        Raises:
            StreamRefused: One of them is not known.
        """
        return memory.export(self, streams)

    def take(self, remembered: StreamMemory, now: int) -> Outcome:
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
        outcome = Outcome(now)
        self._keep_time(now)
        stays.take(self, remembered, outcome)
        return outcome

    def newest_tick(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(R,) the tick of each stream's newest reading; NEVER before the first."""
        newest_t = self.table.newest_t[rows]
        return np.where(newest_t == NEVER, NEVER, newest_t // self.watch.model.period_ns)

    def _keep_time(self, now: int) -> None:
        """Count silence and lingering anew where the clock was set, or nobody listened."""
        before, self.now = self.now, now
        table, n = self.table, len(self.table)
        pause, most = now - before, self.watch.max_pause_ns
        if before == NEVER or (pause >= 0 and (most is None or pause <= most)):
            return
        for since in (table.heard_at[:n], table.opened_at[:n]):
            since[since != NEVER] = (
                np.minimum(since, now)[since != NEVER] if pause < 0 else since[since != NEVER] + pause
            )

    def _resume_expired(self, now: int) -> None:
        until = self.table.standby_until[: len(self.table)]
        expired = np.flatnonzero((until != NEVER) & (until <= now))
        if len(expired):
            stays.resume(self, expired, now)

    def _evict(self, outcome: Outcome) -> None:
        """Give up streams of which nothing has been heard for long, but for those that a person admitted."""
        if self.watch.evict_after_ns is None:
            return
        table, n = self.table, len(self.table)
        idle = (table.heard_at[:n] != NEVER) & (outcome.now - table.heard_at[:n] >= self.watch.evict_after_ns)
        rows = np.flatnonzero(idle & ~table.admitted[:n])
        if len(rows):
            stays.evict(self, rows, outcome)

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
        t: NDArray[np.int64],
        values: NDArray[np.float64],
        outcome: Outcome,
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Refuse what can't be used, and take static values.

        `values` loses its implausible entries on the way.

        Returns:
            The indices of what goes into frames, and (R, C) which measured values were implausible. A reading of which
            nothing plausible is left goes no further, unless an alarm wants to know of just that.
        """
        there = ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            implausible = (values < self._low) | (values > self._high)
        values[implausible] = np.nan
        spoilt = implausible.any(axis=1) & (implausible == there).all(axis=1)  # nothing plausible is left
        full = rows < 0
        outcome.refuse(Refusal.IMPLAUSIBLE, np.nonzero(implausible)[0])
        outcome.refuse(Refusal.TOO_MANY_STREAMS, np.flatnonzero(full))
        told = (implausible & self._heard_spoilt).any(axis=1)
        usable = ~((spoilt & ~told) | full)
        if self._static.any():
            self._take_static(rows, values, usable)
            # A profile is no measurement: what carries static values alone makes no frame.
            profile = there[:, self._static].any(axis=1) & ~there[:, self._measured].any(axis=1)
            outcome.accepted += int((usable & profile).sum())
            usable &= ~profile
        waiting = usable & (self.table.standby_until[rows] != NEVER)
        if waiting.any():
            outcome.refuse(Refusal.STANDBY, np.flatnonzero(waiting))
            # Whose readings these were is not known: once it resumes, none up to here count.
            np.maximum.at(self.table.newest_t, rows[waiting], t[waiting])
            self.table.heard_at[rows[waiting]] = outcome.now
            usable &= ~waiting
        return np.flatnonzero(usable), implausible & self._measured

    def _take_static(self, rows: NDArray[np.int64], values: NDArray[np.float64], usable: NDArray[np.bool_]) -> None:
        given = ~np.isnan(values) & self._static & usable[:, None]
        for r, c in zip(*np.nonzero(given), strict=True):  # few: once a stream, in the order of arrival
            self.table.static[rows[r], c] = values[r, c]

    def _take_in(
        self,
        rows: NDArray[np.int64],
        t: NDArray[np.int64],
        values: NDArray[np.float64],
        spoilt: NDArray[np.bool_],
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
        values = np.where(self._measured, values, np.nan)
        late = assembler.late(table, rows, t)
        if late.any():
            self._take_late(rows[late], t[late], values[late], indices[late], outcome)
            rows, t, values, indices = rows[~late], t[~late], values[~late], indices[~late]
            spoilt = spoilt[~late]
        fits = assembler.place(table, rows, t, values, outcome.now)
        assembler.spoil(table, rows, t, spoilt)
        outcome.refuse(Refusal.CROWDED, indices[~fits])
        outcome.accepted += int(fits.sum())
        while len(rows):
            tick, slot = assembler.oldest(table, rows)
            ready = assembler.complete(table, rows, tick, slot)
            rows = rows[ready]
            self._close(rows, tick[ready], slot[ready], outcome)

    def _take_late(
        self,
        rows: NDArray[np.int64],
        t: NDArray[np.int64],
        values: NDArray[np.float64],
        indices: NDArray[np.int64],
        outcome: Outcome,
    ) -> None:
        """Put readings whose frames have closed into them, as far as it is gone back, and refuse the others."""
        near = self._rewinder.reaches(self.table, rows, t)
        outcome.refuse(Refusal.LATE, indices[~near])
        if not near.any():
            return
        changed, stepped = self._rewinder.put_in(self.table, rows[near], t[near], values[near], outcome.now)
        outcome.refuse(Refusal.LATE, indices[near][~changed])  # delivered twice
        outcome.accepted += int(changed.sum())
        outcome.rewound += int(changed.sum())
        for steps in stepped:
            self._judge(steps, outcome)

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
        steps = self._stepper.step(self.table, rows, tick, slot)
        self._assembler.close(self.table, rows, tick, slot)
        self._judge(steps, outcome)

    def _judge(self, steps: Steps, outcome: Outcome) -> None:
        """Judge every condition in these frames."""
        outcome.steps.append(steps)
        rows = steps.rows
        limits, held = self.table.limit[rows], self.table.truth[rows]  # (n, A): rows are quicker to gather than columns
        for index, alarm in enumerate(self.watch.alarms):
            if isinstance(alarm.condition, Silent):
                continue
            sight = Sight(steps, self.table, self.watch.model, limits[:, index])
            noted = self.noted[index]
            notes = self.table.notes[rows, noted]
            truth = judge(alarm.condition, sight, held[:, index], notes)
            if noted.stop > noted.start:
                self.table.notes[rows, noted] = notes
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
            heard &= table.standby_until[:n] == NEVER
            rows = np.flatnonzero(heard & (outcome.now - table.heard_at[:n] >= alarm.condition.for_ns))
            t = self._heard_t(rows) + alarm.condition.for_ns
            self._judge_bare(index, rows, t, Truth.TRUE, outcome)
            self._lose_sight(rows, t, outcome)

    def _heard_t(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(R,) since when nothing is heard of streams.

        Not `now`: a change's time must not depend on how often somebody asked. Whoever was admitted, and of whom
        nothing has come, is silent since then.
        """
        table = self.table
        come = self.newest_tick(rows) > table.barred_tick[rows]
        return np.where(come, table.newest_t[rows], table.heard_at[rows])

    def _judge_bare(
        self,
        index: int,
        rows: NDArray[np.int64],
        t: NDArray[np.int64],
        judged: Truth,
        outcome: Outcome,
        *,
        because: str | None = None,
    ) -> None:
        """Judge an alarm's condition alike in some streams, of which no frame has come.

        What turns says why by itself, unless another reason is given.
        """
        if not len(rows):
            return
        truth = np.full(len(rows), judged, dtype=np.int8)
        for i, turn in advance(self.table, index, self.watch.alarms[index], rows, truth, t):
            change = self._bare_change(index, turn, int(rows[i]), int(t[i]), outcome.now)
            outcome.changes.append(change if because is None else replace(change, reason=because))

    def _lose_sight(self, rows: NDArray[np.int64], t: NDArray[np.int64], outcome: Outcome) -> None:
        for index, alarm in enumerate(self.watch.alarms):
            if not isinstance(alarm.condition, Silent):
                self._judge_bare(index, rows, t, Truth.UNKNOWN, outcome)

    def _framed_change(self, index: int, turn: Turn, steps: Steps, i: int, now: int) -> Change:
        """Make the change of a condition that turned in frame i."""
        scored = is_scored(self.watch.alarms[index].condition)
        score = None if np.isnan(steps.score[i]) else float(steps.score[i])
        channels = evidence(self.watch.model, steps, i, scored=scored)
        scene = self._scene(index, int(steps.rows[i]), score, channels, steps, i)
        change = self._change(index, turn, int(steps.t[i]), now, scene)
        if steps.rewound[i]:
            return replace(change, reason=f"{change.reason} (rewound: a late reading was put in)")
        return change

    def _bare_change(self, index: int, turn: Turn, row: int, t: int, now: int) -> Change:
        """Make the change of a condition that turned because no frame came."""
        return self._change(index, turn, t, now, self._scene(index, row, None, ()))

    def _scene(
        self,
        index: int,
        row: int,
        score: float | None,
        channels: tuple[Evidence, ...],
        steps: Steps | None = None,
        i: int = 0,
    ) -> Scene:
        return Scene(
            model=self.watch.model,
            row=row,
            tick=int(self.table.last_tick[row] if steps is None else steps.tick[i]),
            notes=self.table.notes[row, self.noted[index]],
            limit=float(self.table.limit[row, index]),
            score=score,
            channels=channels,
            low=None if steps is None or steps.low is None else steps.low[i],
            high=None if steps is None or steps.high is None else steps.high[i],
        )

    def _change(self, index: int, turn: Turn, t: int, now: int, scene: Scene) -> Change:
        alarm, row = self.watch.alarms[index], scene.row
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
            reason=reason(alarm.condition, turn, scene),
            score=scene.score,
            evidence=scene.channels,
            model=self._signature if is_modelled(alarm.condition) else None,
            explanation=None
            if not is_modelled(alarm.condition)
            else explanation(
                self.table, row, scene.model, alarm.condition, scene.notes, with_frames=turn is Turn.BEGAN
            ),
        )


def _slices(widths: Sequence[int]) -> list[slice]:
    """Lay columns of these widths side by side."""
    ends = np.cumsum(widths, dtype=np.int64).tolist()
    return [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]


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
