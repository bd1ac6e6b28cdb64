"""The conditions `above` and `below`: a channel's value against a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from tocsin.config.conditions.entry import SingleChannelEntry, channel_limit_fault, range_faults
from tocsin.engine.conditions.limit import Above, Below

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.bundle import Bundle
    from tocsin.config.conditions.entry import ConditionFault
    from tocsin.engine.conditions.limit import Limit


class LimitEntry(SingleChannelEntry):
    """Settings of a limit on a channel."""

    has_limit: ClassVar[bool] = True
    condition: ClassVar[type[Limit]]

    limit: float = Field(description="In the channel's unit.")
    deadband: float = Field(default=0.0, ge=0, description="How far it must come back before the alarm can clear.")

    def build(self, bundle: Bundle) -> Limit:
        return self.condition(self.channel_index(bundle), self.limit, self.deadband)

    def check(self, bundle: Bundle) -> Iterator[ConditionFault]:
        yield from super().check(bundle)
        yield from range_faults("limit", self.limit, self.channel, bundle)

    def stream_limit_fault(self, limit: float, bundle: Bundle | None) -> str | None:
        return channel_limit_fault(limit, self.channel, bundle)


class AboveEntry(LimitEntry):
    """Settings of `above`."""

    key: ClassVar[str] = "above"
    description: ClassVar[str] = "A channel's value is above a limit."
    condition: ClassVar[type[Limit]] = Above


class BelowEntry(LimitEntry):
    """Settings of `below`."""

    key: ClassVar[str] = "below"
    description: ClassVar[str] = "A channel's value is below a limit."
    condition: ClassVar[type[Limit]] = Below
