"""Schema of overrides: settings of single streams, which docs/streams.md describes."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tocsin.config.types import Name, Section, listed

_Pattern = Annotated[str, Field(min_length=1)]


class OverrideEntry(Section):
    """Settings of some streams of a watch, by their names."""

    streams: Annotated[
        list[_Pattern], Field(min_length=1), BeforeValidator(listed, json_schema_input_type=_Pattern | list[_Pattern])
    ] = Field(description="Names of streams; * matches any text, / included.")
    limits: dict[Name, float] = Field(
        default={},
        description="Limits by alarm, in its channel's unit; thresholds of anomalies and probabilities. Other alarms "
        "have none.",
    )
    budgets: dict[Name, Annotated[float, Field(gt=0)]] = Field(
        default={}, description="Budgets by alarm, of anomalies and probabilities, in place of thresholds."
    )
    profile: dict[str, float] = Field(
        default={}, description="Static values: static channels of the model, oxygen, alert, news2_scale."
    )
    off: list[Name] = Field(default=[], description="Alarms that are not evaluated in these streams.")
    adapt: Literal[False] | None = Field(
        default=None, description="false: thresholds of scores are not adapted to these streams."
    )

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if not (self.limits or self.budgets or self.profile or self.off or self.adapt is not None):
            raise ValueError("overrides nothing: give limits, budgets, profile, off or adapt")
        return self

    @model_validator(mode="after")
    def _sets_each_alarm_once(self) -> Self:
        named = [*self.limits, *self.budgets, *self.off]
        twice = next((name for name in named if named.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} is named twice: an alarm has a limit, or a budget, or is off")
        return self
