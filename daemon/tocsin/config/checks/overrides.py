"""What can be wrong with overrides of streams, beyond what the schema sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.bundle.calibration import BudgetError
from tocsin.config.thresholds import of_budget, with_budget
from tocsin.engine.streams.profile import limit_fault, profile_fault, profile_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tocsin.bundle import Bundle
    from tocsin.config.overrides import OverrideEntry
    from tocsin.config.schema import AlarmEntry, WatchEntry

_Fault = tuple[tuple[str | int, ...], str]


def override_faults(watches: Mapping[str, WatchEntry], bundles: Mapping[str, Bundle]) -> Iterator[_Fault]:
    """Find what is wrong: the keys that lead there, and what it is."""
    for name, watch in watches.items():
        for index, entry in enumerate(watch.overrides):
            for path, message in _of_entry(entry, name, watch, bundles.get(name)):
                yield ("watches", name, "overrides", index, *path), message


def _of_entry(entry: OverrideEntry, name: str, watch: WatchEntry, bundle: Bundle | None) -> Iterator[_Fault]:
    named: list[tuple[str, str | int, str]] = [("off", at, alarm) for at, alarm in enumerate(entry.off)]
    named += [("limits", alarm, alarm) for alarm in entry.limits] + [
        ("budgets", alarm, alarm) for alarm in entry.budgets
    ]
    for key, place, alarm in named:
        if alarm not in watch.alarms:
            yield (key, place), f"watch {name} has no alarm {alarm!r} (it has: {', '.join(watch.alarms)})"
    for alarm, limit in entry.limits.items():
        fault = _of_limit(alarm, limit, watch.alarms, bundle)
        if fault is not None:
            yield ("limits", alarm), f"alarm {alarm!r}: {fault}"
    for alarm, budget in entry.budgets.items():
        fault = _of_budget(alarm, budget, watch.alarms, bundle)
        if fault is not None:
            yield ("budgets", alarm), fault
    if entry.adapt is not None and watch.adapt is None:
        yield ("adapt",), f"watch {name} adapts no threshold: leave adapt out here"
    for part, value in entry.profile.items():
        fault = _of_profile(part, value, bundle)
        if fault is not None:
            yield ("profile", part), fault


def _of_limit(name: str, limit: float, alarms: Mapping[str, AlarmEntry], bundle: Bundle | None) -> str | None:
    alarm = alarms.get(name)
    if alarm is None:
        return None
    if alarm.anomaly is not None:
        return None
    if alarm.probability is not None:
        return None if 0 < limit < 1 else f"{limit:g} is no probability to ring at (legal: between 0 and 1)"
    own = alarm.above or alarm.below or alarm.forecast
    if own is None:
        legal = ", ".join(_with_limits(alarms)) or "none here"
        return f"{alarm.kind} has no limit (legal: {legal})"
    channels = () if bundle is None else bundle.model.channels
    return next((limit_fault(channel, limit) for channel in channels if channel.name == own.channel), None)


def _with_limits(alarms: Mapping[str, AlarmEntry]) -> Iterator[str]:
    for name, alarm in alarms.items():
        if alarm.kind in {"above", "below", "forecast", "anomaly", "probability"}:
            yield name


def _of_budget(name: str, budget: float, alarms: Mapping[str, AlarmEntry], bundle: Bundle | None) -> str | None:
    alarm = alarms.get(name)
    if alarm is None:
        return None
    if alarm.anomaly is None and alarm.probability is None:
        return f"alarm {name!r}: {alarm.kind} has no budget (legal: anomaly, probability)"
    try:
        if bundle is not None:
            of_budget(with_budget(alarm, budget), bundle)
    except BudgetError as error:
        return str(error)
    return None


def _of_profile(name: str, value: float, bundle: Bundle | None) -> str | None:
    if bundle is None:
        return None
    names = profile_names(bundle.model)
    if name not in names:
        return f"{name!r} is no part of a profile (legal: {', '.join(names)})"
    return profile_fault(bundle.model, name, value)
