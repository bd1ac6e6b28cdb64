"""`tocsin record`: write the readings of all sources into a table."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import tocsin
from tocsin.cli.address import parse
from tocsin.cli.check import ConfigurationFile, load_checked
from tocsin.cli.client import duration_s
from tocsin.cli.errors import Failure
from tocsin.cli.mqtt_client import client_id, connected_by
from tocsin.ingest.reject_log import RejectLog
from tocsin.mqtt.settings import Tls
from tocsin.runtime.build import build_runtimes, build_sources, connection_settings, source_subscriptions
from tocsin.runtime.recorder import Recorder, columns_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.config import Config
    from tocsin.mqtt.connection import Connection
    from tocsin.mqtt.settings import ConnectionSettings
    from tocsin.recording import TableWriter
    from tocsin.runtime.sources import Source

_NS_PER_S = 1_000_000_000
_HOLD_NS = 5 * _NS_PER_S
_BATCH = 4096
_TURN_S = 0.5


def record(
    file: ConfigurationFile,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The table: Parquet or CSV, by its suffix.")],
    *,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Duration, such as 1h; until Ctrl-C if left out.")
    ] = None,
    broker: Annotated[
        str | None,
        typer.Option(
            "--broker",
            metavar="URL",
            help="A broker in place of the configured one. The password comes from TOCSIN_BROKER__PASSWORD.",
        ),
    ] = None,
) -> None:
    """Record the readings of all sources of a configuration: a table for `tocsin replay` and for training.

    The recorder is a separate MQTT client and needs no daemon. Channels are in the units of their models. Ctrl-C,
    SIGTERM or --for end it with a complete file; a kill loses the last seconds.
    """
    try:
        from tocsin.recording import RecordingError, TableWriter  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Failure(f"tocsin record needs {error.name}", "pip install 'tocsin[demo]'") from error
    for_s = None if for_ is None else duration_s(for_, "--for")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    checked = load_checked(file)
    config = checked.config
    if config is None:
        raise AssertionError  # without faults there is one
    at = build_sources(config, build_runtimes(config, checked.bundles))
    try:
        settings = _settings(config, at, file.parent, broker)
        channels, labels = columns_of(at)
        asyncio.run(_record(at, settings, lambda: TableWriter(out, labels, channels), for_s))
    except (RecordingError, ValueError, OSError) as error:  # table, units, password file
        raise Failure(str(error)) from error


def _settings(config: Config, at: list[Source], folder: Path, broker: str | None) -> ConnectionSettings:
    """The configured connection, as a separate client without a persistent session."""
    settings = replace(
        connection_settings(config, at, folder, tocsin.__version__, time.time_ns()),
        client_id=client_id("tocsin-record"),
        session_expiry_s=0,
        subscriptions=source_subscriptions(at),
        status=None,
        announcements=(),
    )
    if broker is None:
        return settings
    address = parse(broker)
    return replace(
        settings,
        host=address.host,
        port=address.port,
        username=address.username,
        password=address.password,
        tls=Tls() if address.encrypted else None,
    )


async def _record(
    at: list[Source], settings: ConnectionSettings, begin: Callable[[], TableWriter], for_s: float | None
) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with connected_by(settings) as connection:
        if connection.refused_subscriptions:
            refused = ", ".join(connection.refused_subscriptions)
            raise Failure(
                f"{settings.broker} refuses the subscription {refused}",
                "allow this user to read the topics of the sources",
            )
        table = begin()
        recorder = Recorder(at, table.append, hold_ns=_HOLD_NS)
        typer.echo(f"recording from {settings.broker}", err=True)
        if for_s is not None:
            loop.call_later(for_s, stopping.set)
        rejects = RejectLog()
        while not stopping.is_set():
            await _turn(connection, recorder, rejects, _TURN_S)
        waiting = connection.inbox_depth
        while waiting > 0 and connection.inbox_depth:
            waiting -= await _turn(connection, recorder, rejects, 0)
        recorder.finish()
        table.finish()
        _print_summary(recorder, connection)


async def _turn(connection: Connection, recorder: Recorder, rejects: RejectLog, timeout_s: float) -> int:
    batch = await connection.receive(max_messages=_BATCH, timeout_s=timeout_s)
    now = time.time_ns()
    refused, requests = recorder.take(batch.messages, now)
    rejects.report(refused, now)
    for request in requests:  # Sparkplug data needs a birth message first
        connection.publish(request.topic, request.payload, qos=0)
    recorder.pass_time(now)
    connection.acknowledge(batch)
    return len(batch)


def _print_summary(recorder: Recorder, connection: Connection) -> None:
    """Print the numbers of recorded, rejected and dropped readings."""
    typer.echo(f"{recorder.written} readings recorded", err=True)
    refused = ", ".join(f"{reason} {count}" for reason, count in sorted(recorder.rejected.items()))
    for count, text in (
        (recorder.rejected.total(), f"messages refused ({refused})"),
        (recorder.late, "readings left out: late or duplicate"),
        (connection.inbox_dropped, "messages dropped: they arrived faster than they could be written"),
        (connection.connects - 1, "times the connection was lost"),
    ):
        if count:
            typer.echo(f"{count} {text}", err=True)
