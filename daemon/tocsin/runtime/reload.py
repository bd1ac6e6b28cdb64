"""Reading the configuration again, while everything runs: all is built and checked first, then swapped at once.

What ran before is kept in mind, to go back to it by one command.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from tocsin.config import check
from tocsin.engine.handover.migration import is_same_model
from tocsin.http.server import Answer
from tocsin.runtime.build import build_deployment, subscriptions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tocsin.config import Config
    from tocsin.metrics.metrics import Metrics
    from tocsin.mqtt.connection import Connection
    from tocsin.runtime.deployment import Deployment
    from tocsin.runtime.pipeline import Pipeline
    from tocsin.runtime.watch_runtime import WatchRuntime

_LOG = logging.getLogger(__name__)


class Reloader:
    """Carries out reloads, one at a time. Whatever is wrong with the new configuration, the old one goes on."""

    def __init__(
        self, file: Path, at_work: Deployment, pipeline: Pipeline, connection: Connection, metrics: Metrics
    ) -> None:
        """Begin with the configuration that the daemon was started with.

        Args:
            file: Where to read it again.
            at_work: What was made of it.
            pipeline: Takes what is made of the next.
            connection: Subscribes to what its sources want.
            metrics: Where figures go.
        """
        self._file = file
        self._at_work = at_work
        self._pipeline = pipeline
        self._connection = connection
        self._metrics = metrics
        self._before: Deployment | None = pipeline.before
        self._one_at_a_time = asyncio.Lock()

    @property
    def at_work(self) -> Deployment:
        """What is at work."""
        return self._at_work

    async def reload(self) -> Answer:
        """Read the configuration, and change over to it if there is no fault in it."""
        async with self._one_at_a_time:
            # In a thread: loading a bundle takes a second or two, and readings go on arriving.
            made, faults = await asyncio.to_thread(self._make)
            if made is None:
                return self._refuse(faults)
            return await self._change_over(made)

    async def roll_back(self) -> Answer:
        """Go back to the configuration that ran before, as it was read then.

        A model that is still warm goes on at once; any other warms up beside the one at work.
        """
        async with self._one_at_a_time:
            before = self._before
            if before is None:
                return Answer(succeeded=False, text="nothing ran before this configuration: there is no way back\n")
            made = await asyncio.to_thread(build_deployment, before.config, before.bundles)
            return await self._change_over(made, rolls_back=True)

    def _make(self) -> tuple[Deployment | None, list[str]]:
        """What the configuration asks for now, or its faults."""
        try:
            checked = check(self._file)
            faults = [str(fault) for fault in checked.faults]
            if checked.config is not None:
                faults += _beyond_a_reload(self._at_work.config, checked.config)
            if faults or checked.config is None:
                return None, faults
            return build_deployment(checked.config, checked.bundles), []
        except Exception as error:  # noqa: BLE001  (nothing that goes wrong here may end the watch that is kept now)
            _LOG.exception("reload")
            return None, [f"{self._file}: {type(error).__name__}: {error}"]

    def _refuse(self, faults: list[str]) -> Answer:
        self._metrics.reloaded(None)
        for fault in faults:
            _LOG.error("reload: %s", fault)
        _LOG.error("reload: %s is refused; the daemon goes on as before", self._file)
        return Answer(succeeded=False, text="".join(f"{fault}\n" for fault in faults))

    async def _change_over(self, after: Deployment, *, rolls_back: bool = False) -> Answer:
        told = _changes({name: self._pipeline.watched_by(name) for name in self._at_work.runtimes}, after)
        if rolls_back:
            told.append(f"{self._file}: is not what runs; it is what the next start or reload takes")
        else:
            told.append(f"{self._file}: reloaded")
        self._before = self._at_work
        self._pipeline.take_over(after)
        self._at_work = after
        self._metrics.configured(*after.metric_labels())
        if rolls_back:
            self._metrics.rolled_back()
        else:
            self._metrics.reloaded(time.time())
        for line in told:
            _LOG.info("%s: %s", "rollback" if rolls_back else "reload", line)
        await self._connection.subscribe_to(subscriptions(after.sources, after.config))
        return Answer(succeeded=True, text="".join(f"{line}\n" for line in told))


def _beyond_a_reload(before: Config, after: Config) -> list[str]:
    """What can't change while the daemon runs: with whom it speaks, where it listens, and its name there."""
    fixed = {
        "broker": (before.broker, after.broker),
        "http": (before.http, after.http),
        "notify": (before.notify, after.notify),
        "store": (before.store, after.store),
        "publish.base": (before.publish.base, after.publish.base),
        "primary_host of the sources": tuple(
            sorted({source.primary_host or "" for source in config.sources}) for config in (before, after)
        ),
    }
    return [
        f"{key} has changed, which takes a restart (or put it back and reload)"
        for key, (old, new) in fixed.items()
        if old != new
    ]


def _changes(before: Mapping[str, WatchRuntime], after: Deployment) -> list[str]:
    """Say what becomes of each watch's streams, by who watches them now."""
    lines = []
    for name, runtime in before.items():
        successor = after.runtimes.get(name)
        streams = f"{runtime.engine.table.count} streams"
        if successor is None:
            lines.append(f"watch {name}: gone, and its {streams} with it")
            continue
        if is_same_model(runtime.model, successor.model):
            lines.append(f"watch {name}: {streams} go on")
            continue
        old, new = (f"{model.name}/{model.version} {model.sha256[:12]}" for model in (runtime.model, successor.model))
        obstacle = successor.obstacle(runtime)
        if obstacle is None:
            lines.append(f"watch {name}: {streams} stay with {old}, each until {new} is warm")
        else:
            lines.append(f"watch {name}: {streams} warm up with {new} instead of {old}, since {obstacle}")
    lines += [f"watch {name}: new" for name in after.runtimes if name not in before]
    return lines
