"""The daemon's life: build everything, run one task group, end in order."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from typing import TYPE_CHECKING

import tocsin
from tocsin.app.build import connection_settings, desks, stations
from tocsin.app.pump import Pump
from tocsin.http.server import Exposition, HttpServer, HttpSettings, application
from tocsin.metrics.metrics import CONTENT_TYPE, ConnectionFigures, Metrics
from tocsin.metrics.streams import StreamSeries
from tocsin.mqtt.connection import Connection
from tocsin.rejects import RejectLog

if TYPE_CHECKING:
    from tocsin.app.build import Station
    from tocsin.config import Checked, Config

_LOG = logging.getLogger(__name__)

_FLUSH_WITHIN_S = 5.0


async def run(checked: Checked) -> None:
    """Run until SIGTERM or SIGINT.

    Args:
        checked: A configuration without faults, and its bundles.

    Raises:
        OSError: The password file can't be read.
        PortTakenError: The HTTP address can't be listened on.
    """
    config = checked.config
    if config is None or checked.faults:
        raise ValueError(f"{checked.file} has faults: run `tocsin check` first")
    made = stations(config, checked.bundles)
    sources = desks(config, made)
    connection = Connection(
        connection_settings(config, sources, checked.file.parent, tocsin.__version__, time.time_ns())
    )
    at_work = list(made.values())
    metrics = Metrics(
        tocsin.__version__,
        [station.model for station in at_work],
        [(a.name, a.priority, a.category) for station in at_work for a in station.engine.alarms],
        _series(config, made),
    )
    pump = Pump(
        sources,
        at_work,
        connection,
        metrics,
        RejectLog(),
        config.publish.base,
        publish_scores=config.publish.scores,
    )

    def render() -> Exposition:
        _refresh(metrics, connection, at_work)
        return Exposition(metrics.render(), CONTENT_TYPE)

    def not_ready() -> list[str]:
        refused = [f"the broker refuses the subscription {name}" for name in connection.refused_subscriptions]
        return ([connection.problem] if connection.problem else []) + refused

    server = HttpServer(HttpSettings(config.http.host, config.http.port), application(render, not_ready))
    port = server.bind()
    _LOG.info("Tocsin %s: http://%s:%d/metrics", tocsin.__version__, config.http.host, port)
    for name, station in made.items():
        _LOG.info("watch %s: %s/%s", name, station.model.name, station.model.version)

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(connection.run(), name="connection")
        tasks.create_task(server.run(), name="http")
        pumping = tasks.create_task(pump.run(), name="pump")
        await stopping.wait()
        _LOG.info("stopping: finishing what has been received")
        pump.stop()
        await pumping
        await connection.stop(_FLUSH_WITHIN_S)
        server.stop()
    _LOG.info("stopped")


def _series(config: Config, made: dict[str, Station]) -> StreamSeries | None:
    """Make the series of single streams, if any stream may have them."""
    if not config.metrics.streams:
        return None
    watches = {name: (station.engine, station.model) for name, station in made.items()}
    return StreamSeries(config.metrics.streams, config.metrics.max_streams, watches)


def _refresh(metrics: Metrics, connection: Connection, at_work: list[Station]) -> None:
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
        known=sum(len(station.engine.table) for station in at_work),
        warming_up=sum(station.engine.warming_up() for station in at_work),
    )
