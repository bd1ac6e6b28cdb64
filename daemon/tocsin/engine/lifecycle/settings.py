"""Settings of streams that commands change: limits of alarms, and profiles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.lifecycle.commands import StreamRefused
from tocsin.engine.model import ChannelKind
from tocsin.engine.streams.profile import limit_fault, profile_fault, profile_names
from tocsin.engine.types import NEVER, PROFILE, ConditionState, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tocsin.engine.streams.table import StreamTable
    from tocsin.engine.watch_state import WatchState


def check_limit(state: WatchState, row: int, name: str, limit: float | None) -> int:
    """Check whether an alarm can have a limit in a stream.

    Args:
        state: State of the watch.
        row: Row of the stream.
        name: Name of the alarm.
        limit: In the channel's unit; None: as configured.

    Returns:
        Column of the alarm.

    Raises:
        StreamRefused: It can't.
    """
    stream, alarms = state.table.names[row], state.watch.alarms
    index = next((i for i, alarm in enumerate(alarms) if alarm.name == name), None)
    if index is None:
        legal = ", ".join(alarm.name for alarm in alarms)
        raise StreamRefused(stream, f"has no alarm {name!r} (legal: {legal})", "unknown-alarm")
    channel = alarms[index].condition.limit_channel
    if channel is None:
        legal = ", ".join(alarm.name for alarm in alarms if alarm.condition.limit_channel is not None) or "none here"
        raise StreamRefused(stream, f"alarm {name!r} has no limit (legal: {legal})", "illegal")
    if limit is None:
        return index
    if state.table.is_off(row, index):
        what = f"alarm {name!r} is off here (legal: as configured; an override of the configuration turns it off)"
        raise StreamRefused(stream, what, "illegal")
    fault = limit_fault(state.watch.model.channels[channel], limit)
    if fault is not None:
        raise StreamRefused(stream, f"alarm {name!r}: {fault}", "illegal")
    return index


def set_limit(state: WatchState, row: int, name: str, limit: float | None) -> None:
    """Set an alarm's limit in a stream; None: as configured."""
    table, index = state.table, check_limit(state, row, name, limit)
    table.stream_limit[row, index] = math.nan if limit is None else limit
    restart_delays(table, row, np.array([index]))


def restart_delays(table: StreamTable, row: int, alarms: NDArray[np.int64]) -> None:
    """Restart the delays of alarms (n,) in a stream because their limits changed; active ones are left alone.

    A condition that held for a minute below 90 has not held for a minute below 85.
    """
    anew = alarms[table.delay_state[row, alarms] == ConditionState.INACTIVE]
    table.truth[row, anew] = Truth.UNKNOWN
    table.truth_since[row, anew] = NEVER


def check_profile(state: WatchState, stream: str, values: Mapping[str, float | None]) -> None:
    """Check the entries of a profile.

    Raises:
        StreamRefused: A name is unknown, or a value illegal.
    """
    model = state.watch.model
    names = profile_names(model)
    for name, value in values.items():
        if name not in names:
            what = f"{name!r} is no part of a profile (legal: {', '.join(names)})"
            raise StreamRefused(stream, what, "unknown-channel")
        fault = None if value is None else profile_fault(model, name, value)
        if fault is not None:
            raise StreamRefused(stream, fault, "illegal")


def set_profile(state: WatchState, row: int, values: Mapping[str, float | None]) -> None:
    """Set entries of a stream's profile; None: unknown."""
    for c, channel in enumerate(state.watch.model.channels):
        if channel.kind is ChannelKind.STATIC and channel.name in values:
            state.table.static[row, c] = _or_nan(values[channel.name])
    for p, name in enumerate(PROFILE):
        if name in values:
            state.table.profile[row, p] = _or_nan(values[name])


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
