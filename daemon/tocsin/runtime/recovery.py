"""Going on where the daemon was: the last snapshot, and what came in since applied again, with nobody told twice.

A snapshot names the configuration that it was made under. If that is another one now, the daemon recovers under the
old one and then changes over, as in a reload: that ends alarms that are gone and keeps streams whose model is the same.
Where a new model was warming up, the one before it goes on too, and must be there.
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from tocsin.bundle import Bundle, BundleError, load
from tocsin.bundle.shipped import bundle_folder
from tocsin.config.schema import Config
from tocsin.runtime.build import build_deployment
from tocsin.runtime.core import Core
from tocsin.runtime.journal_entries import apply
from tocsin.store.columns import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tocsin.alarm import Event
    from tocsin.runtime.deployment import Deployment
    from tocsin.runtime.watch_runtime import WatchRuntime
    from tocsin.store import Store

_LOG = logging.getLogger(__name__)

_FORMAT = 2
_OF_THE_SHELLS = {"broker", "publish", "notify", "http", "metrics", "store"}
_CORE_SECTIONS = sorted(Config.model_fields.keys() - _OF_THE_SHELLS)
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class CannotReplayError(Exception):
    """What is in the store can't be applied again; says why."""


def remember(core: Core) -> dict[str, Any]:
    """Copy all that a snapshot holds; to `pack` it may be left to another thread."""
    return {
        "format": _FORMAT,
        **_named(core.deployment),
        "before": {name: _named(incumbent.deployment) for name, incumbent in core.incumbents.items()},
        "core": core.export(),
    }


def _named(of: Deployment) -> dict[str, Any]:
    """What it takes to set it up again."""
    config = of.config.model_dump(mode="json", include=set(_CORE_SECTIONS), exclude_unset=True)
    return {"config": config, "identity": identity(of)}


def snapshot(core: Core) -> bytes:
    """A snapshot for the store."""
    return pack(remember(core))


@dataclass(frozen=True, slots=True)
class Recovered:
    """Where the daemon was.

    Attributes:
        core: Perhaps under the configuration of then.
        deployment: What the configuration asks for now; the core's, if that is the same.
        untold: Events that nobody has been told yet.
    """

    core: Core
    deployment: Deployment
    untold: list[Event] = field(default_factory=list)


def recover(store: Store, make: Callable[[], Deployment], folder: Path, now: int) -> Recovered:
    """Go on where the daemon was.

    Args:
        store: Where it was kept.
        make: Sets up what the configuration asks for now.
        folder: The configuration's, from which bundles' names count.
        now: Nanoseconds since 1970.
    """
    made = make()
    found = store.snapshot()
    if found is None:
        core = Core(made)
        core.registry.recall(store.events_after(0))
        return Recovered(core, made)
    position, body = found
    data: dict[str, Any] = {}
    try:
        data = _read(body)
        then = made if identity(made) == data["identity"] else _made_again(data, made.config, folder)
        core = Core(then)
        before = {name: _made_again(named, made.config, folder) for name, named in data["before"].items()}
        core.restore(data["core"], before)
        _replay(store, core, position)
    except (CannotReplayError, ValueError, KeyError, TypeError) as error:
        _LOG.warning("store: what came in last can't be applied again, alarms stay as they were told: %s", error)
        return _go_on_from_the_log(store, make(), data, now)
    streams = sum(runtime.engine.table.count for runtime in core.runtimes.values())
    _LOG.info("store: %d streams and event %d as they were", streams, core.registry.last_id)
    return Recovered(core, made)


def identity(of: Deployment) -> dict[str, str]:
    """What must be equal for the same inputs to have the same results: each watch with its model, and all alarms.

    Tocsin itself is not part of it: where another version decides otherwise, the log says what people were told.
    """
    return {name: _digest(runtime) for name, runtime in of.runtimes.items()} | {"": _hashed(repr(of.policies))}


def _digest(runtime: WatchRuntime) -> str:
    model, watch = runtime.model, runtime.engine.watch
    return _hashed(repr((said(model, "step"), said(watch, "model"), runtime.clock_is_event)))


def said(value: object, *leaving_out: str) -> object:
    """What a value says beyond its defaults, so that what a later Tocsin can say besides makes no difference."""
    if is_dataclass(value) and not isinstance(value, type):
        given = [(entry, getattr(value, entry.name)) for entry in fields(value) if entry.name not in leaving_out]
        return type(value).__name__, [
            (entry.name, said(of)) for entry, of in given if type(of) is not type(entry.default) or of != entry.default
        ]
    return [said(item) for item in value] if isinstance(value, list | tuple) else value


def _hashed(text: str) -> str:
    return hashlib.sha256(_ADDRESS.sub("", text).encode()).hexdigest()


def _read(body: bytes) -> dict[str, Any]:
    data: dict[str, Any] = unpack(body)
    if data.get("format") != _FORMAT:
        raise CannotReplayError(f"the snapshot has format {data.get('format')!r} (this Tocsin reads {_FORMAT})")
    return data


def _made_again(data: Mapping[str, Any], config: Config, folder: Path) -> Deployment:
    """Set up the configuration of a snapshot."""
    try:
        then = config.model_copy(update={name: _section(name, given) for name, given in data["config"].items()})
        made = build_deployment(
            then, {name: _bundle(watch.model, watch.period_s, folder) for name, watch in then.watches.items()}
        )
    except (ValidationError, BundleError, OSError) as error:
        raise CannotReplayError(f"the configuration of then can't be set up any more ({error})") from error
    changed = [name or "alarms" for name, digest in identity(made).items() if data["identity"].get(name) != digest]
    if changed:
        raise CannotReplayError(f"its models are no longer what they were ({', '.join(changed)})")
    return made


def _section(name: str, given: object) -> object:
    annotation: Any = Config.model_fields[name].annotation
    return TypeAdapter(annotation).validate_python(given)


def _bundle(model: str, period_s: float | None, folder: Path) -> Bundle:
    found = bundle_folder(model, folder)
    if found is None:
        raise CannotReplayError(f"bundle {model} is gone")
    bundle = load(found)
    return bundle if period_s is None else bundle.ticking(period_s)


def _replay(store: Store, core: Core, position: int) -> None:
    """Apply again what came in since the snapshot; what comes of it is in the log, and owed if it must be told."""
    count = 0
    for entry in store.inputs(position):
        for given in entry.inputs:
            apply(core, given)
        count += len(entry.inputs)
        if core.registry.last_id != entry.last_event:
            raise CannotReplayError(
                f"at position {entry.position} of the journal event {core.registry.last_id} came where the log has "
                f"event {entry.last_event}"
            )
    if count:
        _LOG.info("store: %d inputs applied again", count)


def _go_on_from_the_log(store: Store, made: Deployment, data: Mapping[str, Any], now: int) -> Recovered:
    core = Core(made)
    told = store.events_after(0)
    try:
        core.registry.restore(data["core"]["register"])
        told = [event for event in told if event.id > core.registry.last_id]
    except (ValueError, KeyError, TypeError) as error:
        _LOG.warning("store: what the snapshot says of alarms can't be used (%s): the log alone counts", error)
        core = Core(made)
        told = store.events_after(0)
    for name, runtime in core.runtimes.items():
        try:
            _go_on_from_the_snapshot(name, runtime, data)
        except (ValueError, KeyError, TypeError) as error:
            _LOG.warning("store: watch %s: streams begin anew: %s", name, error)
    return Recovered(core, made, core.recall(told, now))


def _go_on_from_the_snapshot(name: str, runtime: WatchRuntime, data: Mapping[str, Any]) -> None:
    """Let a watch's streams go on as they were then: what came in since is a gap to them."""
    if data["identity"][name] != _digest(runtime):
        raise ValueError("it is no longer what it was")
    runtime.restore(data["core"]["stations"][name])
    _LOG.info("store: watch %s: %d streams as in the last snapshot", name, runtime.engine.table.count)
