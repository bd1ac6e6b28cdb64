"""Snapshots: the core's whole state, with the configuration and the models that it means something to.

They are taken at intervals, in the same loop that keeps the store within its retention.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from tocsin import __version__
from tocsin.config.alarm_policy import Defaults, Groups
from tocsin.config.schema import WatchEntry
from tocsin.config.sources import SourceEntry
from tocsin.engine.format import Format
from tocsin.runtime.deployment import identity, set_keys
from tocsin.store import Retention
from tocsin.store.columns import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tocsin.config import Config
    from tocsin.config.schema import StoreEntry
    from tocsin.runtime.committer import Committer
    from tocsin.runtime.core import Core
    from tocsin.runtime.deployment import Deployment
    from tocsin.store import Store

_LOG = logging.getLogger(__name__)

SNAPSHOT_FORMAT = Format("the snapshot", 1)

_EVERY_S = 1.0
_MEGABYTE = 1024 * 1024
_NS_PER_S = 1_000_000_000

_SOURCES: TypeAdapter[list[SourceEntry]] = TypeAdapter(list[SourceEntry])
_WATCHES: TypeAdapter[dict[str, WatchEntry]] = TypeAdapter(dict[str, WatchEntry])


def take_snapshot(core: Core) -> dict[str, Any]:
    """Copy the core's state; to `pack` the copy may be left to another thread."""
    return {
        "format": SNAPSHOT_FORMAT.number,
        "version": __version__,
        **_described(core.deployment),
        "previous": {name: _described(deployment) for name, deployment in core.previous.items()},
        "core": core.export(),
    }


def encode_snapshot(core: Core) -> bytes:
    """Encode a snapshot of the core for the store."""
    return pack(take_snapshot(core))


def decode_snapshot(body: bytes) -> Mapping[str, Any]:
    """Decode what `encode_snapshot` gave.

    Raises:
        ValueError: It is of another format.
    """
    return SNAPSHOT_FORMAT.upgrade(unpack(body))


def _described(deployment: Deployment) -> dict[str, Any]:
    """What it takes to build a deployment again, and to see that it is the same."""
    config = deployment.config
    return {
        "config": {
            "sources": [set_keys(entry) for entry in config.sources],
            "watches": {name: set_keys(entry) for name, entry in config.watches.items()},
            "alarms": set_keys(config.alarms),
            "groups": set_keys(config.groups),
        },
        "identity": identity(deployment),
    }


def configuration_of(described: Mapping[str, Any], config: Config) -> Config:
    """The configuration of a snapshot; what doesn't concern the core is as in `config`.

    Raises:
        ValidationError: This Tocsin doesn't take the configuration.
        KeyError: A section is missing.
    """
    sections = described["config"]
    return config.model_copy(
        update={
            "sources": _SOURCES.validate_python(sections["sources"]),
            "watches": _WATCHES.validate_python(sections["watches"]),
            "alarms": Defaults.model_validate(sections["alarms"]),
            "groups": Groups.model_validate(sections["groups"]),
        }
    )


class StoreMaintenance:
    """Maintains a store while the daemon runs."""

    def __init__(
        self, store: Store, entry: StoreEntry, core: Core, committer: Committer, clock: Callable[[], int] = time.time_ns
    ) -> None:
        """Prepare; `run` works.

        Args:
            store: The store.
            entry: Its configuration.
            core: State that snapshots are taken of.
            committer: Commits what was applied before a snapshot.
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
        position = self._committer.commit_for_snapshot(now)
        if position is None:
            return False
        state = take_snapshot(self._core)  # here, between two batches; packing can wait
        await asyncio.to_thread(lambda: self._store.write_snapshot(position, pack(state), now))
        return True

    async def _quietly(self, work: Awaitable[bool]) -> bool:
        """Whether there is more to do; the committer reports a store that can't be written."""
        try:
            return await work
        except sqlite3.Error as error:
            _LOG.debug("store: maintenance: %s", error)
            return False
