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
        changes: In the order in which they happened.
        steps: One entry a call of the model, in order.
        accepted: How many readings were placed in a frame or taken as static values.
        rewound: How many of them came late and took their streams back.
        evicted: What was remembered of streams that were given up because nothing was heard of them, for the store.
        refused: (K,) indices into the batch, by why; under `IMPLAUSIBLE` an index stands once for each value.
    """

    now: int
    changes: list[ConditionEvent] = field(default_factory=list)
    steps: list[Steps] = field(default_factory=list)
    accepted: int = 0
    rewound: int = 0
    evicted: list[StreamState] = field(default_factory=list)
    refused: dict[ReadingReject, NDArray[np.int64]] = field(default_factory=dict)

    def refuse(self, why: ReadingReject, indices: NDArray[np.int64]) -> None:
        """Note refusals."""
        if len(indices):
            self.refused[why] = np.concatenate([self.refused[why], indices]) if why in self.refused else indices

    def extend(self, later: EngineResult, offset: int) -> None:
        """Append the result of a later call on a further piece of the same batch.

        Args:
            later: What it gave.
            offset: At which index of the whole batch the piece begins.
        """
        self.now = later.now
        self.changes += later.changes
        self.steps += later.steps
        self.accepted += later.accepted
        self.rewound += later.rewound
        self.evicted += later.evicted
        for why, indices in later.refused.items():
            self.refuse(why, indices + offset)
