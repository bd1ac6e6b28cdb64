"""How an alarm is to be handled, as configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.engine.changes import Category, Priority


@dataclass(frozen=True, slots=True)
class Plan:
    """One alarm of one watch; every stream of the watch has one.

    Attributes:
        watch: Name of the watch.
        alarm: Name of the alarm, unique among the watches that share a stream.
        priority: To begin with.
        category: Whether it is the patient's (or the machine's), or the measurement's.
        channels: The channels that its condition looks at; none where it looks at the whole stream.
    """

    watch: str
    alarm: str
    priority: Priority
    category: Category
    channels: tuple[str, ...] = ()
