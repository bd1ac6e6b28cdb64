"""What one call of the engine gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.events import ConditionEvent
    from tocsin.engine.frames.stepper import Steps
    from tocsin.engine.lifecycle.transfer import StreamState


class ReadingReject(StrEnum):
    """Why a reading, or a value of it, went no further."""

    LATE = "late"  # its tick has closed; a reading delivered twice ends here too
    IMPLAUSIBLE = "implausible"  # a value beyond its channel's range; counted by value, the others stay
    STANDBY = "standby"  # its stream is not judged now
    CROWDED = "crowded"  # its frame holds as many readings as a mean is taken of
    TOO_MANY_STREAMS = "too_many_streams"  # a new stream, and the table is full


@dataclass(slots=True)
class EngineResult:
    """The result of `Engine.apply`.

    Attributes:
        now: Of the call.
        events: In the order in which they happened.
        steps: One entry a call of the model, in order.
        accepted: How many readings were placed in a frame or taken as static values.
        reprocessed: How many of them came late and took their streams back.
        evicted: What was remembered of streams that were given up because nothing was heard of them, for the store.
        rejected: (K,) indices into the batch, by why; under `IMPLAUSIBLE` an index stands once for each value.
    """

    now: int
    events: list[ConditionEvent] = field(default_factory=list)
    steps: list[Steps] = field(default_factory=list)
    accepted: int = 0
    reprocessed: int = 0
    evicted: list[StreamState] = field(default_factory=list)
    rejected: dict[ReadingReject, NDArray[np.int64]] = field(default_factory=dict)

    def reject(self, why: ReadingReject, indices: NDArray[np.int64]) -> None:
        """Add rejected readings."""
        if len(indices):
            self.rejected[why] = np.concatenate([self.rejected[why], indices]) if why in self.rejected else indices

    def extend(self, later: EngineResult, offset: int) -> None:
        """Append the result of a later call on a further piece of the same batch.

        Args:
            later: What it gave.
            offset: At which index of the whole batch the piece begins.
        """
        self.now = later.now
        self.events += later.events
        self.steps += later.steps
        self.accepted += later.accepted
        self.reprocessed += later.reprocessed
        self.evicted += later.evicted
        for why, indices in later.rejected.items():
            self.reject(why, indices + offset)
