"""The protocol of conditions, the three values of a judgement, and the contexts in which conditions judge and explain.

A condition is a statement about a stream, such as a value above a limit. An alarm is the demand for a response while it
holds. A judgement has three values: *unknown* (no data, warming up, not measured in this frame) is never taken for
normal and ends no alarm. Each condition has a module of its own beside this one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from tocsin.engine.conditions.wording import printed_unit
from tocsin.engine.types import NEVER, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tocsin.engine.conditions.adaptation import StreamBaseline
    from tocsin.engine.events import ConditionEventKind, Evidence
    from tocsin.engine.model import Model
    from tocsin.engine.result import Steps
    from tocsin.engine.streams.table import StreamTable


# By whether the value is known, and true. A table, as this runs for every alarm of every frame.
_TRUTH = np.array([[Truth.UNKNOWN, Truth.UNKNOWN], [Truth.FALSE, Truth.TRUE]], dtype=np.int8)


def truth_of(holds: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.int8]:
    """(n,) int8, a `Truth` each: whether conditions hold (n,), where that is known (n,).

    >>> truth_of(np.array([True, False, True]), np.array([True, True, False])).tolist()
    [2, 1, 0]
    """
    return _TRUTH[known.view(np.int8), holds.view(np.int8)]


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """Frames of n streams, and everything else that a condition judges by.

    Attributes:
        steps: The frames and the model's output.
        table: The streams, after the step.
        model: The model.
        limit: (n,) float64, each stream's own limit for the judged alarm; NaN where the configured one holds.
        baseline: Score quantiles of the streams; None where thresholds are not adapted.
    """

    steps: Steps
    table: StreamTable
    model: Model
    limit: NDArray[np.float64]
    baseline: StreamBaseline | None


@dataclass(frozen=True, slots=True)
class ReasonContext:
    """One stream at a condition event, and everything else that its reason names.

    Attributes:
        model: The model.
        row: Row of the stream.
        tick: Tick of the frame; of the stream's last frame where the event has none.
        state: (state_size,) float64, the condition's state.
        limit: The stream's own limit for the alarm; NaN where the configured one holds.
        baseline: Score quantiles of the stream; None where thresholds are not adapted.
        score: None is unknown.
        evidence: The channels; empty where the event has no frame.
        low: seq2seq: (C, Q) quantiles of each channel's minimum over the horizon; None where the event has no frame.
        high: seq2seq: (C, Q) quantiles of its maximum.
    """

    model: Model
    row: int
    tick: int
    state: NDArray[np.float64]
    limit: float
    baseline: StreamBaseline | None
    score: float | None
    evidence: tuple[Evidence, ...]
    low: NDArray[np.float32] | None
    high: NDArray[np.float32] | None

    def name(self, channel: int) -> str:
        """Name of a channel."""
        return self.model.channels[channel].name

    def unit(self, channel: int) -> str:
        """Unit of a channel as printed after a number."""
        return printed_unit(self.model.channels[channel].unit)

    def value(self, channel: int) -> float | None:
        """Observed value of a channel; None if it was not observed."""
        name = self.name(channel)
        return next((entry.value for entry in self.evidence if entry.channel == name), None)

    def limit_or(self, configured: float) -> float:
        """Limit or threshold that holds for the stream: its own, or else the configured one."""
        return configured if np.isnan(self.limit) else self.limit

    def member(self, state: slice) -> ReasonContext:
        """Context of a member of a combination, with its part of the state and without a limit of the stream."""
        return replace(self, state=self.state[state], limit=np.nan)


class Condition(Protocol):
    """One condition of an alarm, for all streams of a watch.

    An implementation inherits from this class and is a frozen dataclass. It keeps nothing of a stream in itself: what
    it carries from frame to frame is its state, `state_size` float64 per stream, NaN at first. Ticks in it are exact.
    Judging works on n streams at a time, without a loop over them.
    """

    __slots__ = ()

    kind: ClassVar[str]
    """Key of the condition in exported stream states. It never changes."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """Everything that decides a judgement, as plain data under keys that never change.

        A stream's state continues under another configuration if kind and parameters are equal.
        """
        ...

    @property
    def state_size(self) -> int:
        """Number of float64 that the condition keeps per stream."""
        return 0

    @property
    def channels(self) -> tuple[int, ...]:
        """Indices of the channels that the condition reads, each once."""
        return ()

    @property
    def technical(self) -> bool:
        """Whether the condition is a fault of the measurement and says nothing about the patient or machine."""
        return False

    @property
    def scored(self) -> bool:
        """Whether the condition rests on the model's score."""
        return False

    @property
    def modelled(self) -> bool:
        """Whether the condition rests on any output of the model, and so changes its meaning with the model."""
        return self.scored

    @property
    def threshold(self) -> float | None:
        """Score threshold, which is adapted to streams and may be overridden for a stream; None: there is none."""
        return None

    @property
    def limit_channel(self) -> int | None:
        """Channel on which the condition has a limit that may be set for a stream; None: there is none."""
        return None

    @property
    def implausible_channels(self) -> tuple[int, ...]:
        """Channels of which readings count even if every value in them is implausible."""
        return ()

    @property
    def silence_ns(self) -> int | None:
        """Idle time of a stream after which the condition is true; None: it is judged in frames."""
        return None

    def judge(
        self,
        context: EvaluationContext,
        previous: NDArray[np.int8],
        state: NDArray[np.float64],
    ) -> NDArray[np.int8]:
        """Judge the condition in n frames.

        A late reading has the stream's newest frame judged again, as `steps.reprocessed` shows. A condition that counts
        frames does not count that one twice.

        Args:
            context: The frames.
            previous: (n,) int8, the judgement before this frame.
            state: (n, state_size) float64, changed in place.

        Returns:
            (n,) int8, a `Truth` each. By default, frames leave the judgement as it is.
        """
        return previous

    def reason(self, kind: ConditionEventKind, context: ReasonContext) -> str:
        """One line for people on why the condition changed, in the frame of `context`."""
        ...

    def score_onset(self, state: NDArray[np.float64]) -> tuple[float | None, int]:
        """Score threshold, and the tick since which a stream's score has been at or above half of it.

        Args:
            state: (state_size,) float64 of the stream.

        Returns:
            The configured threshold, None where the condition has none; the tick, `NEVER` where the score is below.
        """
        del state
        return None, NEVER
