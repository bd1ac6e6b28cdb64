"""Stepping: one recurrence of every stream that is due, in one call of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.model import ChannelKind
from tocsin.engine.streams import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.model import Model
    from tocsin.engine.streams import StreamTable

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
        score: (n,) float32; NaN is unknown: warming up, nothing observed, or nothing predicted yet.
        contribution: (n, C) float32.
        mean: (n, C) float32, the band around x: what the step before expected; NaN where it said nothing.
        scale: (n, C) float32, likewise.
    """

    rows: NDArray[np.int64]
    t: NDArray[np.int64]
    tick: NDArray[np.int64]
    x: NDArray[np.float32]
    mask: NDArray[np.float32]
    score: NDArray[np.float32]
    contribution: NDArray[np.float32]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]


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

    def step(self, table: StreamTable, rows: NDArray[np.int64], slot: NDArray[np.int64]) -> Steps:
        """Step the frames in these slots (n,), each stream at most once, and remember the new states."""
        tick = table.open_tick[rows, slot]
        t = table.open_t[rows, slot]
        lapsed = (tick - table.last_tick[rows] > self._model.max_gap_ticks) & (table.last_tick[rows] != NEVER)
        if lapsed.any():
            table.forget_state(rows[lapsed])
        table.first_tick[rows] = np.where(table.frames[rows] == 0, tick, table.first_tick[rows])
        table.begun_tick[rows] = np.where(table.begun_tick[rows] == NEVER, tick, table.begun_tick[rows])

        seen = table.open_value_t[rows, slot] != NEVER  # (n, C)
        x, mask = self._frame(table, rows, slot, tick, seen)
        delta = self._delta(table, rows, tick)
        mean, scale = table.mean[rows], table.scale[rows]
        result = self._model.step(x, mask, delta, table.state[rows])

        table.state[rows] = result.state
        table.mean[rows], table.scale[rows] = result.following
        table.seen_tick[rows] = np.where(seen, tick[:, None], table.seen_tick[rows])
        table.last_tick[rows] = tick
        table.frames[rows] += 1
        warm = table.frames[rows] > self._model.warm_up_ticks
        return Steps(
            rows=rows,
            t=t,
            tick=tick,
            x=x,
            mask=mask,
            score=np.where(warm, result.score, np.float32(np.nan)),
            contribution=result.contribution,
            mean=mean,
            scale=scale,
        )

    def _frame(
        self,
        table: StreamTable,
        rows: NDArray[np.int64],
        slot: NDArray[np.int64],
        tick: NDArray[np.int64],
        seen: NDArray[np.bool_],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        values = np.where(seen, table.open_values[rows, slot], 0.0)  # (n, C)
        if self._made.any():
            known = ~np.isnan(table.static[rows])
            values = np.where(self._static & known, table.static[rows], values)
            hours = (tick - table.begun_tick[rows]) * (self._period_s / _S_PER_H)  # (n,)
            values = np.where(self._clock, hours[:, None], values)
            seen = np.where(self._static, known, seen) | self._clock
        return values.astype(np.float32), seen.astype(np.float32)

    def _delta(self, table: StreamTable, rows: NDArray[np.int64], tick: NDArray[np.int64]) -> NDArray[np.float32]:
        seen_tick = table.seen_tick[rows]  # (n, C)
        since = np.where(seen_tick == NEVER, table.first_tick[rows][:, None], seen_tick)
        delta = np.minimum((tick[:, None] - since) * self._period_s, self._model.delta_cap_s)
        return np.where(self._made, 0.0, delta).astype(np.float32)
