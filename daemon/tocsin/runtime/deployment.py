"""Deployment: everything that one configuration asks for, except for connections; and its identity."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from tocsin.alarm import AlarmPolicies
    from tocsin.bundle import Bundle
    from tocsin.config import Config
    from tocsin.config.schema import AlarmEntry
    from tocsin.engine.events import Category, Priority
    from tocsin.engine.model import Model
    from tocsin.metrics.streams import StreamSeries
    from tocsin.runtime.sources import Source
    from tocsin.runtime.watch_runtime import WatchRuntime

_HANDLING = {"on_clear", "escalate", "remind_s", "re_alarm_s", "chattering", "inhibits"}
"""Keys of an alarm's entry that say how the registry handles it, and nothing of its condition."""
_ELSEWHERE = {"model", "max_skew_s", "alarms"}
"""Keys of a watch's entry that its description leaves out: the bundle is described, and skew is the decoder's."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The parts built from one configuration.

    Attributes:
        config: The configuration.
        bundles: Loaded bundles by watch, to build the same again.
        runtimes: Runtimes by watch, in the configuration's order.
        sources: Sources in the configuration's order.
        series: Metrics of single streams; None where the configuration allows none.
        policies: How each alarm is handled.
    """

    config: Config
    bundles: dict[str, Bundle]
    runtimes: dict[str, WatchRuntime]
    sources: list[Source]
    series: StreamSeries | None
    policies: AlarmPolicies

    def metric_labels(self) -> tuple[list[Model], list[tuple[str, Priority, Category]], StreamSeries | None]:
        """Models, alarms and series of streams that the metrics have labels for."""
        runtimes = self.runtimes.values()
        alarms = [(a.name, a.priority, a.category) for runtime in runtimes for a in runtime.engine.alarms]
        return [runtime.model for runtime in runtimes], alarms, self.series


def labels_by_watch(runtimes: Mapping[str, WatchRuntime], stream: str) -> dict[str, Mapping[str, str]]:
    """Labels of a stream by each watch that knows it."""
    tables = {name: runtime.engine.table for name, runtime in runtimes.items()}
    rows = {name: table.row_of(stream) for name, table in tables.items()}
    return {name: tables[name].labels[row] for name, row in rows.items() if row is not None}


def identity(deployment: Deployment) -> dict[str, Any]:
    """Digests of all that decides the results of entries, as SHA-256: of each watch, and of the alarms' handling.

    Tocsin's version is no part of it: where another version decides otherwise, the alarm log counts.
    """
    config = deployment.config
    handling = {
        "watches": list(config.watches),
        "alarms": {
            name: {alarm: _handling_description(alarm_entry) for alarm, alarm_entry in entry.alarms.items()}
            for name, entry in config.watches.items()
        },
        "defaults": set_keys(config.alarms),
        "groups": set_keys(config.groups),
    }
    watches = {name: watch_identity(deployment, name) for name in config.watches}
    return {"watches": watches, "alarms": _digest(handling)}


def watch_identity(deployment: Deployment, watch: str) -> str:
    """Digest of all that decides what a watch's engine gives: its settings, but for defaults, and its bundle."""
    entry = deployment.config.watches[watch]
    settings = _changed_keys(entry)
    alarms = {
        name: {key: value for key, value in _changed_keys(alarm).items() if key not in _HANDLING}
        for name, alarm in entry.alarms.items()
    }
    return _digest(
        {
            "watch": watch,
            "settings": {key: value for key, value in settings.items() if key not in _ELSEWHERE},
            "alarm_order": list(alarms),
            "alarms": alarms,
            "bundle": _bundle_description(deployment.bundles[watch]),
        }
    )


def _handling_description(entry: AlarmEntry) -> dict[str, Any]:
    """Keys that are left out differ from keys with the default: the category's default counts for the former."""
    category = None if entry.category is None else entry.category.value
    handling = {key: value for key, value in set_keys(entry).items() if key in _HANDLING}
    return {"priority": entry.priority.value, "category": category, **handling}


def _bundle_description(bundle: Bundle) -> dict[str, Any]:
    model, calibration = bundle.model, bundle.manifest.calibration
    return {
        "name": model.name,
        "version": model.version,
        "sha256": model.sha256,
        "task": model.task.value,
        "channels": [
            [channel.name, channel.unit, channel.low, channel.high, channel.kind.value, channel.expected]
            for channel in model.channels
        ],
        "period_ns": model.period_ns,
        "state_size": model.state_size,
        "warm_up_ticks": model.warm_up_ticks,
        "max_gap_ticks": model.max_gap_ticks,
        "delta_cap_s": model.delta_cap_s,
        "gaps": model.gaps.value,
        "max_blind": model.max_blind,
        "quantiles": list(model.quantiles),
        "horizon_ticks": model.horizon_ticks,
        "classes": bundle.manifest.classes,
        "calibration": {
            "scale": calibration.scale,
            "threshold": calibration.threshold,
            "curve": None if calibration.curve is None else _changed_keys(calibration.curve),
        },
    }


def set_keys(entry: BaseModel) -> dict[str, Any]:
    """An entry by configuration key, without what is left out."""
    return entry.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _changed_keys(entry: BaseModel) -> dict[str, Any]:
    """An entry by configuration key, without what is the default."""
    return entry.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _digest(description: object) -> str:
    text = json.dumps(description, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
