"""From a condition as configured to the engine's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.config.thresholds import score_statistics, threshold
from tocsin.engine.conditions.absent import Absent
from tocsin.engine.conditions.combination import AllOf, AnyOf
from tocsin.engine.conditions.drift import Drift
from tocsin.engine.conditions.flatline import Flatline
from tocsin.engine.conditions.forecast import Forecast
from tocsin.engine.conditions.implausible import Implausible
from tocsin.engine.conditions.limit import Above, Below
from tocsin.engine.conditions.news2 import EarlyWarning
from tocsin.engine.conditions.news2_chart import PARAMETERS
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.conditions.silent import Silent
from tocsin.engine.conditions.trend import Trend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.bundle import Bundle
    from tocsin.config import conditions as configured
    from tocsin.config.conditions import Member
    from tocsin.config.schema import AlarmEntry
    from tocsin.engine.conditions.base import Condition

_NS_PER_S = 1_000_000_000


def condition_of(alarm: AlarmEntry, bundle: Bundle) -> Condition:
    """What rings an alarm."""
    if alarm.silent is not None:
        return Silent(_ns(alarm.silent.for_s))
    if alarm.all_of is not None:
        return AllOf(tuple(_single(member, bundle) for member in alarm.all_of))
    if alarm.any_of is not None:
        return AnyOf(tuple(_single(member, bundle) for member in alarm.any_of))
    return _single(alarm, bundle)


def _single(entry: Member, bundle: Bundle) -> Condition:
    channel = {c.name: index for index, c in enumerate(bundle.model.channels)}
    if (limit := entry.above or entry.below) is not None:
        side = Above if entry.above is not None else Below
        return side(channel[limit.channel], limit.limit, limit.deadband)
    if (change := entry.rises or entry.falls) is not None:
        return Trend(channel[change.channel], change.by, _ns(change.within_s), rising=entry.rises is not None)
    if (crossing := entry.forecast) is not None:
        rising = crossing.above is not None
        return Forecast(channel[crossing.channel], crossing.limit, rising, crossing.probability)
    if entry.drift is not None:
        return _drift(entry.drift, bundle)
    if entry.news2 is not None:
        return _early_warning(entry.news2, channel)
    return _fault(entry, channel) or ScoreAbove(threshold(entry, bundle))


def _drift(entry: configured.DriftEntry, bundle: Bundle) -> Drift:
    statistics = score_statistics(bundle)
    if statistics is None:  # the check lets none through
        raise ValueError(f"{bundle.manifest.name} doesn't say how much its score varies")
    return Drift(statistics.log_std, entry.slack, entry.limit, _ns(entry.settle_s))


def _fault(entry: Member, channel: Mapping[str, int]) -> Condition | None:
    """The condition of a measurement that is at fault; None if it is none of those."""
    if entry.absent is not None:
        return Absent(channel[entry.absent.channel], _ns(entry.absent.for_s))
    if entry.flatline is not None:
        return Flatline(channel[entry.flatline.channel], entry.flatline.band, _ns(entry.flatline.for_s))
    if entry.implausible is not None:
        implausible = entry.implausible
        return Implausible(channel[implausible.channel], _ns(implausible.for_s), implausible.share)
    return None


def _early_warning(entry: configured.News2Entry, channel: Mapping[str, int]) -> EarlyWarning:
    named = entry.channels
    constants = {name: value for name in PARAMETERS if isinstance(value := getattr(entry, name), bool)}
    return EarlyWarning(
        at_least=entry.at_least,
        single=entry.single,
        parameter_channels=tuple(channel[named[name]] if name in named else None for name in PARAMETERS),
        constants=tuple(float(constants[name]) if name in constants else None for name in PARAMETERS),
        scale=1 if isinstance(entry.scale, str) else entry.scale,
        scale_channel=channel[entry.scale] if isinstance(entry.scale, str) else None,
        max_age_ns=_ns(entry.max_age_s),
    )


def _ns(seconds: float) -> int:
    return round(seconds * _NS_PER_S)
