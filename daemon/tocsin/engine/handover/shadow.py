"""Shadow: a new model on the same streams as the old one, until it is warm.

Both engines get every call. The events of alarms on the model's output (`anomaly`, `forecast`) come from the old engine
until the new one has a score for the stream, and its score quantiles where thresholds are adapted; all other events
(limits, silence, …) come from the new engine at once, as they need no warm-up. No stream is unwatched, and no alarm is
raised twice: an active condition stays active in the new engine after the cut-over, until that engine judges otherwise.

The old engine does not depend on the shadow. A roll-back therefore continues it as if there had been no shadow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.events import ConditionEventKind
from tocsin.engine.handover.migration import (
    NOT_CONFIGURED,
    TURNED_OFF,
    disabled_alarms,
    is_same_model,
    place_without_model,
    removed_alarms,
)
from tocsin.engine.lifecycle import transfer
from tocsin.engine.lifecycle.streams import removed_event
from tocsin.engine.result import EngineResult
from tocsin.engine.streams.table import StreamTable
from tocsin.engine.types import NEVER, ConditionState, Truth

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tocsin.engine.engine import Engine
    from tocsin.engine.events import ConditionEvent
    from tocsin.engine.model import Model
    from tocsin.engine.streams.state import StreamState


def obstacle(before: Model, after: Model) -> str | None:
    """Reason why a model can't warm up in the shadow of another; None if it can."""
    if is_same_model(before, after):
        return "it is the same model"
    if before.period_ns != after.period_ns:
        return "its period is another"
    if before.channels != after.channels:
        return "its channels are others"
    return None


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Streams that are not cut over.

    Attributes:
        versions: Membership versions of the old and the new table for which this holds.
        names: (n) names.
        old_rows: (n,) int64 rows in the old engine.
        new_rows: (n,) int64 rows in the new engine.
    """

    versions: tuple[int, int]
    names: frozenset[str]
    old_rows: NDArray[np.int64]
    new_rows: NDArray[np.int64]


class Shadow:
    """Two engines on the same streams; `start` begins one.

    Attributes:
        old: Engine with the warm model.
        new: Engine with the model that warms up.
        alarms: Names of the alarms of both that rest on the model's output.
        cut_over: Streams of which all events come from the new engine.
    """

    def __init__(self, old: Engine, new: Engine, cut_over: Iterable[str] = ()) -> None:
        self.old = old
        self.new = new
        self.cut_over = set(cut_over)
        pairs = transfer.common_alarms(old.export_streams([]), new.state)
        self._common = pairs
        self._modelled = [
            (o, n) for o, n in pairs if old.alarms[o].condition.modelled and new.alarms[n].condition.modelled
        ]
        self.alarms = {old.alarms[o].name for o, _ in self._modelled}
        self._waiting = self._find_waiting()

    @classmethod
    def start(cls, before: Engine, after: Engine, now: int) -> tuple[Shadow, EngineResult]:
        """Start a new engine in the shadow of an old one.

        Args:
            before: Old engine; it continues.
            after: New engine without streams, whose model has no `obstacle`. It takes all streams, even beyond its
                `max_streams`.
            now: Nanoseconds since 1970, on the clock of `before`.

        Returns:
            The shadow; events that remove alarms which the new engine lacks, and events of frames that it does not
            hold open as long.
        """
        exported = before.export_streams()
        result, unpublished = EngineResult(now), EngineResult(now)
        continuing = {o for o, _ in transfer.common_alarms(exported, after.state)}
        result.events += removed_alarms(before, now, continuing)
        rows = np.array([after.table.add(stream) for stream in exported.streams], dtype=np.int64)
        result.events += disabled_alarms(before, after, exported, rows, now)
        place_without_model(before.watch.model, after, exported, rows, same_ticks=True)
        shadow = cls(before, after)
        _reset_conditions(after, rows, [n for _, n in shadow._modelled])
        _place_observations(after.table, exported, rows)
        transfer.move_open_frames(after.state, exported, rows, unpublished)
        after.table.tombstones = dict(before.table.tombstones)
        after.now = before.now
        result.events += shadow.merged_events(None, unpublished)
        shadow.cut_over_ready()
        return shadow, result

    @property
    def is_over(self) -> bool:
        """Whether every stream is cut over."""
        return not self.waiting

    @property
    def waiting(self) -> frozenset[str]:
        """Streams that were not cut over at the last `cut_over_ready`."""
        return self._waiting.names

    def merged_events(self, before: EngineResult | None, after: EngineResult) -> list[ConditionEvent]:
        """Events to publish of both engines' results of one call; `before` is the old one's, if it had the call."""
        old = [] if before is None else [event for event in before.events if self._is_from_old(event)]
        old = [event for event in old if not self.new.has_off(event.stream, event.alarm)]
        return old + [event for event in after.events if not self._is_from_old(event)]

    def _is_from_old(self, event: ConditionEvent) -> bool:
        return event.alarm in self.alarms and event.stream not in self.cut_over

    def onsets(self, result: EngineResult) -> list[str]:
        """Names of the alarms on the model's output that became active in one engine's result, once for each event."""
        return [
            event.alarm
            for event in result.events
            if event.kind is ConditionEventKind.ACTIVE and event.alarm in self.alarms
        ]

    def differences(self, before: EngineResult, after: EngineResult) -> list[float]:
        """New score minus old score, for each frame in which both are known."""
        new = _scores(self.new.table, after)
        if not new:
            return []
        old = _scores(self.old.table, before)
        return [score - old[frame] for frame, score in new.items() if frame in old]

    def cut_over_ready(self) -> list[str]:
        """Cut over the streams whose score the new model has no later than the old one; give their names.

        Both engines must have had the same calls.
        """
        if self._waiting.versions != self._versions():
            self._waiting = self._find_waiting()
        old_rows, new_rows = self._waiting.old_rows, self._waiting.new_rows
        due = np.flatnonzero(_frames_to_wait(self.new, new_rows) <= _frames_to_wait(self.old, old_rows)).tolist()
        if not due:
            return []
        streams = [self.old.table.names[old_rows[i]] for i in due]
        for i in due:
            for o, n in self._modelled:
                if not self.new.table.is_off(int(new_rows[i]), n):
                    _copy_condition(self.old, o, int(old_rows[i]), self.new, n, int(new_rows[i]))
        self.cut_over.update(streams)
        self._waiting = self._find_waiting()
        return streams

    def _find_waiting(self) -> _Waiting:
        old, new = _rows(self.old.table), _rows(self.new.table)
        # A stream that only one engine has, because it was imported or the other has no room, counts as cut over.
        self.cut_over = (self.cut_over & new.keys()) | (old.keys() ^ new.keys())
        names = sorted(old.keys() - self.cut_over)
        return _Waiting(
            self._versions(),
            frozenset(names),
            np.array([old[name] for name in names], dtype=np.int64),
            np.array([new[name] for name in names], dtype=np.int64),
        )

    def _versions(self) -> tuple[int, int]:
        return self.old.table.membership_version, self.new.table.membership_version

    def renamed(self, to: str) -> None:
        """Follow a transfer to this name: the stream is not cut over before its new model is warm."""
        self.cut_over.discard(to)
        self._waiting = self._find_waiting()

    def roll_back(self, now: int) -> list[ConditionEvent]:
        """Return to the old engine; the new one must not be used any more.

        Returns:
            Events that remove alarms which the old engine lacks.
        """
        events = removed_alarms(self.new, now, {n for _, n in self._common})
        old, new = _rows(self.old.table), _rows(self.new.table)
        for stream in sorted(old.keys() & new.keys()):
            for o, n in self._common:
                from_new = (o, n) not in self._modelled or stream in self.cut_over
                if self.old.table.is_off(old[stream], o):
                    if from_new and self.new.table.delay_state[new[stream], n] != ConditionState.INACTIVE:
                        events.append(removed_event(self.new.state, n, new[stream], now, TURNED_OFF))
                elif from_new or self.new.table.is_off(new[stream], n):
                    _copy_condition(self.new, n, new[stream], self.old, o, old[stream])
        for index in set(range(len(self.old.alarms))) - {o for o, _ in self._common}:
            for row in old.values():
                _set_condition(self.old, index, row, ConditionState.INACTIVE, NEVER)
        for stream in sorted(new.keys() - old.keys()):
            row = new[stream]
            up = [n for _, n in self._common if self.new.table.delay_state[row, n] != ConditionState.INACTIVE]
            events += [removed_event(self.new.state, n, row, now, NOT_CONFIGURED) for n in up]
        return events


def _place_observations(table: StreamTable, exported: StreamState, rows: NDArray[np.int64]) -> None:
    """Set when streams, and their channels, were last observed: an absence continues, and so does `delta`."""
    table.last_tick[rows] = exported.of(StreamTable.last_tick)
    observed = exported.of(StreamTable.observed_tick)
    # A channel that was never observed counts from the old first frame: the new engine has another one.
    first = exported.of(StreamTable.state_first_tick)[:, None]
    table.observed_tick[rows] = np.where(observed == NEVER, first, observed)


def _reset_conditions(engine: Engine, rows: NDArray[np.int64], alarms: list[int]) -> None:
    """Make conditions (columns of `alarms`) unknown and inactive in streams (n,)."""
    table = engine.table
    for index in alarms:
        table.delay_state[rows, index] = ConditionState.INACTIVE
        table.truth[rows, index] = Truth.UNKNOWN
        table.truth_since[rows, index] = table.active_since[rows, index] = NEVER


def _copy_condition(source: Engine, column: int, row: int, target: Engine, to_column: int, to_row: int) -> None:
    """Copy a condition's state from one engine to another; the target keeps its own judgement."""
    state, since = source.table.delay_state[row, column], source.table.active_since[row, column]
    _set_condition(target, to_column, to_row, ConditionState(state), int(since))


def _set_condition(engine: Engine, index: int, row: int, state: ConditionState, since: int) -> None:
    table = engine.table
    ends = state == ConditionState.INACTIVE and table.delay_state[row, index] != ConditionState.INACTIVE
    if ends and engine.alarms[index].condition.silence_ns is not None:
        # Silence is judged once: without this it would not become active again.
        table.truth[row, index] = Truth.UNKNOWN
        table.truth_since[row, index] = NEVER
    table.delay_state[row, index] = state
    table.active_since[row, index] = since


def _rows(table: StreamTable) -> dict[str, int]:
    return {table.names[row]: row for row in table.live_rows().tolist()}


def _frames_to_wait(engine: Engine, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) int64, frames until streams have a score, and score quantiles where thresholds are adapted."""
    to_wait: NDArray[np.int64] = engine.watch.model.warm_up_ticks + 1 - engine.table.frame_count[rows]
    if (adaptation := engine.watch.adaptation) is not None:
        to_wait = to_wait.clip(min=0) + (adaptation.settle_ticks - engine.table.score_count[rows]).clip(min=0)
    return to_wait.clip(min=0)


def _scores(table: StreamTable, result: EngineResult) -> dict[tuple[str, int], float]:
    """Known scores of frames, by stream and tick."""
    return {
        (table.names[row], tick): score
        for steps in result.steps
        for row, tick, score in zip(steps.rows.tolist(), steps.tick.tolist(), steps.score.tolist(), strict=True)
        if not np.isnan(score)
    }
