"""Daemon: builds all parts, runs them in one task group, and ends them in order."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import tocsin
from tocsin.config.secrets import token
from tocsin.http.authorization import Authorizer
from tocsin.http.routes import ApiRoutes
from tocsin.http.server import Exposition, HttpServer, HttpSettings, application
from tocsin.ingest.reject_log import RejectLog
from tocsin.metrics.metrics import CONTENT_TYPE, ConnectionStatistics, Metrics
from tocsin.metrics.persistence import StoreStatistics
from tocsin.mqtt.connection import Connection
from tocsin.notify.home_assistant import DiscoverySettings, HomeAssistantDiscovery
from tocsin.runtime.build import build_deployment, connection_settings
from tocsin.runtime.committer import Committer
from tocsin.runtime.core import Core
from tocsin.runtime.mqtt_requests import MqttRequests
from tocsin.runtime.pipeline import Pipeline
from tocsin.runtime.recovery import Recovered, recover
from tocsin.runtime.reload import Reloader
from tocsin.runtime.request_handler import RequestHandler
from tocsin.runtime.sinks import build_sinks, restore, run_sinks, stream_devices
from tocsin.runtime.snapshots import StoreMaintenance, encode_snapshot
from tocsin.store import Store

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from tocsin.config import Checked, Config
    from tocsin.config.schema import StoreEntry
    from tocsin.runtime.deployment import Deployment
    from tocsin.runtime.watch_runtime import WatchRuntime

_LOG = logging.getLogger(__name__)

_FLUSH_WITHIN_S = 5.0


async def run(checked: Checked) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reads the configuration again.

    Args:
        checked: Configuration without faults, and its bundles.

    Raises:
        OSError: The password file or the token file can't be read.
        PortTakenError: The HTTP address can't be listened on.
        StoreError: The store can't be used.
    """
    config = checked.config
    if config is None or checked.faults:
        raise ValueError(f"{checked.file} has faults: run `tocsin check` first")
    with ExitStack() as stack:
        store = None if config.store is None else stack.enter_context(open_store(config.store, checked.file.parent))
        await _run(checked, config, store)
    _LOG.info("stopped")


def open_store(entry: StoreEntry, folder: Path) -> Store:
    """Open the store of a configuration in `folder`.

    Raises:
        StoreError: It can't be used.
    """
    return Store.open(
        folder / entry.folder, max_pending=entry.max_pending, retain_evicted_days=entry.retain_evicted_days
    )


async def _run(checked: Checked, config: Config, store: Store | None) -> None:
    folder = checked.file.parent
    recovered = _recovered(checked, config, store)
    core, deployment = recovered.core, recovered.deployment
    connection = Connection(connection_settings(config, deployment.sources, folder, tocsin.__version__, time.time_ns()))
    metrics = Metrics(tocsin.__version__, *deployment.metric_labels())
    metrics.started(time.time())
    report = metrics.store.attempted
    sinks = build_sinks(config, folder, tocsin.__version__, connection.publish, report)
    metrics.store.sinks(sink.name for sink in sinks)
    committer = Committer(store, lambda: encode_snapshot(core), metrics.store)
    restore(sinks, core.registry.records.values())
    for sink in sinks:
        committer.add_sink(sink)
    pipeline = Pipeline(core, connection, committer, metrics, RejectLog())
    pipeline.begin(deployment, recovered.unpublished)
    reloader = Reloader(checked.file, deployment, pipeline, connection, metrics)

    def render() -> Exposition:
        _refresh(metrics, connection, reloader.deployment.runtimes.values(), pipeline.waiting)
        metrics.store.show(_store_statistics(committer, store))
        return Exposition(metrics.render(), CONTENT_TYPE)

    def not_ready() -> list[str]:
        refused = [f"the broker refuses the subscription {name}" for name in connection.refused_subscriptions]
        return [problem for problem in (connection.problem, committer.problem) if problem] + refused

    handler = RequestHandler(pipeline, store, metrics.answered)
    requests = MqttRequests(config.publish.base, connection, handler)
    pipeline.add_handler(requests)
    discovery = _discovery(config, connection)
    if discovery is not None:
        pipeline.add_handler(discovery)
    authorizer = _authorizer(config, folder)
    server = HttpServer(
        HttpSettings(config.http.host, config.http.port),
        application(
            render,
            not_ready,
            reloader.reload,
            reloader.roll_back,
            authorizer,
            ApiRoutes(handler.answer, authorizer, tocsin.__version__).routes(),
        ),
    )
    stopping, hung_up = _signals()  # before a client can know that the daemon runs, and end it
    _log_start(config.http.host, server.bind(), deployment, store)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(connection.run(), name="connection")
        tasks.create_task(server.run(), name="http")
        processing = tasks.create_task(pipeline.run(), name="pipeline")
        services = [
            tasks.create_task(_reload_on(hung_up, reloader), name="reload"),
            tasks.create_task(requests.run(), name="requests"),
            tasks.create_task(run_sinks(sinks, committer.deliveries, report), name="sinks"),
        ]
        if discovery is not None:
            announcing = discovery.run(lambda: stream_devices(reloader.deployment.runtimes.values()))
            services.append(tasks.create_task(announcing, name="home assistant"))
        if store is not None and config.store is not None:
            maintenance = StoreMaintenance(store, config.store, core, committer)
            services.append(tasks.create_task(maintenance.run(), name="store maintenance"))
        await stopping.wait()
        _LOG.info("stopping: finishing what has been received")
        pipeline.stop()
        await processing
        await connection.stop(_FLUSH_WITHIN_S)
        server.stop()
        for task in services:
            task.cancel()
    committer.close(time.time_ns())


def _discovery(config: Config, connection: Connection) -> HomeAssistantDiscovery | None:
    entry = config.notify.home_assistant
    if entry is None:
        return None
    settings = DiscoverySettings(entry.discovery_prefix, config.publish.base, tocsin.__version__, config.publish.scores)
    return HomeAssistantDiscovery(settings, partial(connection.publish, retain=True))


def _authorizer(config: Config, folder: Path) -> Authorizer:
    file = config.http.token_file
    return Authorizer(config.http.host, None if file is None else token(folder / file))


def _log_start(host: str, port: int, deployment: Deployment, store: Store | None) -> None:
    _LOG.info("Tocsin %s: http://%s:%d/metrics", tocsin.__version__, host, port)
    if store is None:
        _LOG.info("store: none is configured, so a restart forgets streams, alarms and their history")
    for name, runtime in deployment.runtimes.items():
        _LOG.info("watch %s: %s/%s", name, runtime.model.name, runtime.model.version)


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Events that are set by the signals to stop, and to reload."""
    stopping, hung_up = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, hung_up.set)
    return stopping, hung_up


async def _reload_on(hung_up: asyncio.Event, reloader: Reloader) -> None:
    """Reload at each SIGHUP; the log says how it went."""
    while True:
        await hung_up.wait()
        hung_up.clear()
        await reloader.reload()


def _recovered(checked: Checked, config: Config, store: Store | None) -> Recovered:
    def build() -> Deployment:
        return build_deployment(config, checked.bundles)

    if store is None:
        deployment = build()
        return Recovered(Core(deployment), deployment)
    return recover(store, build, checked.file.parent, time.time_ns())


def _store_statistics(committer: Committer, store: Store | None) -> StoreStatistics:
    return StoreStatistics(
        is_failing=committer.problem is not None,
        journal_bytes=0 if store is None else store.journal_bytes,
        snapshot_at=None if store is None else store.snapshot_at,
        log_events=0 if store is None else store.log_events,
        pending=committer.deliveries.counts(),
        dropped_total=committer.deliveries.dropped,
        dead_letters=committer.deliveries.dead_letters,
    )


def _refresh(metrics: Metrics, connection: Connection, runtimes: Collection[WatchRuntime], waiting: int) -> None:
    """Set the gauges at a scrape."""
    metrics.connection(
        ConnectionStatistics(
            connected=connection.is_connected,
            connects_total=connection.connects,
            inbox_messages=connection.inbox_depth,
            inbox_dropped_total=connection.inbox_dropped,
            outbox_messages=connection.outbox_depth,
            outbox_dropped_total=connection.outbox_dropped,
        )
    )
    metrics.streams(
        known=sum(runtime.engine.table.count for runtime in runtimes),
        warming_up=sum(runtime.engine.warming_up() for runtime in runtimes),
    )
    metrics.shadow.show(waiting)
