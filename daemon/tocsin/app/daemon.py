"""The daemon's life: build everything, run one task group, end in order."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from typing import TYPE_CHECKING

import tocsin
from tocsin.app.build import connection_settings, setup
from tocsin.app.commands import CommandDesk
from tocsin.app.pump import Pump
from tocsin.app.reload import Reloader
from tocsin.app.request_door import RequestDoor
from tocsin.config.secrets import token
from tocsin.http.api import Api
from tocsin.http.guard import Guard
from tocsin.http.server import Exposition, HttpServer, HttpSettings, application
from tocsin.metrics.metrics import CONTENT_TYPE, ConnectionFigures, Metrics
from tocsin.mqtt.connection import Connection
from tocsin.rejects import RejectLog

if TYPE_CHECKING:
    from collections.abc import Collection

    from tocsin.app.build import Station
    from tocsin.config import Checked

_LOG = logging.getLogger(__name__)

_FLUSH_WITHIN_S = 5.0


async def run(checked: Checked) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reads the configuration again.

    Args:
        checked: A configuration without faults, and its bundles.

    Raises:
        OSError: The password file or the token file can't be read.
        PortTakenError: The HTTP address can't be listened on.
    """
    config = checked.config
    if config is None or checked.faults:
        raise ValueError(f"{checked.file} has faults: run `tocsin check` first")
    made = setup(config, checked.bundles)
    connection = Connection(
        connection_settings(config, made.desks, checked.file.parent, tocsin.__version__, time.time_ns())
    )
    metrics = Metrics(tocsin.__version__, *made.shown())
    metrics.started(time.time())
    pump = Pump(made, connection, metrics, RejectLog())
    reloader = Reloader(checked.file, made, pump, connection, metrics)

    def render() -> Exposition:
        _refresh(metrics, connection, reloader.at_work.stations.values())
        return Exposition(metrics.render(), CONTENT_TYPE)

    def not_ready() -> list[str]:
        refused = [f"the broker refuses the subscription {name}" for name in connection.refused_subscriptions]
        return ([connection.problem] if connection.problem else []) + refused

    desk = CommandDesk(pump, None)
    requests = RequestDoor(config.publish.base, connection, desk)
    pump.listen_to(requests)
    secret = None if config.http.token_file is None else token(checked.file.parent / config.http.token_file)
    guard = Guard(config.http.host, secret)
    server = HttpServer(
        HttpSettings(config.http.host, config.http.port),
        application(render, not_ready, reloader.reload, guard, Api(desk.answer, guard, tocsin.__version__).routes()),
    )
    port = server.bind()
    _LOG.info("Tocsin %s: http://%s:%d/metrics", tocsin.__version__, config.http.host, port)
    for name, station in made.stations.items():
        _LOG.info("watch %s: %s/%s", name, station.model.name, station.model.version)

    stopping, hung_up = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, hung_up.set)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(connection.run(), name="connection")
        tasks.create_task(server.run(), name="http")
        pumping = tasks.create_task(pump.run(), name="pump")
        reloading = tasks.create_task(_reload_on(hung_up, reloader), name="reload")
        answering = tasks.create_task(requests.run(), name="requests")
        await stopping.wait()
        _LOG.info("stopping: finishing what has been received")
        pump.stop()
        await pumping
        await connection.stop(_FLUSH_WITHIN_S)
        server.stop()
        reloading.cancel()
        answering.cancel()
    _LOG.info("stopped")


async def _reload_on(hung_up: asyncio.Event, reloader: Reloader) -> None:
    """SIGHUP: read the configuration again. The log says how it went."""
    while True:
        await hung_up.wait()
        hung_up.clear()
        await reloader.reload()


def _refresh(metrics: Metrics, connection: Connection, at_work: Collection[Station]) -> None:
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
