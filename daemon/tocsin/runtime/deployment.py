"""Deployment: everything that one configuration asks for, except for connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.alarm import AlarmPolicies
    from tocsin.bundle import Bundle
    from tocsin.config import Config
    from tocsin.engine.events import Category, Priority
    from tocsin.engine.model import Model
    from tocsin.metrics.streams import StreamSeries
    from tocsin.runtime.sources import Source
    from tocsin.runtime.watch_runtime import WatchRuntime


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
