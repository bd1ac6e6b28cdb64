"""What an engine tells the alarms: how conditions turned, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Priority(StrEnum):
    """How fast somebody must come (IEC 60601-1-8)."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Category(StrEnum):
    """Whether the patient (or the machine watched) or the measurement is at fault."""

    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"


class Turn(StrEnum):
    """What happened to a condition, after its delays."""

    BEGAN = "began"
    CEASED = "ceased"
    LOST = "lost"  # it held, and is unknown now
    FOUND = "found"  # it was unknown, and is known again: it still holds
    ENDED = "ended"  # nobody watches it any more: the stream has ended, or the configuration is another one


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
class Change:
    """A turn of one stream's condition: what the alarms are told.

    Attributes:
        watch: Whose engine saw it.
        stream: Whose condition.
        labels: What is known of the stream, such as its ward; from the captures of its topic.
        alarm: The alarm's name in the configuration.
        turn: What happened.
        t: When, by the readings' own clock, nanoseconds since 1970.
        raised_at: `now` when it was processed.
        since: `t` at which the condition began to hold.
        priority: As configured.
        category: As configured.
        reason: One line for a person.
        score: The model's score in this frame; None is unknown.
        evidence: The channels, those that contribute most first.
        model: `name/version` and the first 12 digits of the graph's hash; None for an alarm without a model.
    """

    watch: str
    stream: str
    labels: Mapping[str, str]
    alarm: str
    turn: Turn
    t: int
    raised_at: int
    since: int
    priority: Priority
    category: Category
    reason: str
    score: float | None
    evidence: tuple[Evidence, ...]
    model: str | None
