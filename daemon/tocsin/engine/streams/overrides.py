"""Overrides: settings that the configuration gives some streams, selected by patterns of their names.

For each alarm and each profile entry, the first override decides that matches the stream's name and has an entry for
it. Settings of the stream itself rank above. Overrides are resolved whenever a stream gets a name: when it is added,
transferred, or comes under another configuration. They belong to the name and are never exported with a stream.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.types import PROFILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from tocsin.engine.model import Model

_CACHED = 256  # combinations of overrides: a ward of a thousand beds has a few


def named_like(patterns: Iterable[str]) -> re.Pattern[str]:
    """Expression that matches whole names by any of the patterns; `*` stands for any text, also with `/` in it.

    >>> icu = named_like(["icu/*"])
    >>> [name for name in ("icu/1", "icu/a/1", "ICU/1", "north/icu/1") if icu.match(name)]
    ['icu/1', 'icu/a/1']
    """
    return re.compile("|".join(translate(pattern) for pattern in patterns))


@dataclass(frozen=True, slots=True)
class Override:
    """One override of the configuration.

    Attributes:
        streams: Patterns of names; `*` stands for any text, also with `/` in it.
        limits: Limits by alarm, in the channel's unit; for a score, its threshold.
        profile: Values by static channel, or by an entry of `PROFILE`.
        off: Alarms that are turned off.
        adapts: Whether thresholds of scores are adapted to these streams, where the watch adapts any.
    """

    streams: tuple[str, ...]
    limits: Mapping[str, float]
    profile: Mapping[str, float]
    off: tuple[str, ...] = ()
    adapts: bool = True


@dataclass(frozen=True, slots=True)
class ResolvedOverrides:
    """Settings that all overrides together give one stream.

    Attributes:
        limit: (A,) float64; NaN: as for all streams.
        off: (A,) bool, alarms that are turned off.
        static: (C,) float64, values of the model's static channels; NaN where there is none.
        profile: (P,) float64, entries of `PROFILE`; NaN where there is none.
        pinned: Whether thresholds of scores are not adapted.
    """

    limit: NDArray[np.float64]
    off: NDArray[np.bool_]
    static: NDArray[np.float64]
    profile: NDArray[np.float64]
    pinned: bool


class Overrides:
    """All overrides of one watch.

    Args:
        entries: At least one, in order of precedence; every name in them exists.
        model: Model whose static channels a profile may name.
        alarms: (A) names of the alarms.
    """

    def __init__(self, entries: Sequence[Override], model: Model, alarms: Sequence[str]) -> None:
        self._entries = entries
        self._patterns = [named_like(entry.streams) for entry in entries]
        self._alarms = alarms
        self._channels = [channel.name for channel in model.channels]
        self._resolved = lru_cache(_CACHED)(self._resolve)

    def of(self, stream: str) -> ResolvedOverrides:
        """Resolve the overrides for a stream's name."""
        return self._resolved(tuple(i for i, pattern in enumerate(self._patterns) if pattern.match(stream)))

    def has_off(self, stream: str, alarm: str) -> bool:
        """Whether an alarm is turned off in a stream of this name."""
        return bool(self.of(stream).off[self._alarms.index(alarm)])

    def _resolve(self, matching: tuple[int, ...]) -> ResolvedOverrides:
        limits: dict[str, float] = {}
        profile: dict[str, float] = {}
        off: set[str] = set()
        for entry in (self._entries[i] for i in matching):
            decided = limits.keys() | off
            limits |= {name: limit for name, limit in entry.limits.items() if name not in decided}
            off.update(name for name in entry.off if name not in decided)
            profile = {**entry.profile, **profile}
        return ResolvedOverrides(
            limit=_values(self._alarms, limits),
            off=np.array([name in off for name in self._alarms], dtype=np.bool_),
            static=_values(self._channels, profile),
            profile=_values(PROFILE, profile),
            pinned=not all(self._entries[i].adapts for i in matching),
        )


def _values(names: Sequence[str], given: Mapping[str, float]) -> NDArray[np.float64]:
    return np.array([given.get(name, np.nan) for name in names], dtype=np.float64)
