"""Conditions: what may be true of a stream. A condition is what is true; an alarm is what demands a response.

A judgement has three values. *Unknown* is one of them: no data, warming up, not measured now. It is never taken for
normal, and it never clears anything. How each condition is judged stands in `tocsin.engine.conditions.judgement`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from tocsin.engine.conditions import drift, trend
from tocsin.engine.conditions.news2_chart import PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterator


class Truth(IntEnum):
    """What is known of a condition."""

    UNKNOWN = 0
    FALSE = 1
    TRUE = 2


@dataclass(frozen=True, slots=True)
class Above:
    """A channel's value lies above a limit; judged in frames in which it was observed.

    Attributes:
        channel: Index of the channel.
        limit: In the channel's unit.
        deadband: Once above, it must fall below limit − deadband before it counts as ended.
    """

    channel: int
    limit: float
    deadband: float


@dataclass(frozen=True, slots=True)
class Below:
    """A channel's value lies below a limit; the mirror of `Above`."""

    channel: int
    limit: float
    deadband: float


@dataclass(frozen=True, slots=True)
class Trend:
    """A channel's value rises or falls fast; judged in frames in which it was observed.

    The rate is that of the line through the last `within_ns` (`tocsin.engine.conditions.trend`).

    Attributes:
        channel: Index of the channel.
        by: By how much, in the channel's unit; positive.
        within_ns: In how long.
        rising: Or else falling.
    """

    channel: int
    by: float
    within_ns: int
    rising: bool


@dataclass(frozen=True, slots=True)
class ScoreAbove:
    """The model's score has reached a threshold.

    Attributes:
        threshold: On the scale of the manifest's calibration.
    """

    threshold: float


@dataclass(frozen=True, slots=True)
class Drift:
    """The model's score creeps up against how it was when the stream began; see `tocsin.engine.conditions.drift`.

    Attributes:
        noise: Of a normal stream's score about its own middle: a standard deviation of its logarithm.
        slack: So many noises above the reference are no drift.
        limit: Of the sum, in noises times hours.
        settle_ns: So long the reference is learnt, in frames with a score.
    """

    noise: float
    slack: float
    limit: float
    settle_ns: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """The model expects a channel to cross a limit within its horizon; for a model of task `seq2seq`.

    Attributes:
        channel: Index of the channel.
        limit: In the channel's unit.
        rising: Whether it is crossed upwards, or else downwards.
        probability: The least chance of it that counts.
    """

    channel: int
    limit: float
    rising: bool
    probability: float


@dataclass(frozen=True, slots=True)
class EarlyWarning:
    """NEWS2 has reached so many points; see `tocsin.engine.conditions.news2_chart`.

    The last value of each parameter counts for `max_age_ns`. Parameters that are not known give no points, so the
    score is a lower bound: if that reaches, the condition is true. It is false if those whose channel has no
    recent value could not change that, and unknown otherwise. What no channel can give never makes it unknown.

    Attributes:
        at_least: Points in total.
        single: Whether 3 points in one parameter count too.
        channels: By parameter, in the order of `PARAMETERS`, the index of the channel; None if there is none.
        constants: Likewise, a value that holds where there is no channel and a stream's own profile doesn't say; None
            if unknown.
        scale: Of SpO2, 1 or 2, where neither a channel nor a stream's own profile says.
        scale_channel: A channel that is 2 for those on scale 2; None if there is none.
        max_age_ns: An older value is unknown.
    """

    at_least: int
    single: bool
    channels: tuple[int | None, ...]
    constants: tuple[float | None, ...]
    scale: int
    scale_channel: int | None
    max_age_ns: int


@dataclass(frozen=True, slots=True)
class Absent:
    """A channel has not been observed for some time, though frames come.

    Attributes:
        channel: Index of the channel.
        for_ns: How long; a channel never observed counts from the stream's first frame.
    """

    channel: int
    for_ns: int


@dataclass(frozen=True, slots=True)
class Flatline:
    """A channel is observed again and again, and doesn't move; judged in frames in which it was observed.

    Attributes:
        channel: Index of the channel.
        band: Its values differ by no more, in the channel's unit.
        for_ns: For how long, over at least `LEAST_VALUES` values.
    """

    channel: int
    band: float
    for_ns: int

    LEAST_VALUES = 5


@dataclass(frozen=True, slots=True)
class Implausible:
    """A channel gives values beyond its plausible range; judged in frames that carry the channel.

    Attributes:
        channel: Index of the channel.
        for_ns: For how long.
        share: 1: it gives no other values. Less: in at least this share of the frames of the last `for_ns` that carry
            the channel, such a value came.
    """

    channel: int
    for_ns: int
    share: float = 1.0

    @property
    def is_of_every_value(self) -> bool:
        """Whether one plausible value is enough to end it."""
        return self.share >= 1


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing has been heard of a stream for some time; judged when `now` advances.

    Attributes:
        for_ns: How long, in `now`'s time.
    """

    for_ns: int


Single = Above | Below | Trend | ScoreAbove | Drift | Forecast | EarlyWarning | Absent | Flatline | Implausible


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of these hold: false if one is false, true if all are, else unknown (Kleene's logic)."""

    members: tuple[Single, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of these holds: true if one is true, false if all are false, else unknown (Kleene's logic)."""

    members: tuple[Single, ...]


FrameCondition = Single | AllOf | AnyOf
Condition = FrameCondition | Silent


def singles(condition: Condition) -> Iterator[Single | Silent]:
    """Take a condition apart."""
    if isinstance(condition, AllOf | AnyOf):
        yield from condition.members
    else:
        yield condition


def is_technical(condition: Condition) -> bool:
    """Whether the measurement is at fault, and nothing is said of who is measured."""
    return all(isinstance(single, Absent | Flatline | Implausible | Silent) for single in singles(condition))


def is_scored(condition: Condition) -> bool:
    """Whether it rests on the model's score."""
    return any(isinstance(single, ScoreAbove | Drift) for single in singles(condition))


def is_modelled(condition: Condition) -> bool:
    """Whether it rests on anything that the model says."""
    return any(isinstance(single, ScoreAbove | Drift | Forecast) for single in singles(condition))


def channels_of(condition: Condition) -> tuple[int, ...]:
    """Indices of the channels it looks at, each once; none where it looks at the score or at the stream as a whole."""
    found: list[int | None] = []
    for single in singles(condition):
        if isinstance(single, EarlyWarning):
            found += [*single.channels, single.scale_channel]
        else:
            found.append(getattr(single, "channel", None))
    return tuple(dict.fromkeys(channel for channel in found if channel is not None))


def cells(condition: Condition) -> int:
    """How many float64 a condition notes for each stream, from frame to frame."""
    match condition:
        case AllOf(members) | AnyOf(members):
            return sum(1 + cells(member) for member in members)  # the member's last judgement first
        case Trend():
            return trend.CELLS
        case Drift():
            return drift.CELLS
        case EarlyWarning():
            return 2 * (len(PARAMETERS) + 1)  # value and tick of each parameter, and of the scale
        case Flatline():
            return 4
        case Implausible():
            return 1 if condition.is_of_every_value else trend.CELLS
        case ScoreAbove():
            return 1
        case _:
            return 0
