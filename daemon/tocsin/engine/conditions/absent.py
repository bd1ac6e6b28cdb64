"""The absence condition: a channel is not measured, though the stream sends frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.base import Condition, truth_of
from tocsin.engine.conditions.wording import seconds
from tocsin.engine.events import ConditionEventKind
from tocsin.engine.types import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tocsin.engine.conditions.base import EvaluationContext, ReasonContext


@dataclass(frozen=True, slots=True)
class Absent(Condition):
    """A channel has not been observed for some time, though frames arrive.

    Attributes:
        channel: Index of the channel.
        for_ns: Minimum absence; of a channel never observed, from the stream's first frame.
    """

    channel: int
    for_ns: int

    kind = "absent"
    technical = True

    @property
    def parameters(self) -> Mapping[str, object]:
        return {"channel": self.channel, "for_ns": self.for_ns}

    @property
    def channels(self) -> tuple[int, ...]:
        return (self.channel,)

    def judge(
        self, context: EvaluationContext, previous: NDArray[np.int8], state: NDArray[np.float64]
    ) -> NDArray[np.int8]:
        rows = context.steps.rows
        observed = context.table.observed_tick[rows, self.channel]
        since = np.where(observed == NEVER, context.table.state_first_tick[rows], observed)
        absent = (context.steps.tick - since) * context.model.period_ns >= self.for_ns
        return truth_of(absent, np.ones(len(absent), dtype=np.bool_))

    def reason(self, kind: ConditionEventKind, context: ReasonContext) -> str:
        name = context.name(self.channel)
        if kind is ConditionEventKind.INACTIVE:
            return f"{name} is back"
        return f"no {name} for {seconds(self.for_ns)} or longer"
