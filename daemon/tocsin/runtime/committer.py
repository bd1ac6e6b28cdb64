"""Committer: what was applied is on the disk before the broker is acknowledged and events are published.

One transaction holds the journal entries of a step, their events, and the pending deliveries of these. A store that
can't be written stops no alarm: events are published all the same, and the commit is retried. Beyond a limit the
uncommitted entries are dropped, and the next commit holds a snapshot in their place.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from typing import TYPE_CHECKING

from tocsin.delivery import DeliveryQueue
from tocsin.runtime.journal_entries import TickEntry, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tocsin.alarm import Event
    from tocsin.delivery import Sink
    from tocsin.engine.lifecycle.commands import CommandEntry
    from tocsin.metrics.persistence import StoreMetrics
    from tocsin.runtime.journal_entries import JournalEntry
    from tocsin.store import Store

_LOG = logging.getLogger(__name__)

_RETRY_S = 1.0
_IDLE_S = 10.0
_IDLE_ENTRIES = 256
_MAX_UNSTORED_BYTES = 64 * 1024 * 1024
_OVERHEAD_BYTES = 128  # of an entry in memory, besides its bytes
_MAX_UNSTORED_EVENTS = 100_000
_MAX_UNSTORED_COMMANDS = 10_000


class Committer:
    """Records what happens between two commits, and commits it.

    Attributes:
        deliveries: Pending deliveries; in memory alone where there is no store.
        evicted: States of evicted streams; None where there is no store.
        problem: Why nothing can be stored; None while the store works.
    """

    def __init__(
        self,
        store: Store | None,
        snapshot: Callable[[], bytes],
        metrics: StoreMetrics,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with nothing recorded.

        Args:
            store: Where to commit to; None: nothing outlives the daemon.
            snapshot: Encodes a snapshot of the state that the recorded entries have changed.
            metrics: Metrics of commits.
            monotonic: Monotonic clock, in seconds.
        """
        self._store = store
        self._snapshot = snapshot
        self._metrics = metrics
        self._monotonic = monotonic
        self._sinks: list[Sink] = []
        self.deliveries = DeliveryQueue() if store is None else store.deliveries
        self.evicted = None if store is None else store.evicted
        self.problem: str | None = None
        self._entries: list[bytes] = []
        self._bytes = 0
        self._ticks_only = True
        self._events: list[Event] = []
        self._commands: list[CommandEntry] = []
        self._needs_snapshot = False
        self._retry_at = 0.0
        self._committed_at = monotonic()

    def add_sink(self, sink: Sink) -> None:
        """Queue the sink's deliveries of each event from now on."""
        self._sinks.append(sink)

    def record(self, entry: JournalEntry) -> None:
        """Record an entry that the core has applied."""
        if self._store is None or self._needs_snapshot:
            return
        body = encode(entry)
        self._entries.append(body)
        self._bytes += len(body) + _OVERHEAD_BYTES
        self._ticks_only = self._ticks_only and isinstance(entry, TickEntry)
        if self.problem is not None and self._bytes > _MAX_UNSTORED_BYTES:
            _LOG.error("store: too much is not stored; the next commit holds a snapshot in its place")
            self.require_snapshot()

    def record_events(self, events: Sequence[Event]) -> None:
        """Record events of applied entries, with their deliveries."""
        for sink in self._sinks:
            self.deliveries.add(delivery for event in events for delivery in sink.payload_for(event))
        if self._store is not None:
            self._events += events
            if surplus := max(0, len(self._events) - _MAX_UNSTORED_EVENTS):
                self._metrics.unlogged(surplus)
                del self._events[:surplus]

    def record_stream_command(self, entry: CommandEntry) -> None:
        """Record a command for a stream, for its log."""
        if self._store is not None:
            self._commands.append(entry)
            if surplus := max(0, len(self._commands) - _MAX_UNSTORED_COMMANDS):
                self._metrics.unlogged(surplus)
                del self._commands[:surplus]

    def require_snapshot(self) -> None:
        """Let the next commit hold a snapshot in place of entries: the state changed by other means."""
        if self._store is not None:
            self._clear_entries()
            self._needs_snapshot = True

    def commit(self, now: int) -> bool:
        """Commit what was recorded, then wake the delivery workers.

        Args:
            now: Nanoseconds since 1970.

        Returns:
            Whether all that was recorded is stored; True where there is no store.
        """
        stored = self._commit(now)
        self.deliveries.wake()
        return stored

    def commit_for_snapshot(self, now: int) -> int | None:
        """Commit what was recorded, so that a snapshot can be taken.

        Returns:
            The journal's position, of the snapshot; None where the commit failed.
        """
        if self._store is None or not self._commit(now, idle=False):
            return None
        return self._store.position

    def close(self, now: int) -> None:
        """Commit a snapshot, so that the next start replays nothing."""
        self.require_snapshot()
        self._retry_at = 0.0
        self._commit(now)

    def _commit(self, now: int, *, idle: bool = True) -> bool:
        changes = self.deliveries.changes
        if self._store is None:
            self.deliveries.committed(changes)
            return True
        self._store.evicted.expire(now)
        moment = self._monotonic()
        if idle and self.problem is None and self._is_idle(moment):
            return True
        if self.problem is not None and moment < self._retry_at:
            return False
        try:
            began = time.perf_counter()
            if self._needs_snapshot:
                self._store.commit((), self._events, commands=self._commands, snapshot=self._snapshot(), now=now)
            else:
                self._store.commit(self._entries, self._events, commands=self._commands)
        except sqlite3.Error as error:
            self._fail(error, moment)
            return False
        self._metrics.committed(time.perf_counter() - began)
        if self.problem is not None:
            _LOG.warning("store: works again")
        self.problem = None
        self._clear_entries()
        self._events, self._commands = [], []
        self._needs_snapshot = False
        self._committed_at = moment
        return True

    def _is_idle(self, moment: float) -> bool:
        """Whether nothing but ticks without events was recorded: they can wait for company.

        An uncommitted tick is no loss: time passes after a restart, too.
        """
        if self._events or self._commands or self._needs_snapshot or self.deliveries.changes:
            return False
        if self.evicted is not None and self.evicted.pending:
            return False
        return self._ticks_only and len(self._entries) < _IDLE_ENTRIES and moment - self._committed_at < _IDLE_S

    def _clear_entries(self) -> None:
        self._entries, self._bytes, self._ticks_only = [], 0, True

    def _fail(self, error: sqlite3.Error, moment: float) -> None:
        self._metrics.failed()
        self._retry_at = moment + _RETRY_S
        problem = f"the store can't be written ({error}): alarms go on, and a crash would lose what happens now"
        if problem != self.problem:  # once, and not every second for days
            _LOG.error("store: %s", problem)
        self.problem = problem
