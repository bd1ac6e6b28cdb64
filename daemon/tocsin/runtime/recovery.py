"""Recovery after a restart: the last snapshot, and the journal since applied again. Nothing is published twice.

A snapshot names the configuration that it was taken under. Where that has changed, the daemon recovers under the old
one and then migrates, as in a reload: alarms that are gone end, and streams whose model is the same go on. Where a
new model was warming up, the deployment of its incumbent is built again, too.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tocsin.bundle import Bundle, BundleError, bundle_folder, load
from tocsin.runtime.build import build_deployment
from tocsin.runtime.core import Core
from tocsin.runtime.deployment import identity, watch_identity
from tocsin.runtime.journal_entries import decode
from tocsin.runtime.snapshots import configuration_of, decode_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tocsin.alarm import Event
    from tocsin.config import Config
    from tocsin.runtime.deployment import Deployment
    from tocsin.store import Store

_LOG = logging.getLogger(__name__)


class ReplayError(Exception):
    """The journal can't be applied again."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """The recovered state.

    Attributes:
        core: The core, perhaps under the snapshot's configuration.
        deployment: The deployment of the present configuration; the core's, if that is the same.
        unpublished: Events of the recovery itself.
    """

    core: Core
    deployment: Deployment
    unpublished: list[Event] = field(default_factory=list)


def recover(store: Store, build: Callable[[], Deployment], folder: Path, now: int) -> Recovered:
    """Recover the state before the restart.

    Args:
        store: The store with snapshot, journal and alarm log.
        build: Builds the deployment of the present configuration.
        folder: Folder of the configuration, to which bundles' names are relative.
        now: Nanoseconds since 1970.
    """
    deployment = build()
    found = store.snapshot()
    if found is None:
        core = Core(deployment)
        core.registry.recall(store.events_after(0))
        return Recovered(core, deployment)
    position, body = found
    data: Mapping[str, Any] = {}
    try:
        data = decode_snapshot(body)
        same = identity(deployment) == data["identity"]
        core = Core(deployment if same else _rebuilt(data, deployment.config, folder))
        previous = {name: _rebuilt(of, deployment.config, folder) for name, of in data["previous"].items()}
        core.restore(data["core"], previous)
        _replay(store, core, position)
    except (ReplayError, ValueError, KeyError, TypeError) as error:
        _LOG.warning("store: the journal can't be applied again, alarms stay as they were published: %s", error)
        return _recover_from_log(store, build(), data, now)
    streams = sum(watch.engine.table.count for watch in core.runtimes.values())
    _LOG.info("store: %d streams and event %d as they were", streams, core.registry.last_id)
    return Recovered(core, deployment)


def _rebuilt(described: Mapping[str, Any], config: Config, folder: Path) -> Deployment:
    """Build the deployment that a snapshot describes."""
    try:
        then = configuration_of(described, config)
        bundles = {name: _bundle(watch.model, watch.period_s, folder) for name, watch in then.watches.items()}
        deployment = build_deployment(then, bundles)
    except (ValidationError, BundleError, OSError) as error:
        raise ReplayError(f"the snapshot's configuration can't be built any more ({error})") from error
    current, stored = identity(deployment), described["identity"]
    changed = [name for name, digest in current["watches"].items() if stored["watches"].get(name) != digest]
    changed += ["alarms"] if current["alarms"] != stored["alarms"] else []
    if changed:
        raise ReplayError(f"its models are no longer what they were ({', '.join(changed)})")
    return deployment


def _bundle(model: str, period_s: float | None, folder: Path) -> Bundle:
    found = bundle_folder(model, folder)
    if found is None:
        raise ReplayError(f"bundle {model} is gone")
    bundle = load(found)
    return bundle if period_s is None else bundle.ticking(period_s)


def _replay(store: Store, core: Core, position: int) -> None:
    """Apply the journal since a position; its events are in the log, and their deliveries in the store."""
    count = 0
    for commit in store.journal(position):
        for body in commit.entries:
            core.apply(decode(body))
        count += len(commit.entries)
        if core.registry.last_id != commit.last_event:
            raise ReplayError(
                f"at position {commit.position} of the journal the last event is {core.registry.last_id}, in the log "
                f"it is {commit.last_event}"
            )
    if count:
        _LOG.info("store: %d journal entries applied again", count)


def _recover_from_log(store: Store, deployment: Deployment, data: Mapping[str, Any], now: int) -> Recovered:
    """Recover alarms from the log, and streams from the snapshot where their watch is the same."""
    core = Core(deployment)
    events = store.events_after(0)
    try:
        core.registry.restore(data["core"]["alarms"])
        events = [event for event in events if event.id > core.registry.last_id]
    except (ValueError, KeyError, TypeError) as error:
        _LOG.warning("store: the snapshot's alarms can't be used (%s): the log alone counts", error)
        core = Core(deployment)
        events = store.events_after(0)
    for name in core.deployment.runtimes:
        try:
            _restore_watch(name, core.deployment, data)
        except (ValueError, KeyError, TypeError) as error:
            _LOG.warning("store: watch %s: streams begin anew: %s", name, error)
    return Recovered(core, deployment, core.restore_from_log(events, now))


def _restore_watch(name: str, deployment: Deployment, data: Mapping[str, Any]) -> None:
    """Restore a watch's streams from the snapshot: what came since is a gap to them."""
    if data["identity"]["watches"][name] != watch_identity(deployment, name):
        raise ValueError("it is no longer what it was")
    runtime = deployment.runtimes[name]
    runtime.restore(data["core"]["watches"][name])
    _LOG.info("store: watch %s: %d streams as in the last snapshot", name, runtime.engine.table.count)
