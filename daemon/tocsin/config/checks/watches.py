"""Checks of watches: their bundles, their ticks, and adaptation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.bundle import BundleError, load
from tocsin.bundle.shipped import bundle_folder, shipped_names
from tocsin.config.checks.conditions import NO_STATISTICS, alarm_faults, channel_faults, settling_faults
from tocsin.config.thresholds import score_statistics
from tocsin.engine.model import Task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tocsin.bundle import Bundle
    from tocsin.config.schema import WatchEntry

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
        yield from channel_faults(("aggregate", channel), channel, bundle)
    yield from _adaptation_faults(watch, bundle)
    for name, alarm in watch.alarms.items():
        yield from alarm_faults(("alarms", name), alarm, bundle)


def _adaptation_faults(watch: WatchEntry, bundle: Bundle) -> Iterator[_Fault]:
    if watch.adapt is None:
        return
    kinds = {member.kind for alarm in watch.alarms.values() for member in (alarm.members or [alarm])}
    if score_statistics(bundle) is None:
        yield ("adapt",), f"adapt needs {NO_STATISTICS.format(bundle.manifest.name)}"
    elif "anomaly" not in kinds:
        yield ("adapt",), "adapts nothing: no alarm of this watch is an anomaly: leave adapt out"
    for path, threshold in _adapted_thresholds(watch):
        if threshold <= 0:
            yield path, f"{threshold:g} can't be adapted, as a multiple of it is no higher (legal: above 0)"
    yield from settling_faults(("adapt",), watch.adapt.settle_s, bundle)
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
        if alarm.anomaly is not None and alarm.anomaly.threshold is not None:
            yield ("alarms", name, "anomaly", "threshold"), alarm.anomaly.threshold
        for index, member in enumerate(alarm.members):
            if member.anomaly is not None and member.anomaly.threshold is not None:
                yield ("alarms", name, alarm.kind, index, "anomaly", "threshold"), member.anomaly.threshold
    for index, override in enumerate(watch.overrides):
        for name, limit in override.limits.items():
            of = watch.alarms.get(name)
            if of is not None and of.anomaly is not None and override.adapt is None:
                yield ("overrides", index, "limits", name), limit
