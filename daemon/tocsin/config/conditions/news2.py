"""The condition `news2`: the National Early Warning Score of the channels that carry its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tocsin.config.conditions.entry import ConditionEntry, channel_faults, channel_indices, nanoseconds
from tocsin.config.types import Name, Seconds, Section
from tocsin.engine.conditions.news2 import EarlyWarning
from tocsin.engine.conditions.news2_chart import PARAMETERS
from tocsin.engine.model import ChannelKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.bundle import Bundle
    from tocsin.config.conditions.entry import ConditionFault


class News2Entry(Section, ConditionEntry):
    """Settings of `news2`."""

    key: ClassVar[str] = "news2"
    description: ClassVar[str] = "The National Early Warning Score has so many points."

    at_least: int = Field(default=5, ge=1, le=20, description="Points; 5 call for an urgent response, 7 for more.")
    single: bool = Field(default=True, description="Whether 3 points in one parameter are enough too.")
    respiration: Name | None = Field(default=None, description="Channel, breaths per minute.")
    spo2: Name | None = Field(default=None, description="Channel, per cent.")
    systolic: Name | None = Field(default=None, description="Channel, mmHg.")
    pulse: Name | None = Field(default=None, description="Channel, per minute.")
    temperature: Name | None = Field(default=None, description="Channel, degrees Celsius.")
    oxygen: bool | Name | None = Field(
        default=None, description="Channel that is 1 on supplemental oxygen and 0 on air, or the value for all streams."
    )
    alert: bool | Name | None = Field(
        default=None, description="Channel that is 1 alert and 0 otherwise, or the value for all streams."
    )
    scale: Literal[1, 2] | Name = Field(
        default=1, description="Of SpO2: 1, 2, or a channel that is 2 for those whose SpO2 is meant to be 88 to 92."
    )
    max_age_s: Annotated[Seconds, Field(gt=0)] = Field(default=3600.0, description="An older value is unknown.")

    @property
    def channels(self) -> dict[str, str]:
        """Channels by the keys that name one."""
        given = {name: getattr(self, name) for name in News2Entry.model_fields}
        return {name: channel for name, channel in given.items() if isinstance(channel, str)}

    @model_validator(mode="after")
    def _measures_something(self) -> Self:
        if not set(self.channels) - {"scale"}:
            raise ValueError("news2 needs at least one channel, such as pulse: hr")
        return self

    def build(self, bundle: Bundle) -> EarlyWarning:
        index = channel_indices(bundle)
        named = {key: index[channel] for key, channel in self.channels.items()}
        constants = {key: value for key in PARAMETERS if isinstance(value := getattr(self, key), bool)}
        return EarlyWarning(
            at_least=self.at_least,
            single=self.single,
            parameter_channels=tuple(named.get(key) for key in PARAMETERS),
            constants=tuple(float(constants[key]) if key in constants else None for key in PARAMETERS),
            scale=1 if isinstance(self.scale, str) else self.scale,
            scale_channel=named.get("scale"),
            max_age_ns=nanoseconds(self.max_age_s),
        )

    def check(self, bundle: Bundle) -> Iterator[ConditionFault]:
        for key, channel in self.channels.items():
            yield from channel_faults(key, channel, bundle, ChannelKind.STATIC)
