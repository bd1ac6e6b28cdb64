"""What is done beside: snapshots at intervals, and retention. In threads, so that nobody waits."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from typing import TYPE_CHECKING

from tocsin.runtime.recovery import remember
from tocsin.store import Retention
from tocsin.store.columns import pack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tocsin.config.schema import StoreEntry
    from tocsin.runtime.committer import Committer
    from tocsin.runtime.core import Core
    from tocsin.store import Store

_LOG = logging.getLogger(__name__)

_EVERY_S = 1.0
_MEGABYTE = 1024 * 1024
_NS_PER_S = 1_000_000_000


class StoreMaintenance:
    """Looks after a store while the daemon runs."""

    def __init__(
        self, store: Store, entry: StoreEntry, core: Core, committer: Committer, clock: Callable[[], int] = time.time_ns
    ) -> None:
        """Prepare; `run` works.

        Args:
            store: It.
            entry: How it is configured.
            core: What snapshots are taken of.
            committer: Commits what was applied.
            clock: Nanoseconds since 1970.
        """
        self._store = store
        self._retention = Retention(entry.retain_days, entry.max_mb * _MEGABYTE)
        self._every_ns = round(entry.snapshot_every_s * _NS_PER_S)
        self._core = core
        self._committer = committer
        self._clock = clock

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            more = await self._quietly(self._tidy())
            await self._quietly(self._snapshot())
            await asyncio.sleep(0.05 if more else _EVERY_S)

    async def _tidy(self) -> bool:
        return await asyncio.to_thread(self._store.tidy, self._retention, self._clock())

    async def _snapshot(self) -> bool:
        now, last = self._clock(), self._store.snapshot_at
        if last is not None and 0 <= now - last < self._every_ns:
            return False
        position = self._committer.settle_position(now)
        if position is None:
            return False
        remembered = remember(self._core)  # here, between two batches; the rest can wait
        await asyncio.to_thread(lambda: self._store.write_snapshot(position, pack(remembered), now))
        return True

    async def _quietly(self, work: Awaitable[bool]) -> bool:
        """Whether there is more to do; a disk that is full is told of by the commits."""
        try:
            return await work
        except sqlite3.Error as error:
            _LOG.debug("store: housekeeping: %s", error)
            return False
