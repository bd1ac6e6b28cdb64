"""Metrics of the store and of deliveries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from tocsin.delivery import DeliveryStatus
from tocsin.metrics.mirrored_counter import MirroredCounters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prometheus_client import CollectorRegistry

_COMMIT_BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """The state of the store and of deliveries at a moment.

    Attributes:
        is_failing: Whether the last commit failed.
        journal_bytes: The size of the journal since the last snapshot.
        snapshot_at: The last snapshot's time, nanoseconds since 1970; None if there is none.
        log_events: The number of events in the alarm log.
        pending: By sink, deliveries that are not acknowledged.
        dropped_total: By sink, deliveries that were dropped because too many were pending.
        dead_letters: By sink, deliveries that were given up.
    """

    is_failing: bool = False
    journal_bytes: int = 0
    snapshot_at: int | None = None
    log_events: int = 0
    pending: Mapping[str, int] = field(default_factory=dict)
    dropped_total: Mapping[str, int] = field(default_factory=dict)
    dead_letters: Mapping[str, int] = field(default_factory=dict)


class StoreMetrics:
    """The series of the store and of deliveries."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Create every series at 0.

        Args:
            registry: The registry of all metrics.
        """
        self._commit = Histogram(
            "tocsin_store_commit_duration_seconds",
            "Time of a commit, until it was on the disk.",
            buckets=_COMMIT_BUCKETS_S,
            registry=registry,
        )
        self._failing = Gauge(
            "tocsin_store_failing",
            "Whether the last commit failed (1): alarms go on, and a crash would lose what happens now.",
            registry=registry,
        )
        self._failures = Counter("tocsin_store_commit_failures_total", "Commits that failed.", registry=registry)
        self._unstored = Counter(
            "tocsin_store_unstored_messages_total",
            "Messages acknowledged to the broker although the store could not take them.",
            registry=registry,
        )
        self._unlogged = Counter(
            "tocsin_store_unlogged_events_total",
            "Events missing in the alarm log, as the store was failing for too long.",
            registry=registry,
        )
        self._journal = Gauge(
            "tocsin_store_journal_bytes", "Size of the journal since the last snapshot.", registry=registry
        )
        self._snapshot = Gauge(
            "tocsin_store_snapshot_timestamp_seconds",
            "When the last snapshot was made, seconds since 1970; 0 if there is none.",
            registry=registry,
        )
        self._log = Gauge("tocsin_store_log_events", "Events in the alarm log.", registry=registry)
        self._pending = Gauge(
            "tocsin_deliveries_pending", "Deliveries not yet acknowledged, by sink.", ["sink"], registry=registry
        )
        self._dropped = MirroredCounters(
            Counter(
                "tocsin_deliveries_dropped_total",
                "Deliveries dropped because too many were pending, by sink.",
                ["sink"],
                registry=registry,
            )
        )
        self._dead = Gauge(
            "tocsin_deliveries_dead_letters",
            "Deliveries that were given up, by sink.",
            ["sink"],
            registry=registry,
        )
        self._attempts = Counter(
            "tocsin_deliveries_attempts_total",
            "Attempts to deliver, by sink and result.",
            ["sink", "result"],
            registry=registry,
        )

    def sinks(self, names: Iterable[str]) -> None:
        """Create the series of sinks, at 0."""
        for name in names:
            self._pending.labels(name)
            self._dead.labels(name)
            self._dropped.add(name)
            for status in DeliveryStatus:
                self._attempts.labels(name, status)

    def attempted(self, sink: str, status: DeliveryStatus) -> None:
        """Count an attempt to deliver."""
        self._attempts.labels(sink, status).inc()

    def committed(self, duration_s: float) -> None:
        """Observe the duration of a commit."""
        self._commit.observe(duration_s)

    def failed(self) -> None:
        """Count a commit that failed."""
        self._failures.inc()

    def unstored(self, messages: int) -> None:
        """Count messages that were acknowledged without being stored."""
        self._unstored.inc(messages)

    def unlogged(self, events: int) -> None:
        """Count events that will never be in the log."""
        self._unlogged.inc(events)

    def show(self, statistics: StoreStatistics) -> None:
        """Set the gauges."""
        self._failing.set(statistics.is_failing)
        self._journal.set(statistics.journal_bytes)
        self._snapshot.set((statistics.snapshot_at or 0) / _NS_PER_S)
        self._log.set(statistics.log_events)
        self.sinks([*statistics.pending, *statistics.dropped_total, *statistics.dead_letters])
        for sink, count in statistics.pending.items():
            self._pending.labels(sink).set(count)
        self._dropped.follow(statistics.dropped_total)
        for sink, count in statistics.dead_letters.items():
            self._dead.labels(sink).set(count)
