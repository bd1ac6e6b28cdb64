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
from tocsin.app.broadcast import Broadcast
from tocsin.app.build import connection_settings, setup
from tocsin.app.commands import CommandDesk
from tocsin.app.core import Core
from tocsin.app.housekeeping import Housekeeping
from tocsin.app.keeper import Keeper
from tocsin.app.notifying import Announcer, Notifier
from tocsin.app.pump import Pump
from tocsin.app.recovery import Recovered, recover, snapshot
from tocsin.app.reload import Reloader
from tocsin.app.request_door import RequestDoor
from tocsin.config.secrets import token
from tocsin.http.api import Api
from tocsin.http.guard import Guard
from tocsin.http.server import Exposition, HttpServer, HttpSettings, application
from tocsin.metrics.keeping import KeepingFigures
from tocsin.metrics.metrics import CONTENT_TYPE, ConnectionFigures, Metrics
from tocsin.mqtt.connection import Connection
from tocsin.notify.home_assistant import House
from tocsin.rejects import RejectLog
from tocsin.store import Store

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from tocsin.app.build import Setup, Station
    from tocsin.config import Checked, Config
    from tocsin.config.schema import StoreEntry

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
    return Store.open(folder / entry.folder, max_owed=entry.max_owed, keep_streams_days=entry.keep_streams_days)


async def _run(checked: Checked, config: Config, store: Store | None) -> None:
    folder = checked.file.parent
    recovered = _recovered(checked, config, store)
    core, made = recovered.core, recovered.setup
    connection = Connection(connection_settings(config, made.desks, folder, tocsin.__version__, time.time_ns()))
    metrics = Metrics(tocsin.__version__, *made.shown())
    metrics.started(time.time())
    keeper = Keeper(store, lambda: snapshot(core), metrics.keeping)
    broadcast = Broadcast(config.publish.base, connection, keeper.deliveries)
    keeper.owe(broadcast.owed)
    notifier = Notifier(config, folder, tocsin.__version__, keeper.deliveries, metrics.keeping.tried)
    metrics.keeping.over_http(notifier.sinks)
    notifier.resume(core.register.records.values())
    keeper.owe(notifier.owed)
    pump = Pump(core, connection, keeper, metrics, RejectLog())
    pump.begin(made, recovered.untold)
    reloader = Reloader(checked.file, made, pump, connection, metrics)

    def render() -> Exposition:
        _refresh(metrics, connection, reloader.at_work.stations.values(), pump.waiting)
        metrics.keeping.show(_figures(keeper, store))
        return Exposition(metrics.render(), CONTENT_TYPE)

    def not_ready() -> list[str]:
        refused = [f"the broker refuses the subscription {name}" for name in connection.refused_subscriptions]
        return [problem for problem in (connection.problem, keeper.problem) if problem] + refused

    desk = CommandDesk(pump, store, metrics.answered)
    requests = RequestDoor(config.publish.base, connection, desk)
    pump.listen_to(requests)
    announcer = _announcer(config, connection)
    if announcer is not None:
        pump.listen_to(announcer)
    guard = _guard(config, folder)
    server = HttpServer(
        HttpSettings(config.http.host, config.http.port),
        application(
            render,
            not_ready,
            reloader.reload,
            reloader.roll_back,
            guard,
            Api(desk.answer, guard, tocsin.__version__).routes(),
        ),
    )
    stopping, hung_up = _signals()  # before anybody can know that it runs, and end it
    _introduce(config.http.host, server.bind(), made, store)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(connection.run(), name="connection")
        tasks.create_task(server.run(), name="http")
        pumping = tasks.create_task(pump.run(), name="pump")
        beside = [
            tasks.create_task(_reload_on(hung_up, reloader), name="reload"),
            tasks.create_task(requests.run(), name="requests"),
            tasks.create_task(notifier.run(), name="notify"),
        ]
        if announcer is not None:
            announcing = announcer.run(lambda: list(reloader.at_work.stations.values()))
            beside.append(tasks.create_task(announcing, name="home assistant"))
        if store is not None and config.store is not None:
            housekeeping = Housekeeping(store, config.store, core, keeper)
            beside.append(tasks.create_task(housekeeping.run(), name="housekeeping"))
        await stopping.wait()
        _LOG.info("stopping: finishing what has been received")
        pump.stop()
        await pumping
        await connection.stop(_FLUSH_WITHIN_S)
        server.stop()
        for task in beside:
            task.cancel()
    keeper.close(time.time_ns())


def _announcer(config: Config, connection: Connection) -> Announcer | None:
    entry = config.notify.home_assistant
    if entry is None:
        return None
    house = House(entry.prefix, config.publish.base, tocsin.__version__, config.publish.scores)
    return Announcer(house, partial(connection.publish, retain=True))


def _guard(config: Config, folder: Path) -> Guard:
    file = config.http.token_file
    return Guard(config.http.host, None if file is None else token(folder / file))


def _introduce(host: str, port: int, made: Setup, store: Store | None) -> None:
    """Say in the log what begins."""
    _LOG.info("Tocsin %s: http://%s:%d/metrics", tocsin.__version__, host, port)
    if store is None:
        _LOG.info("store: none is configured, so a restart forgets streams, alarms and their history")
    for name, station in made.stations.items():
        _LOG.info("watch %s: %s/%s", name, station.model.name, station.model.version)


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
    def make() -> Setup:
        return setup(config, checked.bundles)

    if store is None:
        made = make()
        return Recovered(Core(made), made)
    return recover(store, make, checked.file.parent, time.time_ns())


def _figures(keeper: Keeper, store: Store | None) -> KeepingFigures:
    return KeepingFigures(
        is_failing=keeper.problem is not None,
        journal_bytes=0 if store is None else store.journal_bytes,
        snapshot_at=None if store is None else store.snapshot_at,
        log_events=0 if store is None else store.log_events,
        owed=keeper.deliveries.waiting(),
        dropped_total=keeper.deliveries.dropped,
        dead_letters=keeper.deliveries.dead,
    )


def _refresh(metrics: Metrics, connection: Connection, at_work: Collection[Station], waiting: int) -> None:
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
        known=sum(station.engine.table.count for station in at_work),
        warming_up=sum(station.engine.warming_up() for station in at_work),
    )
    metrics.shadow.show(waiting)
