"""Results of one call of the engine: condition events, model steps, and rejected readings."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.events import ConditionEvent
    from tocsin.engine.streams.state import StreamState


class ReadingReject(StrEnum):
    """Reason why a reading, or a value of it, does not reach a frame."""

    LATE = "late"  # its tick has closed; a reading delivered twice ends here too
    IMPLAUSIBLE = "implausible"  # a value beyond its channel's range; counted by value, the others stay
    STANDBY = "standby"  # its stream is on standby
    CROWDED = "crowded"  # its frame is full of readings of which a mean is taken
    TOO_MANY_STREAMS = "too_many_streams"  # a new stream, and the table is full


@dataclass(frozen=True, slots=True)
class Steps:
    """Results of one call of the model, for frames of n streams.

    Attributes:
        rows: (n,) int64, rows of the streams.
        t: (n,) int64, the newest `t` in each frame, ns.
        tick: (n,) int64.
        x: (n, C) float32, in the channels' units, 0 where missing.
        mask: (n, C) float32, 1 where observed.
        implausible: (n, C) bool, whether an implausible value came; a plausible one may have come as well.
        score: (n,) float32; NaN is unknown: warming up, nothing observed, or nothing predicted yet.
        contribution: (n, C) float32.
        mean: (n, C) float32, the prediction of the step before for x; NaN where there was none.
        scale: (n, C) float32, scale of that prediction; NaN where there was none.
        low: seq2seq: (n, C, Q) float32, quantiles of each channel's minimum over the horizon; NaN while warming up.
        high: seq2seq: (n, C, Q) float32, quantiles of its maximum.
        reprocessed: (n,) bool, whether a late reading took the stream back to before this frame: its score is a
            correction.
    """

    rows: NDArray[np.int64]
    t: NDArray[np.int64]
    tick: NDArray[np.int64]
    x: NDArray[np.float32]
    mask: NDArray[np.float32]
    implausible: NDArray[np.bool_]
    score: NDArray[np.float32]
    contribution: NDArray[np.float32]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    low: NDArray[np.float32] | None
    high: NDArray[np.float32] | None
    reprocessed: NDArray[np.bool_]


@dataclass(slots=True)
class EngineResult:
    """Results of one call of the engine.

    Attributes:
        now: Time of the call.
        events: Condition events, in the order in which they happened.
        steps: One entry a call of the model, in order.
        accepted: Number of readings that entered a frame or were taken as static values.
        reprocessed: Number of them that were late and had their frames stepped again.
        evicted: State of streams that were evicted, for the store.
        rejected: (K,) int64 indices into the batch, by reason; under `IMPLAUSIBLE` an index stands once for each value.
    """

    now: int
    events: list[ConditionEvent] = field(default_factory=list)
    steps: list[Steps] = field(default_factory=list)
    accepted: int = 0
    reprocessed: int = 0
    evicted: list[StreamState] = field(default_factory=list)
    rejected: dict[ReadingReject, NDArray[np.int64]] = field(default_factory=dict)

    def reject(self, reason: ReadingReject, indices: NDArray[np.int64]) -> None:
        """Add rejected readings, (K,) indices into the batch."""
        if len(indices):
            before = self.rejected.get(reason)
            self.rejected[reason] = indices if before is None else np.concatenate([before, indices])

    def extend(self, later: EngineResult, offset: int) -> None:
        """Append the result of a later call on a further piece of the same batch.

        Args:
            later: Result of that call.
            offset: Index in the whole batch at which the piece begins.
        """
        self.now = later.now
        self.events += later.events
        self.steps += later.steps
        self.accepted += later.accepted
        self.reprocessed += later.reprocessed
        self.evicted += later.evicted
        for reason, indices in later.rejected.items():
            self.reject(reason, indices + offset)
