"""The flatline condition: a channel is measured and does not move."""

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

_LEAST_VALUES = 5


@dataclass(frozen=True, slots=True)
class Flatline(Condition):
    """A channel is observed repeatedly and does not move; judged in frames in which it was observed.

    State, of the current run of values that lie within the band: its minimum, its maximum, the tick at which it began,
    its number of values.

    Attributes:
        channel: Index of the channel.
        band: Greatest difference of values in a run, in the channel's unit.
        for_ns: Minimum length of the run; it also needs five values.
    """

    channel: int
    band: float
    for_ns: int

    kind = "flatline"
    state_size = 4
    technical = True

    @property
    def parameters(self) -> Mapping[str, object]:
        return {"channel": self.channel, "band": self.band, "for_ns": self.for_ns}

    @property
    def channels(self) -> tuple[int, ...]:
        return (self.channel,)

    def judge(
        self, context: EvaluationContext, previous: NDArray[np.int8], state: NDArray[np.float64]
    ) -> NDArray[np.int8]:
        value = context.steps.x[:, self.channel].astype(np.float64)
        tick, observed = context.steps.tick, context.steps.mask[:, self.channel] != 0
        low, high = np.fmin(state[:, 0], value), np.fmax(state[:, 1], value)
        moved = (high - low > self.band) | np.isnan(state[:, 2])
        run = np.stack(
            [
                np.where(moved, value, low),
                np.where(moved, value, high),
                np.where(moved, tick, state[:, 2]),
                np.where(moved, 1.0, state[:, 3] + 1.0),
            ],
            axis=1,
        )
        state[:] = np.where((observed & ~context.steps.reprocessed)[:, None], run, state)
        with np.errstate(invalid="ignore"):
            long = (tick - state[:, 2]) * context.model.period_ns >= self.for_ns
            flat = long & (state[:, 3] >= _LEAST_VALUES)
        return truth_of(flat, observed)

    def reason(self, kind: ConditionEventKind, context: ReasonContext) -> str:
        name, unit, value = context.name(self.channel), context.unit(self.channel), context.value(self.channel)
        if kind is ConditionEventKind.UNCERTAIN or value is None:
            return f"{name} stood still and is not measured now"
        if kind is ConditionEventKind.INACTIVE:
            return f"{name} {figure(value, 4)}{unit} moves again"
        still = f"stays within {self.band:g}{unit} of {figure(value, 4)}"
        if self.band == 0:
            still = f"stands at {figure(value, 4)}{unit}"
        return f"{name} {still} for {seconds(self.for_ns)} or longer"
