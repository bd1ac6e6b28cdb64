"""The forecast condition: a channel is expected to cross a limit within the model's horizon.

A model of task `seq2seq` gives quantiles of the minimum and of the maximum over the next K frames. The probability that
a limit is crossed is a property of those extremes, not of single frames: P(min < limit) is the distribution of the
minimum at the limit, and the quantiles are points of that distribution.
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
    from tocsin.engine.model import Model

_STEEPEST = 1e6  # slope of the distribution per unit: two quantiles may coincide


def falls_below(
    limit: float | NDArray[np.float64], low: NDArray[np.floating], levels: NDArray[np.floating]
) -> NDArray[np.float64]:
    """P(the minimum over the horizon < limit), from the minimum's quantiles.

    Between two quantiles the distribution is linear. Beyond the first and the last it continues with the same slope and
    approaches 0 and 1 exponentially, so a limit that is further off is less probable, and none is impossible.

    >>> levels = np.array([0.1, 0.5, 0.9])
    >>> falls_below(88, np.array([[86.0, 90.0, 92.0]]), levels).round(3).tolist()
    [0.3]
    >>> falls_below(84, np.array([[86.0, 90.0, 92.0]]), levels).round(3).tolist()
    [0.014]

    Args:
        limit: In the channel's unit: one for all, or (…,) one each.
        low: (…, Q) quantiles of the minimum, ascending.
        levels: (Q,) levels of the quantiles, ascending, between 0 and 1; at least two.

    Returns:
        (…,) probabilities.
    """
    low, levels = np.asarray(low, dtype=np.float64), np.asarray(levels, dtype=np.float64)
    limit = np.asarray(limit, dtype=np.float64)
    below_limit = (low <= limit[..., None]).sum(axis=-1)
    at = np.clip(below_limit - 1, 0, len(levels) - 2)  # (…,) the segment that holds the limit, or is next to it
    left = np.take_along_axis(low, at[..., None], axis=-1)[..., 0]
    right = np.take_along_axis(low, at[..., None] + 1, axis=-1)[..., 0]
    slope = (levels[at + 1] - levels[at]) / np.maximum(right - left, 1.0 / _STEEPEST)
    inside = levels[at] + slope * (limit - left)
    first, last = levels[0], levels[-1]
    below = first * np.exp(-slope / first * np.maximum(low[..., 0] - limit, 0.0))
    above = 1.0 - (1.0 - last) * np.exp(-slope / (1.0 - last) * np.maximum(limit - low[..., -1], 0.0))
    probability: NDArray[np.float64] = np.where(
        limit < low[..., 0], below, np.where(limit > low[..., -1], above, inside)
    )
    return probability


def rises_above(
    limit: float | NDArray[np.float64], high: NDArray[np.floating], levels: NDArray[np.floating]
) -> NDArray[np.float64]:
    """P(the maximum over the horizon > limit), from the maximum's quantiles (…, Q); see `falls_below`.

    >>> rises_above(120, np.array([100.0, 110.0, 130.0]), np.array([0.1, 0.5, 0.9])).round(3).tolist()
    0.3
    """
    return 1.0 - falls_below(limit, high, levels)


@dataclass(frozen=True, slots=True)
class Forecast(Condition):
    """The model expects a channel to cross a limit within its horizon.

    Unknown where the model gives no quantiles: while warming up, or with a task other than `seq2seq`.

    Attributes:
        channel: Index of the channel.
        limit: In the channel's unit.
        rising: Whether the limit is crossed upwards, or else downwards.
        probability: Least probability of a crossing.
    """

    channel: int
    limit: float
    rising: bool
    probability: float

    kind = "forecast"
    modelled = True

    @property
    def parameters(self) -> Mapping[str, object]:
        return {
            "channel": self.channel,
            "limit": self.limit,
            "rising": self.rising,
            "probability": self.probability,
        }

    @property
    def channels(self) -> tuple[int, ...]:
        return (self.channel,)

    @property
    def limit_channel(self) -> int:
        return self.channel

    def judge(
        self, context: EvaluationContext, previous: NDArray[np.int8], state: NDArray[np.float64]
    ) -> NDArray[np.int8]:
        extremes = context.steps.high if self.rising else context.steps.low
        if extremes is None:
            return truth_of(*np.zeros((2, len(context.limit)), dtype=np.bool_))
        limit = np.where(np.isnan(context.limit), self.limit, context.limit)
        probability = self._probability(extremes[:, self.channel], limit, context.model)
        return truth_of(probability >= self.probability, ~np.isnan(probability))

    def _probability(
        self, extremes: NDArray[np.float32], limit: NDArray[np.float64], model: Model
    ) -> NDArray[np.float64]:
        """(n,) probabilities that limits (n,) are crossed, by quantiles (n, Q) of the maximum or of the minimum."""
        crosses = rises_above if self.rising else falls_below
        return crosses(limit, extremes, np.array(model.quantiles))

    def reason(self, kind: ConditionEventKind, context: ReasonContext) -> str:
        name, unit, limit = context.name(self.channel), context.unit(self.channel), context.limit_or(self.limit)
        within = seconds(context.model.horizon_ticks * context.model.period_ns)
        what = f"{name} {'above' if self.rising else 'below'} {limit:g}{unit} within {within}"
        extremes = context.high if self.rising else context.low
        if kind is ConditionEventKind.UNCERTAIN or extremes is None:
            return f"the chance of {what} is unknown now"
        p = float(self._probability(extremes[None, self.channel], np.array([limit]), context.model)[0])
        if kind is ConditionEventKind.INACTIVE:
            return f"{what}: p = {p:.2g}, back below {self.probability:g}"
        value = context.value(self.channel)
        now = "" if value is None else f", now {figure(value, 4)}"
        return f"{what}: p = {p:.2g}{now}"
