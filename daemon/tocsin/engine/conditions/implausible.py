"""The implausibility condition: a channel gives values beyond its plausible range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions import trend
from tocsin.engine.conditions.base import Condition, truth_of
from tocsin.engine.conditions.wording import seconds
from tocsin.engine.events import ConditionEventKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tocsin.engine.conditions.base import EvaluationContext, ReasonContext


@dataclass(frozen=True, slots=True)
class Implausible(Condition):
    """A channel gives implausible values; judged in frames that carry the channel.

    State without a share: the tick of the first implausible value since the last plausible one. With a share: the
    pieces of `trend`, of a value that is 1 in a frame with an implausible value and 0 in one without.

    Attributes:
        channel: Index of the channel.
        for_ns: Length of the time that is judged.
        share: 1: the channel gives no other values. Less: least share of the frames that carry the channel, over the
            last `for_ns`, in which an implausible value arrived.
    """

    channel: int
    for_ns: int
    share: float = 1.0

    kind = "implausible"
    technical = True

    @property
    def parameters(self) -> Mapping[str, object]:
        return {"channel": self.channel, "for_ns": self.for_ns, "share": self.share}

    @property
    def _of_every_value(self) -> bool:
        """Whether a single plausible value ends the condition."""
        return self.share >= 1

    @property
    def state_size(self) -> int:
        return 1 if self._of_every_value else trend.STATE_SIZE

    @property
    def channels(self) -> tuple[int, ...]:
        return (self.channel,)

    @property
    def implausible_channels(self) -> tuple[int, ...]:
        return (self.channel,)

    def judge(
        self, context: EvaluationContext, previous: NDArray[np.int8], state: NDArray[np.float64]
    ) -> NDArray[np.int8]:
        return self._judge_run(context, state) if self._of_every_value else self._judge_share(context, state)

    def _judge_run(self, context: EvaluationContext, state: NDArray[np.float64]) -> NDArray[np.int8]:
        steps = context.steps
        plausible = steps.mask[:, self.channel] != 0
        implausible = steps.implausible[:, self.channel] & ~plausible
        began = np.where(np.isnan(state[:, 0]), steps.tick, state[:, 0])
        state[:, 0] = np.where(plausible, np.nan, np.where(implausible, began, state[:, 0]))
        with np.errstate(invalid="ignore"):
            long = (steps.tick - state[:, 0]) * context.model.period_ns >= self.for_ns
        return truth_of(implausible & long, plausible | implausible)

    def _judge_share(self, context: EvaluationContext, state: NDArray[np.float64]) -> NDArray[np.int8]:
        steps, span = context.steps, self.for_ns // context.model.period_ns
        implausible = steps.implausible[:, self.channel]
        carried = implausible | (steps.mask[:, self.channel] != 0)
        trend.add_values(state, steps.tick, implausible.astype(np.float32), carried & ~steps.reprocessed, span)
        share = trend.mean(state, steps.tick, span)
        with np.errstate(invalid="ignore"):
            often = share >= self.share
        return truth_of(often, carried & ~np.isnan(share))

    def reason(self, kind: ConditionEventKind, context: ReasonContext) -> str:
        about, name = context.model.channels[self.channel], context.name(self.channel)
        if kind is ConditionEventKind.UNCERTAIN:
            return f"{name} was implausible and is not measured now"
        outside = f"{name} outside {about.low:g} to {about.high:g}{context.unit(self.channel)}"
        if not self._of_every_value:
            often = "less than" if kind is ConditionEventKind.INACTIVE else "at least"
            return f"{outside} in {often} {100 * self.share:g} % of the last {seconds(self.for_ns)}"
        if kind is ConditionEventKind.INACTIVE:
            return f"{name} is plausible again"
        return f"{outside} for {seconds(self.for_ns)} or longer"
