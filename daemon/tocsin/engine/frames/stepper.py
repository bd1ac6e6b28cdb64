"""Stepper: runs the model on closed frames of many streams in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.frames import history
from tocsin.engine.model import ChannelKind, Gaps
from tocsin.engine.result import Steps
from tocsin.engine.types import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.model import Model, StepResult
    from tocsin.engine.streams.table import StreamTable

_NS_PER_S = 1_000_000_000
_S_PER_H = 3600


class Stepper:
    """Makes the model's arguments of closed frames and stores its results.

    Args:
        model: The model.
    """

    def __init__(self, model: Model) -> None:
        kinds = [channel.kind for channel in model.channels]
        self._model = model
        self._static = np.array([kind is ChannelKind.STATIC for kind in kinds])  # (C,)
        self._clock = np.array([kind is ChannelKind.CLOCK for kind in kinds])  # (C,)
        self._generated = self._static | self._clock
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
        """Step one frame each of n streams.

        Args:
            table: The streams; their states change.
            rows: (n,) int64 rows, each at most once.
            tick: (n,) int64 ticks of the frames.
            slot: (n,) int64 slots of the frames.
            reprocessed: (n,) bool, for frames with a late reading and those after one: whether the stream was taken
                back. Such frames are stepped with the static values that were kept with them. None: new frames.
        """
        static = table.statics(rows)  # (n, C)
        if table.keeps_frames:
            table.save_step(rows, slot)
            if reprocessed is None:
                table.kept_static[rows, slot] = static
            else:
                static = table.kept_static[rows, slot]
        last = table.last_tick[rows]
        expired = (tick - last > self._model.max_gap_ticks) & (last != NEVER)
        if expired.any():
            table.reset_state(rows[expired])
        begins = table.frame_count[rows] == 0
        table.state_first_tick[rows] = np.where(begins, tick, table.state_first_tick[rows])
        table.stream_first_tick[rows] = np.where(
            table.stream_first_tick[rows] == NEVER, tick, table.stream_first_tick[rows]
        )
        self._record_gaps(table, rows, tick, np.where(begins, 0, tick - last - 1), reprocessed)
        if self._max_blind:
            self._step_blind(table, rows, np.where(begins, 0, tick - last - 1), static)

        observed = table.open_value_t[rows, slot] != NEVER  # (n, C)
        mean, scale = table.mean[rows], table.scale[rows]
        x, mask, result = self._call(table, rows, tick, table.open_values[rows, slot], observed, static)
        table.observed_tick[rows] = np.where(observed, tick[:, None], table.observed_tick[rows])
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
            low=_where(warm, result.low),
            high=_where(warm, result.high),
            reprocessed=np.zeros(len(rows), dtype=np.bool_) if reprocessed is None else reprocessed,
        )

    def _record_gaps(
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
        """Step through the ticks without a frame since the last one, `missing` (n,), at most `max_blind` of them.

        Nothing is observed in them; `delta` bridges the rest of a longer gap. They give no score and do not count as
        frames.
        """
        blind = np.minimum(missing, self._max_blind)
        nothing = np.zeros((len(rows), len(self._generated)))
        for ahead in range(1, int(blind.max(initial=0)) + 1):
            some = np.flatnonzero(blind >= ahead)
            at = table.last_tick[rows[some]] + ahead
            self._call(table, rows[some], at, nothing[some], nothing[some] > 0, static[some])

    def _call(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        tick: NDArray[np.int64],
        values: NDArray[np.float64],
        observed: NDArray[np.bool_],
        static: NDArray[np.float64],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], StepResult]:
        """Call the model on values (n, C) and store its state and prediction; give x, mask and its result."""
        x, mask = self._frame(table, rows, tick, values, observed, static)
        delta, state = self._delta(table, rows, tick), table.state[rows]
        if table.keeps_recent:
            history.append(table, rows, tick, x, mask, delta)
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
        observed: NDArray[np.bool_],
        static: NDArray[np.float64],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        values = np.where(observed, values, 0.0)  # (n, C)
        if self._generated.any():
            known = ~np.isnan(static)
            values = np.where(self._static & known, static, values)
            hours = (tick - table.stream_first_tick[rows]) * (self._period_s / _S_PER_H)  # (n,)
            values = np.where(self._clock, hours[:, None], values)
            observed = np.where(self._static, known, observed) | self._clock
        return values.astype(np.float32), observed.astype(np.float32)

    def _delta(self, table: StreamTable, rows: NDArray[np.int64], tick: NDArray[np.int64]) -> NDArray[np.float32]:
        observed_tick = table.observed_tick[rows]  # (n, C)
        since = np.where(observed_tick == NEVER, table.state_first_tick[rows][:, None], observed_tick)
        delta = np.minimum((tick[:, None] - since) * self._period_s, self._model.delta_cap_s)
        return np.where(self._generated, 0.0, delta).astype(np.float32)


def _where(warm: NDArray[np.bool_], quantiles: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    return None if quantiles is None else np.where(warm[:, None, None], quantiles, np.float32(np.nan))
