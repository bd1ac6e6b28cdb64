"""Limit conditions: a channel's value above or below a limit."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.base import Condition, truth_of
from tocsin.engine.conditions.wording import figure
from tocsin.engine.events import ConditionEventKind
from tocsin.engine.types import TRUE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tocsin.engine.conditions.base import EvaluationContext, ReasonContext


@dataclass(frozen=True, slots=True)
class Limit(Condition):
    """A channel's value lies beyond a limit; judged in frames in which it was observed.

    Attributes:
        channel: Index of the channel.
        limit: In the channel's unit.
        deadband: A value that was beyond the limit counts as beyond until it is back by more than this.
    """

    channel: int
    limit: float
    deadband: float

    @property
    def parameters(self) -> Mapping[str, object]:
        return {"channel": self.channel, "limit": self.limit, "deadband": self.deadband}

    @property
    def channels(self) -> tuple[int, ...]:
        return (self.channel,)

    @property
    def limit_channel(self) -> int:
        return self.channel

    def judge(
        self, context: EvaluationContext, previous: NDArray[np.int8], state: NDArray[np.float64]
    ) -> NDArray[np.int8]:
        value = context.steps.x[:, self.channel]
        beyond, within_deadband = self._compare(value, np.where(np.isnan(context.limit), self.limit, context.limit))
        holds = beyond | ((previous == TRUE) & within_deadband)
        return truth_of(holds, context.steps.mask[:, self.channel] != 0)

    @abstractmethod
    def _compare(
        self, value: NDArray[np.float32], limit: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(n,) whether values are beyond their limits; (n,) whether they are not yet back beyond the deadband."""

    def reason(self, kind: ConditionEventKind, context: ReasonContext) -> str:
        name, unit = context.name(self.channel), context.unit(self.channel)
        limit, value = context.limit_or(self.limit), context.value(self.channel)
        if kind is ConditionEventKind.UNCERTAIN or value is None:
            return f"{name} was {self.kind} {limit:g}{unit} and is not measured now"
        if kind is ConditionEventKind.INACTIVE:
            return f"{name} {figure(value, 4)}{unit}, no longer {self.kind} {limit:g}"
        return f"{name} {figure(value, 4)}{unit} is {self.kind} {limit:g}"


@dataclass(frozen=True, slots=True)
class Above(Limit):
    """A channel's value lies above a limit."""

    kind = "above"

    def _compare(
        self, value: NDArray[np.float32], limit: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        return value > limit, ~(value < limit - self.deadband)


@dataclass(frozen=True, slots=True)
class Below(Limit):
    """A channel's value lies below a limit."""

    kind = "below"

    def _compare(
        self, value: NDArray[np.float32], limit: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        return value < limit, ~(value > limit + self.deadband)
