"""Stepping: one recurrence of every stream that is due, in one call of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.frames import history
from tocsin.engine.model import ChannelKind, Gaps
from tocsin.engine.streams.table import NEVER, STEP_COLUMNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.model import Model, StepResult
    from tocsin.engine.streams.table import StreamTable

_NS_PER_S = 1_000_000_000
_S_PER_H = 3600


@dataclass(frozen=True, slots=True)
class Steps:
    """What stepping n streams' frames gave, as columns.

    Attributes:
        rows: (n,) int64, the streams.
        t: (n,) int64, the newest `t` in each frame, ns.
        tick: (n,) int64.
        x: (n, C) float32, in the channels' units, 0 where missing.
        mask: (n, C) float32, 1 where observed.
        implausible: (n, C) bool, whether an implausible value came; there may have been a plausible one too.
        score: (n,) float32; NaN is unknown: warming up, nothing observed, or nothing predicted yet.
        contribution: (n, C) float32.
        mean: (n, C) float32, the band around x: what the step before expected; NaN where it said nothing.
        scale: (n, C) float32, likewise.
        low: seq2seq: (n, C, Q) float32, quantiles of each channel's minimum over the horizon; NaN while warming up.
        high: seq2seq: (n, C, Q) float32, likewise of its maximum.
        reprocessed: (n,) whether a late reading took the stream back to before this frame, whose score is put right.
    """

    rows: NDArray[np.int64]
    t: NDArray[np.int64]
    tick: NDArray[np.int64]
    x: NDArray[np.float32]
    mask: NDArray[np.float32]
    implausible: NDArray[np.bool_]
    score: NDArray[np.float32]
    contribution: NDArray[np.float32]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    low: NDArray[np.float32] | None
    high: NDArray[np.float32] | None
    reprocessed: NDArray[np.bool_]


class Stepper:
    """Turns closed frames into the model's arguments and keeps what it gives back."""

    def __init__(self, model: Model) -> None:
        """Make a stepper for one model."""
        kinds = [channel.kind for channel in model.channels]
        self._model = model
        self._static = np.array([kind is ChannelKind.STATIC for kind in kinds])  # (C,)
        self._clock = np.array([kind is ChannelKind.CLOCK for kind in kinds])  # (C,)
        self._made = self._static | self._clock
        self._period_s = model.period_ns / _NS_PER_S
        self._max_blind = model.max_blind if model.gaps is Gaps.BLIND else 0

    def step(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        tick: NDArray[np.int64],
        slot: NDArray[np.int64],
        *,
        reprocessed: NDArray[np.bool_] | None = None,
    ) -> Steps:
        """Step the frames of these ticks in these slots (n,), each stream at most once, and remember the new states.

        Args:
            table: The streams.
            rows: (n,) their rows.
            tick: (n,) of the frames.
            slot: (n,) where they are.
            reprocessed: (n,) for frames with a late reading, or after one: whether their streams were taken back. They
                are stepped with the static values that they have.
        """
        static = table.statics(rows)  # (n, C)
        if table.keeps_frames:
            _keep_before(table, rows, slot)
            if reprocessed is None:
                table.kept_static[rows, slot] = static
            else:
                static = table.kept_static[rows, slot]
        last = table.last_tick[rows]
        lapsed = (tick - last > self._model.max_gap_ticks) & (last != NEVER)
        if lapsed.any():
            table.forget_state(rows[lapsed])
        begins = table.frame_count[rows] == 0
        table.state_first_tick[rows] = np.where(begins, tick, table.state_first_tick[rows])
        table.stream_first_tick[rows] = np.where(
            table.stream_first_tick[rows] == NEVER, tick, table.stream_first_tick[rows]
        )
        self._note_gaps(table, rows, tick, np.where(begins, 0, tick - last - 1), reprocessed)
        if self._max_blind:
            self._step_blind(table, rows, np.where(begins, 0, tick - last - 1), static)

        seen = table.open_value_t[rows, slot] != NEVER  # (n, C)
        mean, scale = table.mean[rows], table.scale[rows]
        x, mask, result = self._recur(table, rows, tick, table.open_values[rows, slot], seen, static)
        table.observed_tick[rows] = np.where(seen, tick[:, None], table.observed_tick[rows])
        table.last_tick[rows] = tick
        table.frame_count[rows] += 1
        warm = table.frame_count[rows] > self._model.warm_up_ticks
        return Steps(
            rows=rows,
            t=table.open_t[rows, slot],
            tick=tick,
            x=x,
            mask=mask,
            implausible=table.open_implausible[rows, slot],
            score=np.where(warm, result.score, np.float32(np.nan)),
            contribution=result.contribution,
            mean=mean,
            scale=scale,
            low=_when(warm, result.low),
            high=_when(warm, result.high),
            reprocessed=np.zeros(len(rows), dtype=np.bool_) if reprocessed is None else reprocessed,
        )

    def _note_gaps(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        tick: NDArray[np.int64],
        missing: NDArray[np.int64],
        reprocessed: NDArray[np.bool_] | None,
    ) -> None:
        gap = missing > 0
        table.gap_ticks[rows[gap]] = missing[gap]
        table.gap_end[rows[gap]] = tick[gap]
        if reprocessed is not None:
            table.reprocessed_tick[rows[reprocessed]] = tick[reprocessed]

    def _step_blind(
        self, table: StreamTable, rows: NDArray[np.int64], missing: NDArray[np.int64], static: NDArray[np.float64]
    ) -> None:
        """Step through ticks without a frame, `missing` (n,) since the last one, at most `max_blind` of them.

        Nothing is observed in them. The longest gaps are bridged by `delta` from there on. They give no score, and
        don't count as frames.
        """
        blind = np.minimum(missing, self._max_blind)
        nothing = np.zeros((len(rows), len(self._made)))
        for ahead in range(1, int(blind.max(initial=0)) + 1):
            some = np.flatnonzero(blind >= ahead)
            at = table.last_tick[rows[some]] + ahead
            self._recur(table, rows[some], at, nothing[some], nothing[some] > 0, static[some])

    def _recur(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        tick: NDArray[np.int64],
        values: NDArray[np.float64],
        seen: NDArray[np.bool_],
        static: NDArray[np.float64],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], StepResult]:
        """Call the model on n rows' values (n, C) and remember what it gives; gives x, mask and that."""
        x, mask = self._frame(table, rows, tick, values, seen, static)
        delta, state = self._delta(table, rows, tick), table.state[rows]
        if table.keeps_recent:
            history.keep(table, rows, tick, x, mask, delta)
        result = self._model.step(x, mask, delta, state)
        table.state[rows] = result.state
        table.mean[rows], table.scale[rows] = result.following
        return x, mask, result

    def _frame(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        tick: NDArray[np.int64],
        values: NDArray[np.float64],
        seen: NDArray[np.bool_],
        static: NDArray[np.float64],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        values = np.where(seen, values, 0.0)  # (n, C)
        if self._made.any():
            known = ~np.isnan(static)
            values = np.where(self._static & known, static, values)
            hours = (tick - table.stream_first_tick[rows]) * (self._period_s / _S_PER_H)  # (n,)
            values = np.where(self._clock, hours[:, None], values)
            seen = np.where(self._static, known, seen) | self._clock
        return values.astype(np.float32), seen.astype(np.float32)

    def _delta(self, table: StreamTable, rows: NDArray[np.int64], tick: NDArray[np.int64]) -> NDArray[np.float32]:
        seen_tick = table.observed_tick[rows]  # (n, C)
        since = np.where(seen_tick == NEVER, table.state_first_tick[rows][:, None], seen_tick)
        delta = np.minimum((tick[:, None] - since) * self._period_s, self._model.delta_cap_s)
        return np.where(self._made, 0.0, delta).astype(np.float32)


def _keep_before(table: StreamTable, rows: NDArray[np.int64], slot: NDArray[np.int64]) -> None:
    for name in STEP_COLUMNS:
        getattr(table, f"before_{name}")[rows, slot] = getattr(table, name)[rows]


def _when(warm: NDArray[np.bool_], quantiles: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    return None if quantiles is None else np.where(warm[:, None, None], quantiles, np.float32(np.nan))
