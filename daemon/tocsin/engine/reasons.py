"""Why a condition turned, in one line for a person and as evidence for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.changes import Evidence, Turn
from tocsin.engine.conditions import Above, Absent, Below, ScoreAbove, Silent
from tocsin.engine.model import ChannelKind

if TYPE_CHECKING:
    from tocsin.engine.conditions import Condition
    from tocsin.engine.model import Model
    from tocsin.engine.steps import Steps

_NS_PER_S = 1_000_000_000
_NAMED_CHANNELS = 3

# UCUM's codes are for machines; these are what a chart says.
_PRINTED_UNITS = {"1": "", "/min": "/min", "mm[Hg]": "mmHg", "Cel": "°C"}


def evidence(model: Model, steps: Steps, i: int, *, scored: bool) -> tuple[Evidence, ...]:
    """List the measured channels of frame i, those that contribute most first.

    Args:
        model: Whose channels.
        steps: The frames.
        i: Position of the frame.
        scored: Whether the alarm rests on the score; without, channels stand in their own order.
    """
    score = steps.score[i]
    entries = []
    for c, channel in enumerate(model.channels):
        if channel.kind is not ChannelKind.READING:
            continue
        observed = steps.mask[i, c] != 0
        entries.append(
            Evidence(
                channel=channel.name,
                unit=channel.unit,
                value=_known(steps.x[i, c]) if observed else None,
                mean=_known(steps.mean[i, c]),
                scale=_known(steps.scale[i, c]),
                contribution=_known(steps.contribution[i, c]) if scored and not np.isnan(score) else None,
            )
        )
    if scored:
        entries.sort(key=lambda entry: -(entry.contribution or 0.0))
    return tuple(entries)


def _known(value: np.float32) -> float | None:
    # By way of its text: 97.2 in float32 is 97.19999694824219 in float64, and a person will read it.
    return None if np.isnan(value) else float(str(value))


def reason(
    condition: Condition,
    turn: Turn,
    model: Model,
    channels: tuple[Evidence, ...],
    score: float | None,
) -> str:
    """Say in one line why a condition turned."""
    match condition:
        case Above(channel, limit, _):
            return _of_limit("above", limit, model, channel, turn, channels)
        case Below(channel, limit, _):
            return _of_limit("below", limit, model, channel, turn, channels)
        case ScoreAbove(threshold):
            return _of_score(threshold, model, turn, channels, score)
        case Absent(channel, for_ns):
            name = model.channels[channel].name
            if turn is Turn.CEASED:
                return f"{name} is back"
            return f"no {name} for {for_ns / _NS_PER_S:g} s or longer"
        case Silent(for_ns):
            if turn is Turn.CEASED:
                return "readings are back"
            return f"no readings for {for_ns / _NS_PER_S:g} s"


def _of_limit(side: str, limit: float, model: Model, channel: int, turn: Turn, channels: tuple[Evidence, ...]) -> str:
    name, unit = model.channels[channel].name, _printed(model.channels[channel].unit)
    value = next((entry.value for entry in channels if entry.channel == name), None)
    if turn is Turn.LOST or value is None:
        return f"{name} was {side} {limit:g}{unit} and is not measured now"
    if turn is Turn.CEASED:
        return f"{name} {value:.4g}{unit}, no longer {side} {limit:g}"
    return f"{name} {value:.4g}{unit} is {side} {limit:g}"


def _of_score(threshold: float, model: Model, turn: Turn, channels: tuple[Evidence, ...], score: float | None) -> str:
    what = "probability" if model.task.judges_by_probability else "score"
    if turn is Turn.LOST or score is None:
        return f"{what} is unknown now"
    if turn is Turn.CEASED:
        return f"{what} {score:.3g}, back below {threshold:.3g}"
    named = [_of_channel(entry) for entry in channels[:_NAMED_CHANNELS] if (entry.contribution or 0.0) > 0.0]
    return f"{what} {score:.3g}, threshold {threshold:.3g}" + (": " + "; ".join(named) if named else "")


def _of_channel(entry: Evidence) -> str:
    unit = _printed(entry.unit)
    if entry.value is None:
        return f"{entry.channel} not measured"
    if entry.mean is None or entry.scale is None:
        return f"{entry.channel} {entry.value:.4g}{unit}"
    return f"{entry.channel} {entry.value:.4g}{unit} (expected {entry.mean:.4g} ± {entry.scale:.2g})"


def _printed(unit: str) -> str:
    printed = _PRINTED_UNITS.get(unit, unit)
    return f" {printed}" if printed else ""
