"""An alarm as the engine evaluates it: a condition, its delays, its priority and category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.engine.conditions.base import Condition
    from tocsin.engine.events import Category, Priority


@dataclass(frozen=True, slots=True)
class Alarm:
    """One configured alarm, evaluated in every stream of the watch.

    Attributes:
        name: Unique in the watch.
        condition: Condition that raises it.
        priority: Urgency of the response.
        category: Physiological or technical.
        on_delay_ns: Event time for which the condition must be true before it is active.
        off_delay_ns: Event time for which it must be false before it is inactive.
    """

    name: str
    condition: Condition
    priority: Priority
    category: Category
    on_delay_ns: int
    off_delay_ns: int


def state_slices(alarms: Sequence[Alarm]) -> list[slice]:
    """Columns of the table's `condition_state` that belong to each alarm's condition, side by side."""
    sizes = [alarm.condition.state_size for alarm in alarms]
    ends = np.cumsum(sizes, dtype=np.int64).tolist()
    return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
