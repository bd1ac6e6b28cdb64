"""The conditions `rises` and `falls`: the rate at which a channel changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from tocsin.config.conditions.entry import SingleChannelEntry, nanoseconds
from tocsin.config.types import Seconds
from tocsin.engine.conditions.trend import Trend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.bundle import Bundle
    from tocsin.config.conditions.entry import ConditionFault

_NS_PER_S = 1_000_000_000


class RateEntry(SingleChannelEntry):
    """Settings of a condition on a channel's rate of change."""

    rising: ClassVar[bool]

    by: float = Field(gt=0, description="In the channel's unit.")
    within_s: Annotated[Seconds, Field(gt=0)]

    def build(self, bundle: Bundle) -> Trend:
        return Trend(self.channel_index(bundle), self.by, nanoseconds(self.within_s), rising=self.rising)

    def check(self, bundle: Bundle) -> Iterator[ConditionFault]:
        yield from super().check(bundle)
        period_s = bundle.model.period_ns / _NS_PER_S
        if self.within_s < period_s:
            tick = f"a tick of {bundle.manifest.name} (legal: from {period_s:g} s)"
            yield ("within_s",), f"{self.within_s:g} s is shorter than {tick}"


class RisesEntry(RateEntry):
    """Settings of `rises`."""

    key: ClassVar[str] = "rises"
    description: ClassVar[str] = "A channel rises by so much in so long."
    rising: ClassVar[bool] = True


class FallsEntry(RateEntry):
    """Settings of `falls`."""

    key: ClassVar[str] = "falls"
    description: ClassVar[str] = "A channel falls by so much in so long."
    rising: ClassVar[bool] = False
