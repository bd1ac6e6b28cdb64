"""The condition `forecast`: a channel is expected to cross a limit within the model's horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from tocsin.config.conditions.entry import SingleChannelEntry, channel_limit_fault, range_faults, task_faults
from tocsin.engine.conditions.forecast import Forecast
from tocsin.engine.model import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.bundle import Bundle
    from tocsin.config.conditions.entry import ConditionFault

_MIN_QUANTILES = 2


class ForecastEntry(SingleChannelEntry):
    """Settings of `forecast`."""

    key: ClassVar[str] = "forecast"
    description: ClassVar[str] = "A `seq2seq` model expects a channel to cross a limit within its horizon."
    has_limit: ClassVar[bool] = True

    above: float | None = Field(default=None, description="In the channel's unit.")
    below: float | None = Field(default=None, description="In the channel's unit.")
    probability: float = Field(gt=0, lt=1, description="The least chance of it that counts.")

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("a forecast crosses one limit: give either above or below")
        return self

    @property
    def _side(self) -> tuple[str, float]:
        """Key and value of the limit that is given."""
        return ("above", self.above) if self.above is not None else ("below", self.below or 0.0)

    def build(self, bundle: Bundle) -> Forecast:
        side, limit = self._side
        return Forecast(self.channel_index(bundle), limit, side == "above", self.probability)

    def check(self, bundle: Bundle) -> Iterator[ConditionFault]:
        wrong_task = [*task_faults(self.key, (Task.SEQ2SEQ,), bundle)]
        yield from wrong_task
        if not wrong_task and len(bundle.manifest.quantiles or ()) < _MIN_QUANTILES:
            yield (), f"{self.key} needs two quantiles or more, and {bundle.manifest.name} has one"
        yield from super().check(bundle)
        side, limit = self._side
        yield from range_faults(side, limit, self.channel, bundle)

    def stream_limit_fault(self, limit: float, bundle: Bundle | None) -> str | None:
        return channel_limit_fault(limit, self.channel, bundle)
