"""The trend condition: a channel rises or falls fast, by a robust line through its last values.

A window is cut into pieces of equal length, and of each piece the mean value and mean time is kept. The rate is the
median of the slopes between all pairs of pieces (Theil–Sen estimator; Sen, Estimates of the regression coefficient
based on Kendall's tau, JASA 63, 1968). Up to 29 % of the pieces may be wrong without moving it far, so a single
artefact makes no trend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.base import Condition, truth_of
from tocsin.engine.conditions.wording import figure, seconds
from tocsin.engine.events import ConditionEventKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tocsin.engine.conditions.base import EvaluationContext, ReasonContext

PIECES = 12
STATE_SIZE = 4 * PIECES
"""Of each piece: its number, how many values it has, the sum of their ticks from its start, the sum of the values."""

_LEAST_REACH = 0.5  # share of the window that the values must span: with less there is no rate

_FIRST, _SECOND = np.triu_indices(PIECES, k=1)


def piece_ticks(span_ticks: int) -> int:
    """Length of a piece in ticks, at which `PIECES` of them cover a window of `span_ticks`."""
    return -(-(span_ticks + 1) // (PIECES - 1))


def add_values(
    state: NDArray[np.float64],
    tick: NDArray[np.int64],
    value: NDArray[np.float32],
    observed: NDArray[np.bool_],
    span: int,
) -> None:
    """Add one value each of n channels to their pieces.

    Args:
        state: (n, STATE_SIZE) float64, NaN at first; changed in place.
        tick: (n,) of the frames.
        value: (n,) in them.
        observed: (n,) bool, whether there is a value.
        span: Length of the window in ticks.
    """
    length = piece_ticks(span)
    rows = np.flatnonzero(observed)
    piece = tick[rows] // length
    columns = (piece % PIECES * 4)[:, None] + np.arange(4)
    begun = state[rows[:, None], columns]  # (r, 4)
    begun = np.where((begun[:, 0] == piece)[:, None], begun, 0.0)
    begun[:, 0] = piece
    begun[:, 1] += 1
    begun[:, 2] += tick[rows] - piece * length
    begun[:, 3] += value[rows]
    state[rows[:, None], columns] = begun


def change(state: NDArray[np.float64], tick: NDArray[np.int64], span: int) -> NDArray[np.float64]:
    """Change of n channels over `span` ticks, at their rate in the last `span` ticks.

    Args:
        state: (n, STATE_SIZE) by `add_values`.
        tick: (n,) of the frames.
        span: Length of the window in ticks.

    Returns:
        (n,) in the channel's unit, negative where the channel falls; NaN where the values span less than half of the
        window.

    >>> state, observed = np.full((1, STATE_SIZE), np.nan), np.array([True])
    >>> for k, value in enumerate([98, 97, 96, 40, 94, 93]):
    ...     add_values(state, np.array([k]), np.array([value], dtype=np.float32), observed, 10)
    >>> change(state, np.array([5]), 10).tolist()
    [-10.0]
    """
    pieces = state.reshape(len(state), PIECES, 4)
    at, reaches = _piece_times(pieces, tick, span)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = pieces[:, :, 3] / pieces[:, :, 1]
        slopes = (mean[:, _SECOND] - mean[:, _FIRST]) / (at[:, _SECOND] - at[:, _FIRST])  # (n, pairs)
    slopes.sort(axis=1)  # NaN goes last
    count = (~np.isnan(slopes)).sum(axis=1)
    every = np.arange(len(slopes))
    upper, lower = slopes[every, count // 2], slopes[every, np.maximum(count - 1, 0) // 2]
    return np.where((count > 0) & reaches, (upper + lower) / 2.0 * span, np.nan)


def mean(state: NDArray[np.float64], tick: NDArray[np.int64], span: int) -> NDArray[np.float64]:
    """Mean of n channels' values in the last `span` ticks.

    Args:
        state: (n, STATE_SIZE) by `add_values`.
        tick: (n,) of the frames.
        span: Length of the window in ticks.

    Returns:
        (n,) in the channel's unit; NaN where the values span less than half of the window.

    >>> state, observed = np.full((1, STATE_SIZE), np.nan), np.array([True])
    >>> for k, value in enumerate([0, 1, 0, 1, 1]):
    ...     add_values(state, np.array([k]), np.array([value], dtype=np.float32), observed, 8)
    >>> mean(state, np.array([4]), 8).tolist()
    [0.6]
    """
    pieces = state.reshape(len(state), PIECES, 4)
    at, reaches = _piece_times(pieces, tick, span)
    counts, sums = np.where(np.isnan(at)[:, :, None], 0.0, pieces[:, :, (1, 3)]).sum(axis=1).T  # (n,) each
    means: NDArray[np.float64] = np.full(len(state), np.nan)
    np.divide(sums, counts, out=means, where=reaches & (counts > 0))
    return means


def _piece_times(
    pieces: NDArray[np.float64], tick: NDArray[np.int64], span: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Mean times of the pieces (n, P, 4) of the last `span` ticks.

    Returns:
        (n, P) the mean time of each piece in ticks from now, NaN for older ones; (n,) whether they reach back over
        enough of the window.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        at = pieces[:, :, 2] / pieces[:, :, 1] + (pieces[:, :, 0] * piece_ticks(span) - tick[:, None])
        at = np.where((at >= -span) & (at <= 0), at, np.nan)
    reach = -np.where(np.isnan(at), 0.0, at).min(axis=1)
    return at, reach >= _LEAST_REACH * span


@dataclass(frozen=True, slots=True)
class Trend(Condition):
    """A channel's value rises or falls fast; judged in frames in which it was observed.

    State: the pieces of the last `within_ns`.

    Attributes:
        channel: Index of the channel.
        by: Least change, in the channel's unit; positive.
        within_ns: Length of the window.
        rising: Whether the channel rises, or else falls.
    """

    channel: int
    by: float
    within_ns: int
    rising: bool

    kind = "trend"
    state_size = STATE_SIZE

    @property
    def parameters(self) -> Mapping[str, object]:
        return {"channel": self.channel, "by": self.by, "within_ns": self.within_ns, "rising": self.rising}

    @property
    def channels(self) -> tuple[int, ...]:
        return (self.channel,)

    def judge(
        self, context: EvaluationContext, previous: NDArray[np.int8], state: NDArray[np.float64]
    ) -> NDArray[np.int8]:
        steps, span = context.steps, self.within_ns // context.model.period_ns
        observed = steps.mask[:, self.channel] != 0
        add_values(state, steps.tick, steps.x[:, self.channel], observed & ~steps.reprocessed, span)
        changed = change(state, steps.tick, span)
        with np.errstate(invalid="ignore"):
            fast = (changed if self.rising else -changed) >= self.by
        return truth_of(fast, observed & ~np.isnan(changed))

    def reason(self, kind: ConditionEventKind, context: ReasonContext) -> str:
        name, unit, value = context.name(self.channel), context.unit(self.channel), context.value(self.channel)
        side, within = "rises" if self.rising else "falls", seconds(self.within_ns)
        span = self.within_ns // context.model.period_ns
        changed = float(change(context.state[None, :], np.array([context.tick]), span)[0])
        if kind is ConditionEventKind.UNCERTAIN or value is None or np.isnan(changed):
            return f"how fast {name} {side} is unknown now"
        if kind is ConditionEventKind.INACTIVE:
            return f"{name} {figure(value, 4)}{unit} no longer {side} by {self.by:g} in {within}"
        return f"{name} {side} by {abs(changed):.3g}{unit} in {within}, to {figure(value, 4)}"
