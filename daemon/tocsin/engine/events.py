"""What comes out: events, as plain values. The shells perform them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Priority(StrEnum):
    """How fast somebody must come (IEC 60601-1-8)."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Category(StrEnum):
    """Whether the patient (or the machine watched) or the measurement is at fault."""

    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"


class Transition(StrEnum):
    """What happened to an alarm."""

    RAISE = "raise"
    CLEAR = "clear"
    UNCERTAIN = "uncertain"  # still up, but its condition has become unknown
    CERTAIN = "certain"  # its condition is known again, and holds


@dataclass(frozen=True, slots=True)
class Evidence:
    """One channel's part in an alarm.

    Attributes:
        channel: Its name.
        unit: Its unit.
        value: What was observed in this frame; None if nothing was.
        mean: What the model had expected; None where there is no model or no earlier prediction.
        scale: The expectation's scale, in the channel's unit; None likewise.
        contribution: Its share of the score; None where the alarm rests on no score.
    """

    channel: str
    unit: str
    value: float | None
    mean: float | None
    scale: float | None
    contribution: float | None


@dataclass(frozen=True, slots=True)
class Event:
    """A transition of one stream's alarm.

    Attributes:
        stream: Whose.
        alarm: The alarm's name in the configuration.
        transition: What happened.
        t: When, by the readings' own clock, nanoseconds since 1970.
        raised_at: `now` when it was processed.
        since: `t` at which this occurrence was raised.
        priority: As configured.
        category: As configured.
        reason: One line for a person.
        score: The model's score in this frame; None is unknown.
        evidence: The channels, those that contribute most first.
        model: `name/version` and the first 12 digits of the graph's hash; None for an alarm without a model.
    """

    stream: str
    alarm: str
    transition: Transition
    t: int
    raised_at: int
    since: int
    priority: Priority
    category: Category
    reason: str
    score: float | None
    evidence: tuple[Evidence, ...]
    model: str | None
