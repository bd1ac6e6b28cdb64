"""How many alarms people are told of in ten minutes, and when that is a flood (ISA-18.2, EEMUA 191)."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PERIOD_NS = 600 * 1_000_000_000
FLOOD_BEGINS_ABOVE, FLOOD_ENDS_BELOW = 10, 5


@dataclass(frozen=True, slots=True)
class FloodPeriod:
    """A time with more alarms than one operator can follow.

    Attributes:
        group: Whose.
        begin: With the alarm that was one too many, nanoseconds since 1970.
        end: When fewer than five were left in the last ten minutes.
        alarms: How many were told in it, those that made it a flood among them.
    """

    group: str
    begin: int
    end: int
    alarms: int


def periods_of(of_group: dict[str, list[int]], begin: int, end: int) -> dict[int, int]:
    """Count alarms in each whole ten minutes of each group: how many periods had how many."""
    whole = (end - begin) // PERIOD_NS
    periods: Counter[int] = Counter()
    for times in of_group.values():
        busy = Counter((at - begin) // PERIOD_NS for at in times)
        counts = [count for period, count in busy.items() if period < whole]
        periods.update(counts)
        periods[0] += whole - len(counts)
    return dict(sorted(periods.items()))


def floods_of(group: str, times: Sequence[int], end: int, operators: int) -> list[FloodPeriod]:
    """Find floods: begun by the eleventh alarm in ten minutes, over when fewer than five are left in ten minutes.

    Args:
        group: Whose.
        times: When alarms were told, ascending.
        end: Of the time that is judged.
        operators: How many share the load: the limits are each one's.
    """
    most, fewest = FLOOD_BEGINS_ABOVE * operators, FLOOD_ENDS_BELOW * operators
    floods: list[FloodPeriod] = []
    window: deque[int] = deque()
    begun: int | None = None
    first = 0
    for i, at in enumerate(times):
        while window and window[0] <= at - PERIOD_NS:
            gone = window.popleft() + PERIOD_NS
            if begun is not None and len(window) < fewest:
                floods.append(FloodPeriod(group, begun, gone, i - first))
                begun = None
        window.append(at)
        if begun is None and len(window) > most:
            begun, first = at, i + 1 - len(window)
    if begun is not None:
        # In a flood `fewest` or more are in the window; once that one has left it, fewer are.
        floods.append(FloodPeriod(group, begun, min(window[-fewest] + PERIOD_NS, end), len(times) - first))
    return floods
