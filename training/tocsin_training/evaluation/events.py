"""Events, and the matching of alarms to events.

An **event** is a run of rows with label 1 in one stream, from its first to its last row. Rows with an unknown label
(NaN) are ignored: alarms that rise there count neither way.

An alarm **rises** in one row. Of the alarms that rise inside an event, the first **detects** it and the others are
**repeats**, which count for nothing. One that rises in a row with label 0 is **false**. An event in which none rises is
**missed**, also if an alarm that rose before is still active when it begins: that is noted as **standing**. (Were it a
detection, an alarm that never ends would detect everything and be false once.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Events:
    """E events.

    Attributes:
        stream: (E,) index of the stream.
        first: (E,) the first row.
        last: (E,) the last row.
    """

    stream: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of events."""
        return len(self.stream)


@dataclass(frozen=True, slots=True)
class MatchedAlarms:
    """Result of matching a detector's alarms to events.

    Attributes:
        detected: (E,) the row in which the alarm rose that detected each event; -1 where it was missed.
        standing: (E,) missed, while an earlier alarm was active in its first row.
        false: (F,) rows in which a false alarm rose.
        repeats: Number of alarms that rose in an event that was detected already.
    """

    detected: NDArray[np.int64]
    standing: NDArray[np.bool_]
    false: NDArray[np.int64]
    repeats: int


def of(label: NDArray[np.floating], start: NDArray[np.int64]) -> Events:
    """The events of labels (R,); stream b owns the rows `start[b]:start[b + 1]`.

    >>> found = of(np.array([0, 1, 1, 1, 1, 0, np.nan, 1.0]), np.array([0, 3, 8]))
    >>> found.stream.tolist(), found.first.tolist(), found.last.tolist()
    ([0, 1, 1], [1, 3, 7], [2, 4, 7])
    """
    inside = label > 0
    begins = np.zeros(len(label), dtype=bool)
    begins[start[:-1]] = True
    before = np.concatenate([[False], inside[:-1]]) & ~begins
    after = np.concatenate([inside[1:], [False]])
    after[start[1:] - 1] = False
    first, last = np.flatnonzero(inside & ~before), np.flatnonzero(inside & ~after)
    return Events(np.searchsorted(start, first, side="right") - 1, first, last)


def match(
    risen: NDArray[np.int64], is_up: NDArray[np.bool_], events: Events, label: NDArray[np.floating]
) -> MatchedAlarms:
    """Say what each alarm was, and what became of each event.

    Args:
        risen: (A,) rows in which alarms rose, ascending; a row stands twice if two alarms rose in it.
        is_up: (R,) whether any was up after the row.
        events: See `of`.
        label: (R,) that the events were made of.

    >>> label = np.array([0, 0, 1, 1, 1, 0, 0, 1, 1, 0.0])
    >>> is_up = np.array([0, 1, 0, 1, 0, 0, 1, 1, 0, 0]) > 0
    >>> found = match(np.array([1, 3, 6]), is_up, of(label, np.array([0, 10])), label)
    >>> found.detected.tolist(), found.false.tolist(), found.standing.tolist(), found.repeats
    ([3, -1], [1, 6], [False, True], 0)
    """
    at = np.searchsorted(risen, events.first)  # (E,) the first alarm that may belong to each event
    next_row = np.concatenate([risen, [len(label)]])[at]
    hit = next_row <= events.last
    detected = np.where(hit, next_row, -1)
    inside = label[risen] > 0
    return MatchedAlarms(
        detected=detected,
        standing=~hit & is_up[events.first],
        false=risen[label[risen] == 0],
        repeats=int(inside.sum() - hit.sum()),
    )
