"""What an engine tells the alarms: how conditions turned, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, replace
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


class ConditionEventKind(StrEnum):
    """What happened to a condition, after its delays."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    UNCERTAIN = "uncertain"  # it held, and is unknown now
    CERTAIN = "certain"  # it was unknown, and is known again: it still holds
    REMOVED = "removed"  # nobody watches it any more: the stream has ended, or the configuration is another one


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
class Frames:
    """A stream's last frames as the model was given them, and what it remembered before them: a score's whole cause.

    Columns are base64 text of little-endian numbers, one frame behind the other, so that JSON carries them to the bit.
    T is the number of frames, C that of the model's channels, S that of its state.

    Attributes:
        channels: Their names.
        period_ns: Of a tick.
        tick: (T,) int64, counts of the period since 1970; the last one is the frame that is explained.
        x: (T, C) float32, 0 where missing.
        mask: (T, C) uint8, 1 where observed.
        delta: (T, C) float32, seconds.
        state: (S,) float32, before the first frame.
        mean: (C,) float32, what was expected of the first frame; NaN where nothing was.
        scale: (C,) float32, likewise.
    """

    channels: tuple[str, ...]
    period_ns: int
    tick: str
    x: str
    mask: str
    delta: str
    state: str
    mean: str
    scale: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a judgement by a model rests on.

    Attributes:
        model: `name/version` of the bundle.
        sha256: Of its graph.
        threshold: At which the score rings; None where the alarm rests on something else that the model says.
        rising_since: `t` since when the score has been at or above half the threshold; None if it isn't.
        warm_up_ticks: So many frames are needed before there is a score.
        frames_seen: So many there have been since the state was empty.
        state_since: `t` at which the state was empty: the stream began, was reset, or its gap was too long.
        gap_ended: `t` at which the last gap since then ended; None if there was none.
        gap_s: How long that was.
        rewound: `t` of the last frame that a late reading changed since then; None if none did.
        frames: The last ones. Told once, as the condition begins; None otherwise, and where none are kept.
    """

    model: str
    sha256: str
    threshold: float | None
    rising_since: int | None
    warm_up_ticks: int
    frames_seen: int
    state_since: int | None
    gap_ended: int | None
    gap_s: float | None
    rewound: int | None
    frames: Frames | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The reason for a condition event, and the model's part in it.

    Attributes:
        reason: One line for a person.
        score: The model's score in this frame; None is unknown.
        evidence: The channels, those that contribute most first.
        model: `name/version` and the first 12 digits of the graph's hash; None for an alarm without a model.
        explanation: The basis of the model's judgement; None for an alarm without a model.
    """

    reason: str
    score: float | None = None
    evidence: tuple[Evidence, ...] = ()
    model: str | None = None
    explanation: Explanation | None = None

    def without_frames(self) -> Report:
        """The same report without the explanation's frames, which only the first event of an occurrence carries."""
        if self.explanation is None or self.explanation.frames is None:
            return self
        return replace(self, explanation=replace(self.explanation, frames=None))


@dataclass(frozen=True, slots=True)
class ConditionEvent:
    """A change of one stream's condition, after its delays: the alarms' input.

    Attributes:
        watch: The watch that evaluates the condition.
        stream: The stream's name.
        labels: The stream's labels, such as its ward; from the captures of its topic.
        alarm: The alarm's name in the configuration.
        kind: The change.
        t: Event time by the readings' own clock, nanoseconds since 1970.
        raised_at: `now` when it was processed.
        since: `t` at which the condition began to hold.
        priority: As configured.
        category: As configured.
        report: The reason for it.
    """

    watch: str
    stream: str
    labels: Mapping[str, str]
    alarm: str
    kind: ConditionEventKind
    t: int
    raised_at: int
    since: int
    priority: Priority
    category: Category
    report: Report
