"""What may stand in the configuration as the condition of an alarm; docs/conditions.md says what each means."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tocsin.config.types import Name, Seconds, Section


class ScoreEntry(Section):
    """The model's score against a threshold."""

    threshold: float | None = Field(
        default=None, description="The bundle's own operating point if both this and budget are left out."
    )
    budget: float | None = Field(
        default=None,
        gt=0,
        description="False alarms per stream and day on normal data; the bundle's curve says which threshold that is, "
        "for the alarm's delays.",
    )

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if self.threshold is not None and self.budget is not None:
            raise ValueError("threshold and budget exclude each other: keep one")
        return self


class LimitEntry(Section):
    """A channel's value against a limit."""

    channel: Name
    limit: float = Field(description="In the channel's unit.")
    deadband: float = Field(default=0.0, ge=0, description="How far it must come back before the alarm can clear.")


class RateEntry(Section):
    """How fast a channel's value changes."""

    channel: Name
    by: float = Field(gt=0, description="In the channel's unit.")
    within_s: Annotated[Seconds, Field(gt=0)]


class DriftEntry(Section):
    """How far the model's score may creep up against how it was when the stream began."""

    slack: float = Field(default=1.0, ge=0, description="So many noises of normal streams above it are no drift.")
    limit: float = Field(default=4.0, gt=0, description="Noises beyond the slack, times the hours that they last.")
    settle_s: Annotated[Seconds, Field(gt=0)] = Field(
        default=2 * 3600.0, description="So long a stream's beginning is, by frames with a score."
    )


class ForecastEntry(Section):
    """A limit that a channel is expected to cross within the model's horizon."""

    channel: Name
    above: float | None = Field(default=None, description="In the channel's unit.")
    below: float | None = Field(default=None, description="In the channel's unit.")
    probability: float = Field(gt=0, lt=1, description="The least chance of it that counts.")

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("a forecast crosses one limit: give either above or below")
        return self

    @property
    def limit(self) -> float:
        """Whichever is given."""
        return self.above if self.above is not None else self.below or 0.0


class News2Entry(Section):
    """NEWS2, from the channels that carry its parameters."""

    at_least: int = Field(default=5, ge=1, le=20, description="Points; 5 call for an urgent response, 7 for more.")
    single: bool = Field(default=True, description="Whether 3 points in one parameter are enough too.")
    respiration: Name | None = Field(default=None, description="Channel, breaths per minute.")
    spo2: Name | None = Field(default=None, description="Channel, per cent.")
    systolic: Name | None = Field(default=None, description="Channel, mmHg.")
    pulse: Name | None = Field(default=None, description="Channel, per minute.")
    temperature: Name | None = Field(default=None, description="Channel, degrees Celsius.")
    oxygen: bool | Name | None = Field(
        default=None, description="Channel that is 1 on supplemental oxygen and 0 on air, or what holds for everybody."
    )
    alert: bool | Name | None = Field(
        default=None, description="Channel that is 1 alert and 0 otherwise, or what holds for everybody."
    )
    scale: Literal[1, 2] | Name = Field(
        default=1, description="Of SpO2: 1, 2, or a channel that is 2 for those whose SpO2 is meant to be 88 to 92."
    )
    max_age_s: Annotated[Seconds, Field(gt=0)] = Field(default=3600.0, description="An older value is unknown.")

    @property
    def channels(self) -> dict[str, str]:
        """Key to channel, of those that name one."""
        given = {name: getattr(self, name) for name in News2Entry.model_fields}
        return {name: channel for name, channel in given.items() if isinstance(channel, str)}

    @model_validator(mode="after")
    def _measures_something(self) -> Self:
        if not set(self.channels) - {"scale"}:
            raise ValueError("news2 needs at least one channel, such as pulse: hr")
        return self


class FlatlineEntry(Section):
    """A channel that is measured and doesn't move."""

    channel: Name
    band: float = Field(default=0.0, ge=0, description="Its values differ by no more, in the channel's unit.")
    for_s: Annotated[Seconds, Field(gt=0)]


class AbsentEntry(Section):
    """A channel, and for how long."""

    channel: Name
    for_s: Seconds


class ImplausibleEntry(AbsentEntry):
    """A channel that gives implausible values, and for how long."""

    share: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="1: it gives no other values for so long. Less: at least so many of its frames in the last so long "
        "had one.",
    )


class SilentEntry(Section):
    """A stream of which nothing is heard at all."""

    for_s: Seconds


class Member(Section):
    """Exactly one condition of those that can be combined."""

    KINDS: ClassVar[tuple[str, ...]] = (
        "anomaly",
        "probability",
        "drift",
        "forecast",
        "above",
        "below",
        "rises",
        "falls",
        "news2",
        "absent",
        "flatline",
        "implausible",
    )

    anomaly: ScoreEntry | None = Field(
        default=None, description="The reading surprises a `forecast` or `seq2seq` model."
    )
    probability: ScoreEntry | None = Field(
        default=None,
        description="An `alarm` model's probability of its event, or a `classify` model's of any class but its first.",
    )
    drift: DriftEntry | None = Field(
        default=None, description="The score creeps up against the stream's own beginning, adapted or not."
    )
    forecast: ForecastEntry | None = Field(
        default=None, description="A `seq2seq` model expects a channel to cross a limit within its horizon."
    )
    above: LimitEntry | None = None
    below: LimitEntry | None = None
    rises: RateEntry | None = Field(default=None, description="A channel rises by so much in so long.")
    falls: RateEntry | None = Field(default=None, description="A channel falls by so much in so long.")
    news2: News2Entry | None = Field(default=None, description="The National Early Warning Score has so many points.")
    absent: AbsentEntry | None = Field(default=None, description="A channel isn't measured while others are.")
    flatline: FlatlineEntry | None = Field(default=None, description="A channel is measured and doesn't move.")
    implausible: ImplausibleEntry | None = Field(
        default=None, description="A channel gives values beyond its plausible range, and no others or few."
    )

    @property
    def kind(self) -> str:
        """Which condition it is."""
        return next(name for name in self.KINDS if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        given = [name for name in self.KINDS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"{' and '.join(given) or 'no condition'} given (legal: exactly one of {', '.join(self.KINDS)})"
            )
        return self
