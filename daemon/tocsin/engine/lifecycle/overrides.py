"""What the configuration says of some streams apart from the others, by their names.

Of each alarm, and of each part of a profile, the first override decides that matches the stream's name and says
something of it. What was set in the stream itself goes before. A name is looked up when a stream comes to have it: as
it joins, by a transfer, under another configuration. So none of this is remembered of a stream: it is of the place.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.streams.patterns import named_like
from tocsin.engine.streams.table import PROFILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tocsin.engine.conditions.alarm import Alarm
    from tocsin.engine.model import Model

_PLACES = 256


@dataclass(frozen=True, slots=True)
class Override:
    """One entry.

    Attributes:
        streams: Patterns of names; `*` stands for any text, also one with `/` in it.
        limits: By alarm, in the channel's unit; of a score, its threshold.
        profile: By static channel, or by an entry of `PROFILE`.
        off: Alarms that are not judged.
        adapts: Whether thresholds of scores are adapted to these streams, where they are to others.
    """

    streams: tuple[str, ...]
    limits: Mapping[str, float]
    profile: Mapping[str, float]
    off: tuple[str, ...] = ()
    adapts: bool = True


@dataclass(frozen=True, slots=True)
class ResolvedOverrides:
    """What all overrides together say of one stream.

    Attributes:
        limit: (A,) float64; NaN: as it is for all.
        off: (A,) bool.
        static: (C,) float64, of the model's static channels; NaN where nothing is said.
        profile: (P,) float64, likewise of `PROFILE`.
        pinned: Whether thresholds of scores are not adapted.
    """

    limit: NDArray[np.float64]
    off: NDArray[np.bool_]
    static: NDArray[np.float64]
    profile: NDArray[np.float64]
    pinned: bool


class Overrides:
    """The overrides of one watch; at least one."""

    def __init__(self, entries: Sequence[Override], model: Model, alarms: Sequence[Alarm]) -> None:
        """Take them as they were checked: they name nothing that isn't there.

        Args:
            entries: In the order in which they are asked.
            model: Whose static channels a profile may name.
            alarms: A of them.
        """
        self._entries = entries
        self._patterns = [named_like(entry.streams) for entry in entries]
        self._alarms = [alarm.name for alarm in alarms]
        self._channels = [channel.name for channel in model.channels]
        self._places = lru_cache(_PLACES)(self._together)  # a ward of a thousand beds has a few

    def of(self, stream: str) -> ResolvedOverrides:
        """Say what holds for a stream of this name."""
        return self._places(tuple(i for i, pattern in enumerate(self._patterns) if pattern.match(stream)))

    def _together(self, matching: tuple[int, ...]) -> ResolvedOverrides:
        """What these entries say, the first that says something of an alarm or of a part of a profile."""
        limits: dict[str, float] = {}
        profile: dict[str, float] = {}
        off: set[str] = set()
        for entry in (self._entries[i] for i in matching):
            decided = limits.keys() | off
            limits |= {name: limit for name, limit in entry.limits.items() if name not in decided}
            off.update(name for name in entry.off if name not in decided)
            profile = {**entry.profile, **profile}
        return ResolvedOverrides(
            limit=_column(self._alarms, limits),
            off=np.array([name in off for name in self._alarms], dtype=np.bool_),
            static=_column(self._channels, profile),
            profile=_column(PROFILE, profile),
            pinned=not all(self._entries[i].adapts for i in matching),
        )

    def has_off(self, stream: str, alarm: str) -> bool:
        """Whether an alarm is not judged in a stream of this name."""
        return bool(self.of(stream).off[self._alarms.index(alarm)])


def _column(names: Sequence[str], given: Mapping[str, float]) -> NDArray[np.float64]:
    return np.array([given.get(name, np.nan) for name in names], dtype=np.float64)
