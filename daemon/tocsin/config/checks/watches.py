"""Checks of watches: their bundles, their ticks, and adaptation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.bundle import BundleError, bundle_folder, load, shipped_names
from tocsin.bundle.calibration import BudgetError
from tocsin.config.conditions.drift import NO_STATISTICS, settling_faults
from tocsin.config.conditions.entry import channel_faults
from tocsin.config.conditions.score import AnomalyEntry, score_statistics
from tocsin.config.thresholds import budget_of, threshold_for
from tocsin.engine.model import Task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tocsin.bundle import Bundle
    from tocsin.config.conditions.entry import ConditionEntry
    from tocsin.config.schema import AlarmEntry, WatchEntry

MAX_LATENESS_TICKS = 3600  # each is an open frame in every stream
MAX_RISE_PER_TICK = 0.05
_NS_PER_S = 1_000_000_000
_S_PER_H = 3600
_Path = tuple[str | int, ...]
_Fault = tuple[_Path, str]


class UnusableModelError(Exception):
    """A watch's model can't be used.

    Attributes:
        path: Path of the key below the watch.
    """

    def __init__(self, path: _Path, message: str) -> None:
        super().__init__(message)
        self.path = path


def loaded_bundle(watch: WatchEntry, folder: Path) -> Bundle:
    """Load the bundle of a watch, with ticks of the watch's length.

    Args:
        watch: Watch that fits the schema.
        folder: Folder of the configuration.

    Raises:
        UnusableModelError: There is no bundle, or the watch can't use it.
    """
    found = bundle_folder(watch.model, folder)
    if found is None:
        shipped = ", ".join(shipped_names()) or "none"
        raise UnusableModelError(
            ("model",),
            f"no bundle {watch.model!r} (legal: a folder with a manifest.json, from here or absolute, or a shipped "
            f"one: {shipped})",
        )
    try:
        bundle = load(found)
    except BundleError as error:
        raise UnusableModelError(("model",), str(error)) from error
    name = bundle.manifest.name
    if bundle.manifest.task is Task.GENERATE:
        raise UnusableModelError(
            ("model",),
            f"{name} is of task generate: it makes streams and judges none; use another model here (`tocsin generate` "
            "makes streams with it)",
        )
    if watch.period_s is None:
        return bundle
    if not bundle.manifest.any_period:
        raise UnusableModelError(
            ("period_s",),
            f"{name} was trained for ticks of {bundle.manifest.period_s:g} s and no others: leave period_s out",
        )
    return bundle.ticking(watch.period_s)


def watch_faults(watch: WatchEntry, bundle: Bundle) -> Iterator[_Fault]:
    """Find the faults of a watch: paths below it, and messages."""
    period_s = bundle.model.period_ns / _NS_PER_S
    if watch.lateness_s > MAX_LATENESS_TICKS * period_s:
        yield (
            ("lateness_s",),
            (
                f"{watch.lateness_s:g} holds {watch.lateness_s / period_s:.3g} frames open in every stream (legal: up "
                f"to {MAX_LATENESS_TICKS} ticks, {MAX_LATENESS_TICKS * period_s:g} s)"
            ),
        )
    for channel in watch.aggregate:
        for path, message in channel_faults(channel, channel, bundle):
            yield ("aggregate", *path), message
    yield from _adaptation_faults(watch, bundle)
    for name, alarm in watch.alarms.items():
        for path, message in _alarm_faults(alarm, bundle):
            yield ("alarms", name, alarm.kind, *path), message


def _alarm_faults(alarm: AlarmEntry, bundle: Bundle) -> Iterator[_Fault]:
    """Find the faults of an alarm's condition: paths below its key, and messages."""
    yield from alarm.condition.check(bundle)
    budget = budget_of(alarm)
    if budget is None:
        return
    try:
        threshold_for(budget, alarm, bundle)
    except BudgetError as error:
        yield ("budget",), str(error)


def _adaptation_faults(watch: WatchEntry, bundle: Bundle) -> Iterator[_Fault]:
    if watch.adapt is None:
        return
    conditions = [entry for alarm in watch.alarms.values() for _, entry in _single_conditions(alarm)]
    if score_statistics(bundle) is None:
        yield ("adapt",), f"adapt needs {NO_STATISTICS.format(bundle.manifest.name)}"
    elif not any(isinstance(entry, AnomalyEntry) for entry in conditions):
        yield ("adapt",), "adapts nothing: no alarm of this watch is an anomaly: leave adapt out"
    for path, threshold in _adapted_thresholds(watch):
        if threshold <= 0:
            yield path, f"{threshold:g} can't be adapted, as a multiple of it is no higher (legal: above 0)"
    for path, message in settling_faults(watch.adapt.settle_s, bundle):
        yield ("adapt", *path), message
    rise, period_s = watch.adapt.max_rise_per_hour, bundle.model.period_ns / _NS_PER_S
    if rise * period_s / _S_PER_H > MAX_RISE_PER_TICK:
        yield (
            ("adapt",),
            (
                f"max_rise_per_hour {rise:g} lets a single score move a stream's quantiles by more than "
                f"{MAX_RISE_PER_TICK:.0%} (legal: up to {MAX_RISE_PER_TICK * _S_PER_H / period_s:g} with ticks of "
                f"{period_s:g} s)"
            ),
        )


def _adapted_thresholds(watch: WatchEntry) -> Iterator[tuple[_Path, float]]:
    """Paths and values of the thresholds of anomalies, overrides included."""
    for name, alarm in watch.alarms.items():
        for path, entry in _single_conditions(alarm):
            if isinstance(entry, AnomalyEntry) and entry.threshold is not None:
                yield ("alarms", name, *path, "threshold"), entry.threshold
    for index, override in enumerate(watch.overrides):
        for name, limit in override.limits.items():
            of = watch.alarms.get(name)
            if of is not None and isinstance(of.condition, AnomalyEntry) and override.adapt is None:
                yield ("overrides", index, "limits", name), limit


def _single_conditions(alarm: AlarmEntry) -> Iterator[tuple[_Path, ConditionEntry]]:
    """Conditions of an alarm that combine no others, by their paths below the alarm."""
    members = alarm.condition.members
    if not members:
        yield (alarm.kind,), alarm.condition
    for index, (key, member) in enumerate(members):
        yield (alarm.kind, index, key), member
