"""Settings of one stream: its limits, its profile, and the checks of both, wherever they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.engine.model import ChannelKind
from tocsin.engine.types import PROFILE

if TYPE_CHECKING:
    from tocsin.engine.model import Channel, Model

_PROFILE_VALUES = {"news2_scale": (1, 2), "oxygen": (0, 1), "alert": (0, 1)}


def limit_fault(channel: Channel, limit: float) -> str | None:
    """Fault of a limit of a channel; None if it is legal.

    >>> from tocsin.engine.model import Channel
    >>> limit_fault(Channel("hr", "/min", 20, 300), 400)
    'limit 400 is not plausible (legal: 20 to 300 /min)'
    """
    if channel.low <= limit <= channel.high:
        return None
    return f"limit {limit:g} is not plausible (legal: {channel.low:g} to {channel.high:g} {channel.unit})"


def profile_names(model: Model) -> list[str]:
    """Names that a profile for a model may have."""
    return [*_static(model), *PROFILE]


def profile_fault(model: Model, name: str, value: float) -> str | None:
    """Fault of a value under one of `profile_names`; None if it is legal."""
    channel = _static(model).get(name)
    if channel is None:
        legal = " or ".join(map(str, _PROFILE_VALUES[name]))
        return None if value in _PROFILE_VALUES[name] else f"{name} {value:g} (legal: {legal})"
    if channel.low <= value <= channel.high:
        return None
    return f"{name} {value:g} is not plausible (legal: {channel.low:g} to {channel.high:g} {channel.unit})"


def _static(model: Model) -> dict[str, Channel]:
    return {channel.name: channel for channel in model.channels if channel.kind is ChannelKind.STATIC}
