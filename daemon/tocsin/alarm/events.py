"""What comes out: events, as plain values. The shells perform them."""

from __future__ import annotations

# At run time, too: an event that was written down is read again by its annotations.
from collections.abc import Mapping  # noqa: TC003
from dataclasses import dataclass
from enum import StrEnum

from tocsin.alarm.status import Status  # noqa: TC001
from tocsin.engine.changes import Category, Evidence  # noqa: TC001


class Transition(StrEnum):
    """What happened to an alarm."""

    RAISE = "raise"  # an occurrence begins
    CLEAR = "clear"  # its condition has ceased; whether that ends the occurrence is told by the state
    END = "end"  # the stream or the alarm is gone; so is the occurrence
    UNCERTAIN = "uncertain"  # still up, but its condition has become unknown
    CERTAIN = "certain"  # its condition is known again, and holds


@dataclass(frozen=True, slots=True)
class Event:
    """A transition of one stream's alarm.

    Attributes:
        id: Counts up from 1 over the daemon's whole life, restarts included; tells doubles by.
        stream: Whose.
        labels: What is known of the stream, such as its ward.
        alarm: The alarm's name in the configuration.
        watch: The watch it is configured in.
        category: As configured.
        transition: What happened.
        status: What the alarm is in now.
        occurrence: The id of the event that raised the occurrence concerned, also when that has just ended.
        since: `t` of that event.
        t: When, by the readings' own clock, nanoseconds since 1970; of commands and expiries: `raised_at`.
        raised_at: `now` when it was processed.
        reason: One line for a person.
        score: The model's score in this frame; None is unknown.
        evidence: The channels, those that contribute most first.
        model: `name/version` and the first 12 digits of the graph's hash; None for an alarm without a model.
        actor: Who did it; None if nobody did.
        comment: Why, in their words.
        transaction: Of the command; None if there was none.
    """

    id: int
    stream: str
    labels: Mapping[str, str]
    alarm: str
    watch: str
    category: Category
    transition: Transition
    status: Status
    occurrence: int | None
    since: int | None
    t: int
    raised_at: int
    reason: str
    score: float | None = None
    evidence: tuple[Evidence, ...] = ()
    model: str | None = None
    actor: str | None = None
    comment: str | None = None
    transaction: str | None = None
