"""Checks of overrides of streams beyond the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.bundle.calibration import BudgetError
from tocsin.config.conditions.score import ScoreEntry
from tocsin.config.thresholds import threshold_for
from tocsin.engine.streams.profile import profile_fault, profile_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tocsin.bundle import Bundle
    from tocsin.config.overrides import OverrideEntry
    from tocsin.config.schema import AlarmEntry, WatchEntry

_Fault = tuple[tuple[str | int, ...], str]


def override_faults(watches: Mapping[str, WatchEntry], bundles: Mapping[str, Bundle]) -> Iterator[_Fault]:
    """Find the faults of overrides: paths and messages."""
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
    if not alarm.condition.has_limit:
        legal = ", ".join(name for name, other in alarms.items() if other.condition.has_limit) or "none here"
        return f"{alarm.kind} has no limit (legal: {legal})"
    return alarm.condition.stream_limit_fault(limit, bundle)


def _of_budget(name: str, budget: float, alarms: Mapping[str, AlarmEntry], bundle: Bundle | None) -> str | None:
    alarm = alarms.get(name)
    if alarm is None:
        return None
    if not isinstance(alarm.condition, ScoreEntry):
        return f"alarm {name!r}: {alarm.kind} has no budget (legal: anomaly, probability)"
    try:
        if bundle is not None:
            threshold_for(budget, alarm, bundle)
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
