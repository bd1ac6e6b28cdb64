"""Reload and rollback of the configuration while the daemon runs: all is checked and built before anything changes."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from tocsin.config import check
from tocsin.engine.handover.migration import is_same_model
from tocsin.http.server import ReloadResult
from tocsin.runtime.build import build_deployment, subscriptions
from tocsin.runtime.shadowed_watch import shadow_obstacle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tocsin.config import Config
    from tocsin.metrics.metrics import Metrics
    from tocsin.mqtt.connection import Connection
    from tocsin.runtime.deployment import Deployment
    from tocsin.runtime.pipeline import Pipeline
    from tocsin.runtime.shadowed_watch import RunningWatch

_LOG = logging.getLogger(__name__)


class Reloader:
    """Carries out reloads and rollbacks, one at a time. With a fault in the new configuration the old one goes on."""

    def __init__(
        self, file: Path, deployment: Deployment, pipeline: Pipeline, connection: Connection, metrics: Metrics
    ) -> None:
        """Start with the configuration that the daemon was started with.

        Args:
            file: File of the configuration.
            deployment: Deployment of the configuration.
            pipeline: Migrates to the next deployment.
            connection: Subscribes to the topics of the next sources.
            metrics: Metrics of reloads.
        """
        self._file = file
        self._deployment = deployment
        self._pipeline = pipeline
        self._connection = connection
        self._metrics = metrics
        self._previous: Deployment | None = pipeline.previous
        self._one_at_a_time = asyncio.Lock()

    @property
    def deployment(self) -> Deployment:
        """The current deployment."""
        return self._deployment

    async def reload(self) -> ReloadResult:
        """Read the configuration, and migrate to it if it has no fault."""
        async with self._one_at_a_time:
            # In a thread: loading a bundle takes a second or two, and readings go on arriving.
            deployment, faults = await asyncio.to_thread(self._build)
            if deployment is None:
                return self._refuse(faults)
            return await self._migrate(deployment)

    async def roll_back(self) -> ReloadResult:
        """Go back to the configuration that ran before, as it was read then.

        A model that is still warm goes on at once; any other warms up in the shadow of the current one.
        """
        async with self._one_at_a_time:
            previous = self._previous
            if previous is None:
                return ReloadResult(
                    succeeded=False, text="nothing ran before this configuration: there is no way back\n"
                )
            deployment = await asyncio.to_thread(build_deployment, previous.config, previous.bundles)
            return await self._migrate(deployment, rolls_back=True)

    def _build(self) -> tuple[Deployment | None, list[str]]:
        """The deployment of the present configuration, or its faults."""
        try:
            checked = check(self._file)
            faults = [str(fault) for fault in checked.faults]
            if checked.config is not None:
                faults += _beyond_a_reload(self._deployment.config, checked.config)
            if faults or checked.config is None:
                return None, faults
            return build_deployment(checked.config, checked.bundles), []
        except Exception as error:  # noqa: BLE001  (no error of a reload may end the daemon)
            _LOG.exception("reload")
            return None, [f"{self._file}: {type(error).__name__}: {error}"]

    def _refuse(self, faults: list[str]) -> ReloadResult:
        self._metrics.reloaded(None)
        for fault in faults:
            _LOG.error("reload: %s", fault)
        _LOG.error("reload: %s is refused; the daemon goes on as before", self._file)
        return ReloadResult(succeeded=False, text="".join(f"{fault}\n" for fault in faults))

    async def _migrate(self, after: Deployment, *, rolls_back: bool = False) -> ReloadResult:
        lines = _changes(self._pipeline.runtimes, after)
        if rolls_back:
            lines.append(f"{self._file}: is not what runs; it is what the next start or reload takes")
        else:
            lines.append(f"{self._file}: reloaded")
        self._previous = self._deployment
        self._pipeline.apply_deployment(after)
        self._deployment = after
        self._metrics.configured(*after.metric_labels())
        if rolls_back:
            self._metrics.rolled_back()
        else:
            self._metrics.reloaded(time.time())
        for line in lines:
            _LOG.info("%s: %s", "rollback" if rolls_back else "reload", line)
        await self._connection.subscribe_to(subscriptions(after.sources, after.config))
        return ReloadResult(succeeded=True, text="".join(f"{line}\n" for line in lines))


def _beyond_a_reload(before: Config, after: Config) -> list[str]:
    """Faults of sections that can't change while the daemon runs: its peers, its addresses, and its name there."""
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


def _changes(before: Mapping[str, RunningWatch], after: Deployment) -> list[str]:
    """One line per watch on the migration of its streams, by the model that has warmed up."""
    lines = []
    for name, watch in before.items():
        runtime = watch.incumbent
        successor = after.runtimes.get(name)
        streams = f"{runtime.engine.table.count} streams"
        if successor is None:
            lines.append(f"watch {name}: gone, and its {streams} with it")
            continue
        if is_same_model(runtime.model, successor.model):
            lines.append(f"watch {name}: {streams} go on")
            continue
        old, new = (f"{model.name}/{model.version} {model.sha256[:12]}" for model in (runtime.model, successor.model))
        obstacle = shadow_obstacle(runtime, successor)
        if obstacle is None:
            lines.append(f"watch {name}: {streams} stay with {old}, each until {new} is warm")
        else:
            lines.append(f"watch {name}: {streams} warm up with {new} instead of {old}, since {obstacle}")
    lines += [f"watch {name}: new" for name in after.runtimes if name not in before]
    return lines
