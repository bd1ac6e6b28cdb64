"""The daemon's life: build everything, run one task group, end in order."""

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
from tocsin.http.authorization import Guard
from tocsin.http.routes import Api
from tocsin.http.server import Exposition, HttpServer, HttpSettings, application
from tocsin.ingest.reject_log import RejectLog
from tocsin.metrics.metrics import CONTENT_TYPE, ConnectionFigures, Metrics
from tocsin.metrics.persistence import StoreFigures
from tocsin.mqtt.connection import Connection
from tocsin.notify.home_assistant import DiscoverySettings, HomeAssistantDiscovery
from tocsin.runtime.build import build_deployment, connection_settings
from tocsin.runtime.committer import Committer
from tocsin.runtime.core import Core
from tocsin.runtime.mqtt_requests import MqttRequests
from tocsin.runtime.pipeline import Pipeline
from tocsin.runtime.recovery import Recovered, recover, snapshot
from tocsin.runtime.reload import Reloader
from tocsin.runtime.request_handler import RequestHandler
from tocsin.runtime.sinks import build_sinks, restore, run_sinks, stream_devices
from tocsin.runtime.snapshots import StoreMaintenance
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
        checked: A configuration without faults, and its bundles.

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
    """Open the store of a configuration that lies in `folder`.

    Raises:
        StoreError: It can't be used.
    """
    return Store.open(folder / entry.folder, max_pending=entry.max_pending, keep_streams_days=entry.retain_evicted_days)


async def _run(checked: Checked, config: Config, store: Store | None) -> None:
    folder = checked.file.parent
    recovered = _recovered(checked, config, store)
    core, made = recovered.core, recovered.deployment
    connection = Connection(connection_settings(config, made.sources, folder, tocsin.__version__, time.time_ns()))
    metrics = Metrics(tocsin.__version__, *made.metric_labels())
    metrics.started(time.time())
    tried = metrics.keeping.tried
    sinks = build_sinks(config, folder, tocsin.__version__, connection.publish, tried)
    metrics.keeping.sinks(sink.name for sink in sinks)
    committer = Committer(store, lambda: snapshot(core), metrics.keeping)
    restore(sinks, core.registry.records.values())
    for sink in sinks:
        committer.add_sink(sink)
    pipeline = Pipeline(core, connection, committer, metrics, RejectLog())
    pipeline.begin(made, recovered.untold)
    reloader = Reloader(checked.file, made, pipeline, connection, metrics)

    def render() -> Exposition:
        _refresh(metrics, connection, reloader.at_work.runtimes.values(), pipeline.waiting)
        metrics.keeping.show(_figures(committer, store))
        return Exposition(metrics.render(), CONTENT_TYPE)

    def not_ready() -> list[str]:
        refused = [f"the broker refuses the subscription {name}" for name in connection.refused_subscriptions]
        return [problem for problem in (connection.problem, committer.problem) if problem] + refused

    handler = RequestHandler(pipeline, store, metrics.answered)
    requests = MqttRequests(config.publish.base, connection, handler)
    pipeline.listen_to(requests)
    discovery = _discovery(config, connection)
    if discovery is not None:
        pipeline.listen_to(discovery)
    guard = _guard(config, folder)
    server = HttpServer(
        HttpSettings(config.http.host, config.http.port),
        application(
            render,
            not_ready,
            reloader.reload,
            reloader.roll_back,
            guard,
            Api(handler.answer, guard, tocsin.__version__).routes(),
        ),
    )
    stopping, hung_up = _signals()  # before anybody can know that it runs, and end it
    _introduce(config.http.host, server.bind(), made, store)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(connection.run(), name="connection")
        tasks.create_task(server.run(), name="http")
        pumping = tasks.create_task(pipeline.run(), name="pump")
        beside = [
            tasks.create_task(_reload_on(hung_up, reloader), name="reload"),
            tasks.create_task(requests.run(), name="requests"),
            tasks.create_task(run_sinks(sinks, committer.deliveries, tried), name="sinks"),
        ]
        if discovery is not None:
            announcing = discovery.run(lambda: stream_devices(reloader.at_work.runtimes.values()))
            beside.append(tasks.create_task(announcing, name="home assistant"))
        if store is not None and config.store is not None:
            housekeeping = StoreMaintenance(store, config.store, core, committer)
            beside.append(tasks.create_task(housekeeping.run(), name="housekeeping"))
        await stopping.wait()
        _LOG.info("stopping: finishing what has been received")
        pipeline.stop()
        await pumping
        await connection.stop(_FLUSH_WITHIN_S)
        server.stop()
        for task in beside:
            task.cancel()
    committer.close(time.time_ns())


def _discovery(config: Config, connection: Connection) -> HomeAssistantDiscovery | None:
    entry = config.notify.home_assistant
    if entry is None:
        return None
    settings = DiscoverySettings(entry.discovery_prefix, config.publish.base, tocsin.__version__, config.publish.scores)
    return HomeAssistantDiscovery(settings, partial(connection.publish, retain=True))


def _guard(config: Config, folder: Path) -> Guard:
    file = config.http.token_file
    return Guard(config.http.host, None if file is None else token(folder / file))


def _introduce(host: str, port: int, made: Deployment, store: Store | None) -> None:
    """Say in the log what begins."""
    _LOG.info("Tocsin %s: http://%s:%d/metrics", tocsin.__version__, host, port)
    if store is None:
        _LOG.info("store: none is configured, so a restart forgets streams, alarms and their history")
    for name, runtime in made.runtimes.items():
        _LOG.info("watch %s: %s/%s", name, runtime.model.name, runtime.model.version)


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Be told to stop, and to read the configuration again."""
    stopping, hung_up = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, hung_up.set)
    return stopping, hung_up


async def _reload_on(hung_up: asyncio.Event, reloader: Reloader) -> None:
    """SIGHUP: read the configuration again. The log says how it went."""
    while True:
        await hung_up.wait()
        hung_up.clear()
        await reloader.reload()


def _recovered(checked: Checked, config: Config, store: Store | None) -> Recovered:
    def make() -> Deployment:
        return build_deployment(config, checked.bundles)

    if store is None:
        made = make()
        return Recovered(Core(made), made)
    return recover(store, make, checked.file.parent, time.time_ns())


def _figures(committer: Committer, store: Store | None) -> StoreFigures:
    return StoreFigures(
        is_failing=committer.problem is not None,
        journal_bytes=0 if store is None else store.journal_bytes,
        snapshot_at=None if store is None else store.snapshot_at,
        log_events=0 if store is None else store.log_events,
        pending=committer.deliveries.counts(),
        dropped_total=committer.deliveries.dropped,
        dead_letters=committer.deliveries.dead_letters,
    )


def _refresh(metrics: Metrics, connection: Connection, at_work: Collection[WatchRuntime], waiting: int) -> None:
    """Bring the gauges up to the moment of the scrape."""
    metrics.connection(
        ConnectionFigures(
            connected=connection.is_connected,
            connects_total=connection.connects,
            inbox_messages=connection.inbox_depth,
            inbox_dropped_total=connection.inbox_dropped,
            outbox_messages=connection.outbox_depth,
            outbox_dropped_total=connection.outbox_dropped,
        )
    )
    metrics.streams(
        known=sum(runtime.engine.table.count for runtime in at_work),
        warming_up=sum(runtime.engine.warming_up() for runtime in at_work),
    )
    metrics.shadow.show(waiting)
