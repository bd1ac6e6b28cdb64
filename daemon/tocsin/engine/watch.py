"""Watches: a model, the streams it runs on, and the alarms on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.engine.conditions.adaptation import Adaptation
    from tocsin.engine.conditions.alarm import Alarm
    from tocsin.engine.frames.assembler import FrameClock
    from tocsin.engine.model import Model
    from tocsin.engine.streams.overrides import Override


@dataclass(frozen=True, slots=True)
class Watch:
    """Configuration of one watch.

    Attributes:
        model: Step function and its clock.
        alarms: A alarms, evaluated in every stream.
        clock: Rules by which frames close.
        max_streams: Limit on the number of streams; readings of more are rejected.
        name: Name of the watch in its events.
        evict_after_ns: Streams idle for this long are evicted; None: never.
        max_pause_ns: A longer time between two calls was a pause of the daemon or a change of the clock, and counts as
            no idle time. None: all time counts, as in a recording.
        explain_ticks: Number of past frames that are kept at least, so that an alarm's score can be computed again.
        overrides: Settings of some streams, by patterns of their names.
        adaptation: Settings by which thresholds of scores are adapted to each stream; None: they are not.
    """

    model: Model
    alarms: Sequence[Alarm]
    clock: FrameClock
    max_streams: int
    name: str = "watch"
    evict_after_ns: int | None = None
    max_pause_ns: int | None = None
    explain_ticks: int = 0
    overrides: tuple[Override, ...] = ()
    adaptation: Adaptation | None = None
