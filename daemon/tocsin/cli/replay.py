"""`tocsin replay`: publish a recorded table."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tocsin.cli.address import BrokerOption, VersionOption
from tocsin.cli.errors import Failure
from tocsin.cli.mqtt_client import connected

if TYPE_CHECKING:
    from tocsin.recording import Recording

_NS_PER_S = 1_000_000_000
_OUTBOX_TARGET = 1000
_PAUSE_S = 0.002


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table: Parquet or CSV, one row a reading.")],
    *,
    topic: Annotated[
        str, typer.Option(help="Where to publish; names in braces are columns, such as vitals/{ward}/{bed}.")
    ],
    time_column: Annotated[str, typer.Option("--time", help="The column with the time.")] = "t",
    unit: Annotated[str, typer.Option(help="What a number in it counts: ns, us, ms, s, min or h.")] = "s",
    start: Annotated[
        str | None, typer.Option(help="ISO 8601: when relative times such as hours since admission begin.")
    ] = None,
    now: Annotated[
        bool,
        typer.Option("--now", help="Shift all times, so that the last reading is as old as the end of the replay."),
    ] = False,
    channels: Annotated[
        str | None,
        typer.Option(
            help="COLUMN or COLUMN=FIELD, by commas, in quotes where a name has one; "
            "all numeric columns under their own names if left out."
        ),
    ] = None,
    static: Annotated[
        str | None,
        typer.Option(
            help="The same for static values, published once before the first reading of a stream, such as age."
        ),
    ] = None,
    speed: Annotated[float, typer.Option(min=0, help="Speed-up; 0 for as fast as possible.")] = 1.0,
    qos: Annotated[int, typer.Option(min=0, max=1)] = 1,
    broker: BrokerOption = "mqtt://localhost:1883",
    mqtt: VersionOption = "5",
) -> None:
    """Publish a recorded table to a broker, in order of time.

    Empty cells are published as null, which means not measured. Example, hourly ICU stays:

        tocsin replay stays.parquet --topic 'icu/{stay}' --time ICULOS --unit h --start 2026-01-01T00:00:00Z --channels HR=hr,O2Sat=spo2 --static Age=age --speed 0
    """  # noqa: E501  (a command to copy is one line)
    try:
        from tocsin.recording import RecordingError, read  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Failure(f"tocsin replay needs {error.name}", "pip install 'tocsin[demo]'") from error
    try:
        recording = read(file, topic, time_column, unit, start, channels, static)
    except RecordingError as error:
        raise Failure(str(error)) from error
    if now:
        recording = recording.ending_at(time.time_ns(), speed)
    asyncio.run(_replay(recording, speed, qos, broker, mqtt))


async def _replay(recording: Recording, speed: float, qos: int, broker: str, version: str) -> None:
    async with connected(broker, version, "tocsin-replay") as connection:
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        ) as progress:
            task = progress.add_task(recording.name, total=len(recording))
            began, first_t, published = time.monotonic_ns(), recording.first_t, 0
            for t, topic, payload in recording.messages():
                if speed > 0:
                    await asyncio.sleep(((t - first_t) / speed - (time.monotonic_ns() - began)) / _NS_PER_S)
                connection.publish(topic, payload, qos=qos)
                published += 1
                while connection.outbox_depth >= _OUTBOX_TARGET:
                    progress.update(task, completed=min(published, len(recording)))
                    await asyncio.sleep(_PAUSE_S)
            progress.update(task, completed=len(recording))
    typer.echo(f"{published} messages of {recording.topics} streams published", err=True)
