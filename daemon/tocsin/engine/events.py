"""Condition events: the engine's output and the alarms' input, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Priority(StrEnum):
    """Urgency of the response to an alarm (IEC 60601-1-8)."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Category(StrEnum):
    """Cause of an alarm: the patient or machine, or the measurement."""

    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"


class ConditionEventKind(StrEnum):
    """Change of a condition, after its delays."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    UNCERTAIN = "uncertain"  # it was active, and is unknown now
    CERTAIN = "certain"  # it was uncertain, and is active again
    REMOVED = "removed"  # it is no longer evaluated: the stream has ended, or the configuration changed


@dataclass(frozen=True, slots=True)
class Evidence:
    """One channel's part in an alarm.

    Attributes:
        channel: Name of the channel.
        unit: UCUM unit.
        value: Observed value in this frame; None: not observed.
        mean: The model's prediction; None without a model or an earlier frame.
        scale: Scale of the prediction, in the channel's unit; None without a prediction.
        contribution: Share of the score; None where the alarm does not rest on a score.
    """

    channel: str
    unit: str
    value: float | None
    mean: float | None
    scale: float | None
    contribution: float | None


@dataclass(frozen=True, slots=True)
class Frames:
    """A stream's last T frames as the model got them, and its state before them: everything a score depends on.

    Columns are base64 text of little-endian numbers, frame by frame, so that JSON carries them to the bit.

    Attributes:
        channels: (C) names of the model's channels.
        period_ns: Length of a tick.
        tick: (T,) int64, counts of the period since 1970; the last one is the frame that is explained.
        x: (T, C) float32, 0 where missing.
        mask: (T, C) uint8, 1 where observed.
        delta: (T, C) float32, seconds.
        state: (S,) float32, before the first frame.
        mean: (C,) float32, prediction for the first frame; NaN where there was none.
        scale: (C,) float32, scale of that prediction; NaN where there was none.
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
    """Basis of a judgement by a model.

    Attributes:
        model: `name/version` of the bundle.
        sha256: Hash of its graph.
        threshold: Score threshold of the alarm; None where it rests on another output of the model.
        rising_since: `t` since which the score has been at or above half the threshold; None: it is below.
        warm_up_ticks: Number of frames without a score after a reset of the state.
        frames_seen: Number of frames since the state was reset.
        state_since: `t` of the reset: the stream began, was reset, or its gap was too long.
        gap_ended: `t` at which the last gap since then ended; None: there was none.
        gap_s: Length of that gap.
        reprocessed: `t` of the last frame that a late reading changed since then; None: none.
        frames: The last frames, in the event with which the condition becomes active; None in others, or if none are
            kept.
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
    reprocessed: int | None
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
