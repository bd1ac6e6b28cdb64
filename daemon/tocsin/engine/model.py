"""What the engine knows of a model: a step function and the clock it was trained for.

The unit delay of a recurrent network is a row of an array here: `state` goes in, `state` comes out, and nothing
else remembers. An LSTM, a GRU and a plain RNN look alike from this side.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ChannelKind(StrEnum):
    """Where a channel's values come from."""

    READING = "reading"  # measured again and again
    STATIC = "static"  # given once, such as an age; holds until given again
    CLOCK = "clock"  # hours since the stream began; the engine makes it


class Gaps(StrEnum):
    """How a model gets over ticks without a frame, as it was trained to."""

    DELTA = "delta"  # the next frame's `delta` says how long nothing came
    BLIND = "blind"  # it steps through them with nothing observed


class Task(StrEnum):
    """What a model computes at every step."""

    FORECAST = "forecast"  # the score is how surprising x is
    ALARM = "alarm"  # the score is the probability of an event within the horizon
    CLASSIFY = "classify"  # the score is the probability that the episode is of another class than the first
    SEQ2SEQ = "seq2seq"  # the score is how surprising x is; the next K frames are expected
    GENERATE = "generate"  # frames are drawn from what is expected next, to begin with from a profile

    @property
    def judges_by_probability(self) -> bool:
        """Whether the score is a probability, and not a surprise."""
        return self in {Task.ALARM, Task.CLASSIFY}


@dataclass(frozen=True, slots=True)
class Channel:
    """One variable of a stream.

    Attributes:
        name: As configuration and explanations call it.
        unit: UCUM, such as `mm[Hg]`, `/min`, `%`, `Cel`; `1` for none.
        low: The lowest plausible value; one below it is a fault of the sensor, not of the patient.
        high: The highest plausible value.
        kind: Where its values come from.
        expected: Whether a frame waits for it. Laboratory values and cuff pressures don't hold a frame open.
    """

    name: str
    unit: str
    low: float
    high: float
    kind: ChannelKind = ChannelKind.READING
    expected: bool = True


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step gives for N rows.

    Attributes:
        score: (N,) float32, higher is worse; NaN where there is none.
        contribution: (N, C) float32; where the score is a surprise it sums to `score`, where it is a probability it
            is the drop in the logit when that channel is masked now.
        mean: (N, C) float32, what the model expects next, in the channels' units; seq2seq: (N, K, C), of the next K
            frames.
        scale: float32, as `mean`: how far from it, in the channels' units.
        state: (N, S) float32.
        classes: classify: (N, K) float32, the probability of each class.
        low: seq2seq: (N, C, Q) float32, quantiles of each channel's minimum over the next K frames.
        high: seq2seq: (N, C, Q) float32, likewise of its maximum.
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
        """Mean and scale (N, C) of the next frame, however many are expected."""
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
        name: Of the bundle.
        version: Of the bundle.
        sha256: Of its graph, so that an alarm names exactly what rang it.
        task: What the score means.
        channels: C of them, in the order of the graph's columns.
        period_ns: The length of a tick.
        state_size: S.
        warm_up_ticks: How many frames after a reset the score is unknown.
        max_gap_ticks: A longer silence resets the state.
        delta_cap_s: `delta` is cut here, as in training.
        threshold: The score at which the bundle's makers would ring.
        step: The graph.
        gaps: How it gets over ticks without a frame.
        max_blind: So many ticks of a gap are stepped blind at most.
        quantiles: seq2seq: Q levels of `low` and `high`.
        horizon_ticks: seq2seq: K, over how many frames from now they are told.
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
