"""The conditions `absent`, `flatline`, `implausible` and `silent`: faults of the measurement itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from tocsin.config.conditions.entry import ConditionEntry, SingleChannelEntry, nanoseconds
from tocsin.config.types import Seconds, Section
from tocsin.engine.conditions.absent import Absent
from tocsin.engine.conditions.flatline import Flatline
from tocsin.engine.conditions.implausible import Implausible
from tocsin.engine.conditions.silent import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.bundle import Bundle
    from tocsin.config.conditions.entry import ConditionFault


class AbsentEntry(SingleChannelEntry):
    """Settings of `absent`."""

    key: ClassVar[str] = "absent"
    description: ClassVar[str] = "A channel isn't measured while others are."

    for_s: Seconds

    def build(self, bundle: Bundle) -> Absent:
        return Absent(self.channel_index(bundle), nanoseconds(self.for_s))


class FlatlineEntry(SingleChannelEntry):
    """Settings of `flatline`."""

    key: ClassVar[str] = "flatline"
    description: ClassVar[str] = "A channel is measured and doesn't move."

    band: float = Field(default=0.0, ge=0, description="Its values differ by no more, in the channel's unit.")
    for_s: Annotated[Seconds, Field(gt=0)]

    def build(self, bundle: Bundle) -> Flatline:
        return Flatline(self.channel_index(bundle), self.band, nanoseconds(self.for_s))


class ImplausibleEntry(SingleChannelEntry):
    """Settings of `implausible`."""

    key: ClassVar[str] = "implausible"
    description: ClassVar[str] = "A channel gives values beyond its plausible range, and no others or few."

    for_s: Seconds
    share: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="1: it gives no other values for so long. Less: at least so many of its frames in the last so long "
        "had one.",
    )

    def build(self, bundle: Bundle) -> Implausible:
        return Implausible(self.channel_index(bundle), nanoseconds(self.for_s), self.share)


class SilentEntry(Section, ConditionEntry):
    """Settings of `silent`."""

    key: ClassVar[str] = "silent"
    description: ClassVar[str] = "A stream sends nothing."
    combinable: ClassVar[bool] = False

    for_s: Seconds

    def build(self, bundle: Bundle) -> Silent:
        del bundle
        return Silent(nanoseconds(self.for_s))

    def check(self, bundle: Bundle) -> Iterator[ConditionFault]:
        del bundle
        yield from ()
