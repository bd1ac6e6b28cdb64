"""`tocsin record`: what the sources of a configuration send, as a table."""

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
from tocsin.cli.check import ConfigurationFile, sound
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
        str | None, typer.Option("--for", metavar="DURATION", help="How long, such as 1h; until Ctrl-C if left out.")
    ] = None,
    broker: Annotated[
        str | None,
        typer.Option(
            "--broker",
            metavar="URL",
            help="Another one than the configuration's. The password comes from TOCSIN_BROKER__PASSWORD.",
        ),
    ] = None,
) -> None:
    """Record what the sources of a configuration send: a table for `tocsin replay` and for training.

    It is a client of its own, beside a daemon or without one. Channels are in their models' units. Ctrl-C, SIGTERM or
    --for end it with a whole file; cut off, it loses some seconds.
    """
    try:
        from tocsin.recording import RecordingError, TableWriter  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Failure(f"tocsin record needs {error.name}", "pip install 'tocsin[demo]'") from error
    for_s = None if for_ is None else duration_s(for_, "--for")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    checked = sound(file)
    config = checked.config
    if config is None:
        raise AssertionError  # a sound one is there
    at = build_sources(config, build_runtimes(config, checked.bundles))
    try:
        settings = _settings(config, at, file.parent, broker)
        channels, labels = columns_of(at)
        asyncio.run(_record(at, settings, lambda: TableWriter(out, labels, channels), for_s))
    except (RecordingError, ValueError, OSError) as error:  # of the table, of the units, of the password file
        raise Failure(str(error)) from error


def _settings(config: Config, at: list[Source], folder: Path, broker: str | None) -> ConnectionSettings:
    """The configuration's connection, as another client that leaves nothing behind."""
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
                f"{settings.broker} refuses the subscription {refused}", "let this user read the sources' topics"
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
        _tell(recorder, connection)


async def _turn(connection: Connection, recorder: Recorder, rejects: RejectLog, timeout_s: float) -> int:
    batch = await connection.receive(max_messages=_BATCH, timeout_s=timeout_s)
    now = time.time_ns()
    refused, requests = recorder.take(batch.messages, now)
    rejects.report(refused, now)
    for request in requests:  # without a birth, what a Sparkplug node sends can't be read
        connection.publish(request.topic, request.payload, qos=0)
    recorder.pass_time(now)
    connection.acknowledge(batch)
    return len(batch)


def _tell(recorder: Recorder, connection: Connection) -> None:
    """Say what there is, and what is missing."""
    typer.echo(f"{recorder.written} readings recorded", err=True)
    refused = ", ".join(f"{reason} {count}" for reason, count in sorted(recorder.rejected.items()))
    for count, told in (
        (recorder.rejected.total(), f"messages refused ({refused})"),
        (recorder.late, "readings left out: late, or sent twice"),
        (connection.inbox_dropped, "messages dropped: they came faster than they could be written"),
        (connection.connects - 1, "times the connection was lost"),
    ):
        if count:
            typer.echo(f"{count} {told}", err=True)
