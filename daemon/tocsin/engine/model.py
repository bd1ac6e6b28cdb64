"""Models as the engine sees them: a step function, its channels, and the period it was trained for.

The recurrent state of a stream is a row of an array: `state` goes in, `state` comes out, and the model keeps nothing in
itself. An LSTM, a GRU and a plain RNN have the same interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ChannelKind(StrEnum):
    """Source of a channel's values."""

    READING = "reading"  # measured again and again
    STATIC = "static"  # given once, such as an age; holds until given again
    CLOCK = "clock"  # hours since the stream began; the engine makes it


class Gaps(StrEnum):
    """Treatment of ticks without a frame, as in training."""

    DELTA = "delta"  # the next frame's `delta` has the time since the last observation
    BLIND = "blind"  # the model steps through them with nothing observed


class Task(StrEnum):
    """Output of a model at every step."""

    FORECAST = "forecast"  # the score is how surprising x is
    ALARM = "alarm"  # the score is the probability of an event within the horizon
    CLASSIFY = "classify"  # the score is the probability that the episode is of another class than the first
    SEQ2SEQ = "seq2seq"  # the score is how surprising x is; the next K frames are predicted
    GENERATE = "generate"  # frames are drawn from the prediction, the first one from a profile

    @property
    def judges_by_probability(self) -> bool:
        """Whether the score is a probability, not a surprise."""
        return self in {Task.ALARM, Task.CLASSIFY}


@dataclass(frozen=True, slots=True)
class Channel:
    """One variable of a stream.

    Attributes:
        name: Name in configuration and explanations.
        unit: UCUM, such as `mm[Hg]`, `/min`, `%`, `Cel`; `1` for none.
        low: The lowest plausible value; one below it is a fault of the sensor, not of the patient.
        high: The highest plausible value.
        kind: Source of its values.
        expected: Whether a frame waits for it; not for laboratory values and cuff pressures.
    """

    name: str
    unit: str
    low: float
    high: float
    kind: ChannelKind = ChannelKind.READING
    expected: bool = True


@dataclass(frozen=True, slots=True)
class StepResult:
    """Results of one step for N rows.

    Attributes:
        score: (N,) float32, higher is worse; NaN: unknown.
        contribution: (N, C) float32; where the score is a surprise it sums to `score`, where it is a probability it
            is the drop in the logit when that channel is masked now.
        mean: (N, C) float32, prediction for the next frame, in the channels' units; seq2seq: (N, K, C), for the next K
            frames.
        scale: float32, in the shape of `mean`, scale of the prediction, in the channels' units.
        state: (N, S) float32.
        classes: classify: (N, K) float32, the probability of each class.
        low: seq2seq: (N, C, Q) float32, quantiles of each channel's minimum over the next K frames.
        high: seq2seq: (N, C, Q) float32, quantiles of its maximum.
    """

    score: NDArray[np.float32]
    contribution: NDArray[np.float32]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    state: NDArray[np.float32]
    classes: NDArray[np.float32] | None = None
    low: NDArray[np.float32] | None = None
    high: NDArray[np.float32] | None = None

    @property
    def following(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and scale (N, C) for the next frame, however many frames are predicted."""
        return (self.mean, self.scale) if self.mean.ndim == 2 else (self.mean[:, 0], self.scale[:, 0])  # noqa: PLR2004  (N and C)


class StepFunction(Protocol):
    """One recurrence of N independent rows."""

    def __call__(
        self,
        x: NDArray[np.float32],  # (N, C) in the channels' units, 0 where missing
        mask: NDArray[np.float32],  # (N, C) 1 where observed
        delta: NDArray[np.float32],  # (N, C) seconds since the channel was last observed before this frame
        state: NDArray[np.float32],  # (N, S)
    ) -> StepResult:
        """Step N rows; row i of the result depends on row i of the arguments alone, to the bit."""
        ...


@dataclass(frozen=True, slots=True)
class Model:
    """A bundle as the engine sees it.

    Attributes:
        name: Name of the bundle.
        version: Version of the bundle.
        sha256: Hash of the graph, so that an alarm names the exact model.
        task: Meaning of the score.
        channels: C channels, in the order of the graph's columns.
        period_ns: Length of a tick.
        state_size: S.
        warm_up_ticks: Number of frames without a score after a reset of the state.
        max_gap_ticks: A longer gap resets the state.
        delta_cap_s: Upper limit of `delta`, as in training.
        threshold: Score threshold that the bundle recommends.
        step: The graph.
        gaps: Treatment of ticks without a frame.
        max_blind: Greatest number of ticks of a gap that are stepped blind.
        quantiles: seq2seq: Q levels of `low` and `high`.
        horizon_ticks: seq2seq: K, number of predicted frames.
    """

    name: str
    version: str
    sha256: str
    task: Task
    channels: tuple[Channel, ...]
    period_ns: int
    state_size: int
    warm_up_ticks: int
    max_gap_ticks: int
    delta_cap_s: float
    threshold: float
    step: StepFunction
    gaps: Gaps = Gaps.DELTA
    max_blind: int = 30
    quantiles: tuple[float, ...] = ()
    horizon_ticks: int = 0
