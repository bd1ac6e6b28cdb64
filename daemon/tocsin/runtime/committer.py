"""The commit step: what was applied is on the disk before the broker is acknowledged and anybody is told.

One transaction holds a turn's inputs, its events, and what is owed for them. A disk that is full or broken stops no
alarm: people are told all the same, and the store is tried again. `Committer` remembers what is not stored yet; when that
is too much, the inputs go, and the next commit holds a snapshot of everything in their place.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from typing import TYPE_CHECKING

from tocsin.delivery import DeliveryQueue
from tocsin.runtime.journal_entries import TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tocsin.alarm import Event
    from tocsin.delivery import Sink
    from tocsin.engine.lifecycle.commands import CommandEntry
    from tocsin.metrics.persistence import StoreMetrics
    from tocsin.store import Input, Store

_LOG = logging.getLogger(__name__)

_RETRY_S = 1.0
_IDLE_S = 10.0
_IDLE_INPUTS = 256
_MAX_UNSTORED_BYTES = 64 * 1024 * 1024
_OVERHEAD_BYTES = 128  # of an input, its body aside
_MAX_UNSTORED_EVENTS = 100_000
_MAX_UNSTORED_COMMANDS = 10_000


class Committer:
    """Notes what happens between two commits, and commits it.

    Attributes:
        deliveries: The pending deliveries; in memory alone where there is no store.
        evicted: What was remembered of streams that were given up; None where there is no store.
        problem: Why nothing can be stored; None while all is well.
    """

    def __init__(
        self,
        store: Store | None,
        snapshot: Callable[[], bytes],
        metrics: StoreMetrics,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with nothing noted.

        Args:
            store: None: nothing outlives the daemon.
            snapshot: Makes one of everything that the noted inputs have changed.
            metrics: Where figures go.
            monotonic: Seconds.
        """
        self._store = store
        self._snapshot = snapshot
        self._metrics = metrics
        self._monotonic = monotonic
        self._sinks: list[Sink] = []
        self.deliveries = DeliveryQueue() if store is None else store.deliveries
        self.evicted = None if store is None else store.evicted
        self.problem: str | None = None
        self._inputs: list[Input] = []
        self._bytes = 0
        self._events: list[Event] = []
        self._commands: list[CommandEntry] = []
        self._needs_snapshot = False
        self._retry_at = 0.0
        self._committed_at = monotonic()

    def add_sink(self, sink: Sink) -> None:
        """Queue the sink's deliveries of each event from now on."""
        self._sinks.append(sink)

    def note(self, given: Input) -> None:
        """Something was applied."""
        if self._store is None or self._needs_snapshot:
            return
        self._inputs.append(given)
        self._bytes += len(given.body) + _OVERHEAD_BYTES
        if self.problem is not None and self._bytes > _MAX_UNSTORED_BYTES:
            _LOG.error("store: too much is not stored; the next commit will hold a snapshot in its place")
            self._demand_snapshot()

    def note_events(self, events: Sequence[Event]) -> None:
        """They came of it."""
        for sink in self._sinks:
            self.deliveries.add(delivery for event in events for delivery in sink.payload_for(event))
        if self._store is not None:
            self._events += events
            if surplus := max(0, len(self._events) - _MAX_UNSTORED_EVENTS):
                self._metrics.unlogged(surplus)
                del self._events[:surplus]

    def note_command(self, entry: CommandEntry) -> None:
        """Somebody had something done to a stream."""
        if self._store is not None:
            self._commands.append(entry)
            if surplus := max(0, len(self._commands) - _MAX_UNSTORED_COMMANDS):
                self._metrics.unlogged(surplus)
                del self._commands[:surplus]

    def note_change_of_configuration(self) -> None:
        """The journal can't say what happened: the next commit holds a snapshot."""
        self._demand_snapshot()

    def keep(self, now: int) -> bool:
        """Commit what was noted, then wake those who tell.

        Args:
            now: Nanoseconds since 1970.

        Returns:
            Whether all that was noted is stored; True where there is no store.
        """
        kept = self._commit(now)
        self.deliveries.wake()
        return kept

    def settle_position(self, now: int) -> int | None:
        """Commit all that was noted, so that a snapshot can be taken now; its position, None if that failed."""
        if self._store is None or not self._commit(now, idle=False):
            return None
        return self._store.position

    def close(self, now: int) -> None:
        """Commit all that was noted, in a snapshot: the next start replays nothing."""
        self._demand_snapshot()
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
                self._store.commit(self._inputs, self._events, commands=self._commands)
        except sqlite3.Error as error:
            self._fail(error, moment)
            return False
        self._metrics.committed(time.perf_counter() - began)
        if self.problem is not None:
            _LOG.warning("store: works again")
        self.problem = None
        self._inputs, self._events, self._commands, self._bytes = [], [], [], 0
        self._needs_snapshot = False
        self._committed_at = moment
        return True

    def _is_idle(self, moment: float) -> bool:
        """Whether there is nothing but the passing of time, of which nothing has come: that can wait for company.

        What is not written is not lost but happens again: time passes after a restart, too.
        """
        if self._events or self._commands or self._needs_snapshot or self.deliveries.changes:
            return False
        if self.evicted is not None and self.evicted.pending:
            return False
        if any(given.kind != TIME for given in self._inputs):
            return False
        return len(self._inputs) < _IDLE_INPUTS and moment - self._committed_at < _IDLE_S

    def _fail(self, error: sqlite3.Error, moment: float) -> None:
        self._metrics.failed()
        self._retry_at = moment + _RETRY_S
        problem = f"the store can't be written ({error}): alarms ring, and a crash would lose what happens now"
        if problem != self.problem:  # once, and not every second for days
            _LOG.error("store: %s", problem)
        self.problem = problem

    def _demand_snapshot(self) -> None:
        if self._store is not None:
            self._inputs, self._bytes, self._needs_snapshot = [], 0, True
