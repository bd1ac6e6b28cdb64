"""What may stand in the configuration of streams that are different; docs/streams.md says what it means."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tocsin.config.types import Name, Section, listed

_Pattern = Annotated[str, Field(min_length=1)]


class OverrideEntry(Section):
    """What is otherwise in some streams of a watch, by their names."""

    streams: Annotated[
        list[_Pattern], Field(min_length=1), BeforeValidator(listed, json_schema_input_type=_Pattern | list[_Pattern])
    ] = Field(description="Names of streams; * stands for any text, also one with / in it.")
    limits: dict[Name, float] = Field(
        default={},
        description="By alarm, in its channel's unit; of an anomaly or a probability, its threshold. Alarms of other "
        "kinds have none.",
    )
    budgets: dict[Name, Annotated[float, Field(gt=0)]] = Field(
        default={}, description="By alarm of an anomaly or a probability: its budget instead of its threshold."
    )
    profile: dict[str, float] = Field(
        default={}, description="What is given once: static channels of the model, oxygen, alert, news2_scale."
    )
    off: list[Name] = Field(default=[], description="Alarms that are not judged in these streams.")
    adapt: Literal[False] | None = Field(
        default=None, description="false: thresholds of scores are not adapted to these streams."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.limits or self.budgets or self.profile or self.off or self.adapt is not None):
            raise ValueError("overrides nothing: give limits, budgets, profile, off or adapt")
        return self

    @model_validator(mode="after")
    def _says_one_thing_of_an_alarm(self) -> Self:
        said = [*self.limits, *self.budgets, *self.off]
        twice = next((name for name in said if said.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} stands here twice: an alarm has a limit, or a budget, or is off")
        return self
