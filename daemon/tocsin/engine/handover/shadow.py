"""A new model beside the old one, on the same streams, until it is warm.

Both engines are told everything. What rests on the model alone (an `anomaly`, a `forecast`) the old one says of a
stream until the new one knows its score, and what is usual of it where thresholds are adapted; everything else (limits,
silence, …) the new one says from the start, as it needs no warm-up. So nobody goes unwatched, and nothing rings twice:
a condition that holds when a stream goes over holds on in the new engine, until that judges it otherwise.

The old engine takes no notice of who speaks. To go back is therefore to go on with it, as if it had never been left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tocsin.engine.conditions.base import Truth
from tocsin.engine.conditions.delays import ConditionState
from tocsin.engine.events import ConditionEventKind
from tocsin.engine.handover.migration import NOT_CONFIGURED, TURNED_OFF, begin_anew, is_same_model, retire, turn_off
from tocsin.engine.lifecycle import transfer
from tocsin.engine.lifecycle.streams import ended
from tocsin.engine.result import EngineResult
from tocsin.engine.streams.table import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from tocsin.engine.engine import Engine
    from tocsin.engine.events import ConditionEvent
    from tocsin.engine.model import Model
    from tocsin.engine.streams.table import StreamTable


def obstacle(before: Model, after: Model) -> str | None:
    """Why one model can't warm up beside another one; None if it can."""
    if is_same_model(before, after):
        return "it is the same model"
    if before.period_ns != after.period_ns:
        return "its period is another"
    if before.channels != after.channels:
        return "its channels are others"
    return None


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Who waits.

    Attributes:
        moves: How often streams had come or gone in the old and the new engine, when it was seen.
        names: Theirs.
        there: (n,) their rows in the old one.
        here: (n,) and in the new one.
    """

    moves: tuple[int, int]
    names: frozenset[str]
    there: NDArray[np.int64]
    here: NDArray[np.int64]


class Shadow:
    """Two engines at the same streams, and who speaks of which.

    Attributes:
        old: Whose model is warm.
        new: Whose model is to take over.
        alarms: Those of both that rest on the model.
        cut_over: Streams of which the new one says everything.
    """

    def __init__(self, old: Engine, new: Engine, cut_over: Iterable[str] = ()) -> None:
        """Go on with two engines that are at work; `start` puts a new one there."""
        self.old = old
        self.new = new
        self.cut_over = set(cut_over)
        pairs = transfer.carried(transfer.export(old, []), new)
        self._carried = pairs
        self._modelled = [
            (o, n) for o, n in pairs if old.alarms[o].condition.modelled and new.alarms[n].condition.modelled
        ]
        self.alarms = {old.alarms[o].name for o, _ in self._modelled}
        self._waiting = self._look()

    @classmethod
    def start(cls, before: Engine, after: Engine, now: int) -> tuple[Shadow, EngineResult]:
        """Put a new engine beside an old one, which goes on.

        Args:
            before: At work.
            after: One that has met no stream yet, and whose model has no `obstacle`. Streams beyond its `max_streams`
                are taken over all the same.
            now: Nanoseconds since 1970, on the clock that `before` was applied at.

        Returns:
            Both, and what people are to hear: ends of alarms that the new one doesn't have, and what came of frames
            that it doesn't hold open as long.
        """
        remembered = transfer.export(before)
        result, unheard = EngineResult(now), EngineResult(now)
        result.events += retire(before, now, {o for o, _ in transfer.carried(remembered, after)})
        rows = np.array([after.table.add(stream) for stream in remembered.streams], dtype=np.int64)
        result.events += turn_off(before, after, remembered, rows, now)
        begin_anew(before.watch.model, after, remembered, rows, same_ticks=True)
        shadow = cls(before, after)
        _forget(after, rows, [n for _, n in shadow._modelled])
        _remember_frames(after.table, remembered.columns, rows)
        transfer.move_frames(after, remembered, rows, unheard)
        after.table.tombstones = dict(before.table.tombstones)
        after.now = before.now
        result.events += shadow.merged_events(None, unheard)
        shadow.cut_over_ready()
        return shadow, result

    @property
    def is_over(self) -> bool:
        """Whether every stream has gone over."""
        return not self.waiting

    @property
    def waiting(self) -> frozenset[str]:
        """The streams of which the old model speaks yet, since they were settled last."""
        return self._waiting.names

    def merged_events(self, before: EngineResult | None, after: EngineResult) -> list[ConditionEvent]:
        """What people are to hear of what both engines said to the same call."""
        of_the_old = [] if before is None else [change for change in before.events if self._is_of_the_old(change)]
        of_the_old = [change for change in of_the_old if not self.new.has_off(change.stream, change.alarm)]
        return of_the_old + [change for change in after.events if not self._is_of_the_old(change)]

    def _is_of_the_old(self, change: ConditionEvent) -> bool:
        return change.alarm in self.alarms and change.stream not in self.cut_over

    def onsets(self, result: EngineResult) -> list[str]:
        """The alarms, a name each time, whose conditions began in one of the engines and rest on its model."""
        return [
            change.alarm
            for change in result.events
            if change.kind is ConditionEventKind.ACTIVE and change.alarm in self.alarms
        ]

    def differences(self, before: EngineResult, after: EngineResult) -> list[float]:
        """By how much the new model's score is above the old one's, in each frame in which both are known."""
        theirs = _scores(self.new.table, after)
        if not theirs:
            return []
        ours = _scores(self.old.table, before)
        return [score - ours[frame] for frame, score in theirs.items() if frame in ours]

    def cut_over_ready(self) -> list[str]:
        """Let streams go over whose score the new model knows no later than the old one; which.

        To be called once both engines have done the same.
        """
        if self._waiting.moves != self._moves():
            self._waiting = self._look()
        there, here = self._waiting.there, self._waiting.here
        due = np.flatnonzero(_to_wait(self.new, here) <= _to_wait(self.old, there)).tolist()
        if not due:
            return []
        going = [self.old.table.names[there[i]] for i in due]
        for i in due:
            for o, n in self._modelled:
                if not self.new.table.is_off(int(here[i]), n):
                    _hand(self.old, o, int(there[i]), self.new, n, int(here[i]))
        self.cut_over.update(going)
        self._waiting = self._look()
        return going

    def _look(self) -> _Waiting:
        """See who waits, now that streams have come or gone."""
        there, here = _rows(self.old.table), _rows(self.new.table)
        # Of a stream that one of them alone knows, as its memory came from elsewhere or there is no room for it, the
        # new one says what there is to say.
        self.cut_over = (self.cut_over & here.keys()) | (there.keys() ^ here.keys())
        names = sorted(there.keys() - self.cut_over)
        return _Waiting(
            self._moves(),
            frozenset(names),
            np.array([there[name] for name in names], dtype=np.int64),
            np.array([here[name] for name in names], dtype=np.int64),
        )

    def _moves(self) -> tuple[int, int]:
        return self.old.table.membership_version, self.new.table.membership_version

    def renamed(self, to: str) -> None:
        """Another stream has this name now: whether its new model is warm remains to be seen."""
        self.cut_over.discard(to)
        self._waiting = self._look()

    def roll_back(self, now: int) -> list[ConditionEvent]:
        """Let the old engine speak of everything again; the new one must not be used any more.

        Returns:
            Ends of alarms that the old one doesn't have.
        """
        changes = retire(self.new, now, {n for _, n in self._carried})
        there, here = _rows(self.old.table), _rows(self.new.table)
        for stream in sorted(there.keys() & here.keys()):
            for o, n in self._carried:
                spoke = (o, n) not in self._modelled or stream in self.cut_over
                if self.old.table.is_off(there[stream], o):
                    if spoke and self.new.table.delay_state[here[stream], n] != ConditionState.INACTIVE:
                        changes.append(ended(self.new, n, here[stream], now, TURNED_OFF))
                elif spoke or self.new.table.is_off(here[stream], n):
                    _hand(self.new, n, here[stream], self.old, o, there[stream])
        for index in set(range(len(self.old.alarms))) - {o for o, _ in self._carried}:
            for row in there.values():
                _set(self.old, index, row, ConditionState.INACTIVE, NEVER)
        for stream in sorted(here.keys() - there.keys()):
            row = here[stream]
            up = [n for _, n in self._carried if self.new.table.delay_state[row, n] != ConditionState.INACTIVE]
            changes += [ended(self.new, n, row, now, NOT_CONFIGURED) for n in up]
        return changes


def _remember_frames(table: StreamTable, columns: Mapping[str, NDArray[Any]], rows: NDArray[np.int64]) -> None:
    """Note when streams, and their channels, were last observed: an absence goes on, and so does `delta`."""
    since = columns["state_first_tick"][:, None]  # where a channel never was: the new engine has another first frame
    table.last_tick[rows] = columns["last_tick"]
    table.observed_tick[rows] = np.where(columns["observed_tick"] == NEVER, since, columns["observed_tick"])


def _forget(engine: Engine, rows: NDArray[np.int64], alarms: list[int]) -> None:
    """Let conditions that rest on the model be judged by nobody yet."""
    table = engine.table
    for index in alarms:
        table.delay_state[rows, index] = ConditionState.INACTIVE
        table.truth[rows, index] = Truth.UNKNOWN
        table.truth_since[rows, index] = table.active_since[rows, index] = NEVER


def _hand(giver: Engine, given: int, there: int, taker: Engine, taken: int, here: int) -> None:
    """Let a condition hold in one engine as it holds in another one; how it is judged stays the taker's affair."""
    table = giver.table
    _set(taker, taken, here, ConditionState(table.delay_state[there, given]), int(table.active_since[there, given]))


def _set(engine: Engine, index: int, row: int, standing: ConditionState, began_t: int) -> None:
    table = engine.table
    ends = standing == ConditionState.INACTIVE and table.delay_state[row, index] != ConditionState.INACTIVE
    if ends and engine.alarms[index].condition.silence_ns is not None:
        # Silence is noticed once: that it has been must be forgotten along.
        table.truth[row, index] = Truth.UNKNOWN
        table.truth_since[row, index] = NEVER
    table.delay_state[row, index] = standing
    table.active_since[row, index] = began_t


def _rows(table: StreamTable) -> dict[str, int]:
    return {table.names[row]: row for row in table.live_rows().tolist()}


def _to_wait(engine: Engine, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) so many frames until the score of streams is known, and what is usual of it; 0 once it is."""
    to_wait: NDArray[np.int64] = engine.watch.model.warm_up_ticks + 1 - engine.table.frame_count[rows]
    if (adaptation := engine.watch.adaptation) is not None:
        to_wait = to_wait.clip(min=0) + (adaptation.settle_ticks - engine.table.score_count[rows]).clip(min=0)
    return to_wait.clip(min=0)


def _scores(table: StreamTable, result: EngineResult) -> dict[tuple[str, int], float]:
    """Each frame's score, by stream and tick, where it is known."""
    return {
        (table.names[row], tick): score
        for steps in result.steps
        for row, tick, score in zip(steps.rows.tolist(), steps.tick.tolist(), steps.score.tolist(), strict=True)
        if not np.isnan(score)
    }
