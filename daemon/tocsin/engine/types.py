"""Small types that columns of the stream table hold, shared by the whole engine."""

from __future__ import annotations

from enum import IntEnum

NEVER = -(2**62)
"""Time or tick before all others: the event has not happened."""

ALWAYS = 2**62
"""Time or tick after all others: the event will not happen by itself."""

PROFILE = ("news2_scale", "oxygen", "alert")
"""Profile entries besides the model's static channels.

`news2_scale`: SpO2 scale of NEWS2, 1 or 2; `oxygen`: 1 on oxygen, 0 on air; `alert`: 1 alert, 0 not.
"""


class Truth(IntEnum):
    """Value of a judgement (Kleene's three-valued logic)."""

    UNKNOWN = 0  # no data, warming up, or not measured in this frame
    FALSE = 1
    TRUE = 2


class ConditionState(IntEnum):
    """State of a stream's condition after the delays.

    `tocsin.engine.conditions.delays` lists the transitions.
    """

    INACTIVE = 0
    ACTIVE = 1
    UNCERTAIN = 2  # active when it was last known


# Numbers for comparisons in every alarm of every frame: looking up a member costs more than comparing a column.
TRUE = int(Truth.TRUE)
INACTIVE = int(ConditionState.INACTIVE)  # 0, so that `any` finds what is not inactive
