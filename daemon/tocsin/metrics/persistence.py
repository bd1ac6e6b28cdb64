"""What the store and the deliveries show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from tocsin.metrics.mirrored_counter import MirroredCounter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

_COMMIT_BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """How the store and the deliveries are.

    Attributes:
        is_failing: Whether the last commit failed.
        journal_bytes: Of the inputs since the last snapshot.
        snapshot_at: When it was made, nanoseconds since 1970; None if there is none.
        log_events: How many events the log holds.
        owed: By sink, what is owed.
        dropped_total: By sink, what was dropped because too much was owed.
        dead_letters: By sink, what was given up.
    """

    is_failing: bool = False
    journal_bytes: int = 0
    snapshot_at: int | None = None
    log_events: int = 0
    owed: Mapping[str, int] = field(default_factory=dict)
    dropped_total: Mapping[str, int] = field(default_factory=dict)
    dead_letters: Mapping[str, int] = field(default_factory=dict)


class StoreMetrics:
    """Their series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Create every series at 0.

        Args:
            registry: Where they are registered.
        """
        self._commit = Histogram(
            "tocsin_store_commit_duration_seconds",
            "Time a commit took, until it was on the disk.",
            buckets=_COMMIT_BUCKETS_S,
            registry=registry,
        )
        self._failing = Gauge(
            "tocsin_store_failing",
            "Whether the last commit failed (1): alarms ring, and a crash would lose what happens now.",
            registry=registry,
        )
        self._failures = Counter("tocsin_store_commit_failures_total", "Commits that failed.", registry=registry)
        self._unstored = Counter(
            "tocsin_store_unstored_messages_total",
            "Messages acknowledged to the broker though the store could not take them.",
            registry=registry,
        )
        self._unlogged = Counter(
            "tocsin_store_unlogged_events_total",
            "Events that never came into the alarm log, as the store was failing for too long.",
            registry=registry,
        )
        self._journal = Gauge(
            "tocsin_store_journal_bytes", "Inputs in the journal since the last snapshot.", registry=registry
        )
        self._snapshot = Gauge(
            "tocsin_store_snapshot_timestamp_seconds",
            "When the last snapshot was made, seconds since 1970; 0 if there is none.",
            registry=registry,
        )
        self._log = Gauge("tocsin_store_log_events", "Events in the alarm log.", registry=registry)
        self._owed = Gauge(
            "tocsin_deliveries_owed", "What somebody is still to be told, by sink.", ["sink"], registry=registry
        )
        self._dropped_counter = Counter(
            "tocsin_deliveries_dropped_total",
            "What nobody was told because too much was owed, by sink.",
            ["sink"],
            registry=registry,
        )
        self._dropped: dict[str, MirroredCounter] = {}
        self._dead = Gauge(
            "tocsin_deliveries_dead_letters",
            "What could not be told and was given up, by sink.",
            ["sink"],
            registry=registry,
        )
        self._attempts = Counter(
            "tocsin_deliveries_attempts_total",
            "Attempts to tell somebody over HTTP, by sink and what became of them.",
            ["sink", "fate"],
            registry=registry,
        )
        self.sinks(["mqtt"])
        self.over_http(["alertmanager"])

    def sinks(self, names: list[str]) -> None:
        """Make room for sinks, at 0."""
        for name in names:
            self._owed.labels(name)
            self._dead.labels(name)
            self._dropped.setdefault(name, MirroredCounter(self._dropped_counter.labels(name)))

    def over_http(self, names: list[str]) -> None:
        """Make room for sinks that are told over HTTP, at 0."""
        self.sinks(names)
        for name in names:
            for fate in ("delivered", "later", "refused"):
                self._attempts.labels(name, fate)

    def tried(self, sink: str, fate: str) -> None:
        """Count an attempt to tell somebody: `delivered`, `later` or `refused`."""
        self._attempts.labels(sink, fate).inc()

    def committed(self, duration_s: float) -> None:
        """Observe a commit."""
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

    def show(self, figures: StoreFigures) -> None:
        """Bring the gauges up to the moment."""
        self._failing.set(figures.is_failing)
        self._journal.set(figures.journal_bytes)
        self._snapshot.set((figures.snapshot_at or 0) / _NS_PER_S)
        self._log.set(figures.log_events)
        self.sinks([*figures.owed, *figures.dropped_total, *figures.dead_letters])
        for sink, count in figures.owed.items():
            self._owed.labels(sink).set(count)
        for sink, count in figures.dropped_total.items():
            self._dropped[sink].follow(count)
        for sink, count in figures.dead_letters.items():
            self._dead.labels(sink).set(count)
