"""Builds the configured sinks and runs their delivery workers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, cast

from tocsin.alarm import Event, Transition
from tocsin.config.sink_plugins import build_plugin
from tocsin.delivery import DeliveryWorker, GuardedSink, SinkContext
from tocsin.notify.home_assistant import StreamDevice
from tocsin.notify.mqtt import MqttSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tocsin.alarm.record import AlarmRecord
    from tocsin.config import Config
    from tocsin.delivery import DeliveryQueue, DeliveryStatus, Sink, SinkFactory
    from tocsin.notify.mqtt import PublishMessage
    from tocsin.runtime.watch_runtime import WatchRuntime


def build_sinks(
    config: Config, folder: Path, version: str, publish: PublishMessage, report: Callable[[str, DeliveryStatus], None]
) -> list[Sink]:
    """Build the MQTT sink and every sink under `notify`.

    Args:
        config: Checked.
        folder: The configuration's, from which relative file names count.
        version: Of Tocsin.
        publish: Queues a message for the broker.
        report: Receives a sink's name and the outcome of each attempt.

    Raises:
        OSError: A file that a built-in sink needs can't be read.
        ValueError: An option of a built-in sink can't be used.
        PlugInError: A sink of another package can't be made.
    """
    sinks: list[Sink] = [MqttSink(config.publish.base, publish)]
    for kind, name, options in config.notify.sinks():
        context = SinkContext(name, folder, config.broker.client_id, version, report)
        sinks.append(_built_in(kind).build(options, context))
    for name, options in config.notify.plugin_options().items():
        context = SinkContext(name, folder, config.broker.client_id, version, report)
        sinks.append(GuardedSink(name, build_plugin(name, options, context), report))
    return sinks


def _built_in(kind: str) -> SinkFactory[object]:
    """The sink of `tocsin.notify` whose module has the name of an entry's kind."""
    return cast("SinkFactory[object]", import_module(f"tocsin.notify.{kind}").SINK)


def restore(sinks: Iterable[Sink], records: Iterable[AlarmRecord]) -> None:
    """Let sinks know the alarms that were raised before a restart; their deliveries are sent or pending."""
    events = [_as_raised(record) for record in records]
    for sink in sinks:
        for event in events:
            sink.restore(event)


async def run_sinks(sinks: Iterable[Sink], queue: DeliveryQueue, report: Callable[[str, DeliveryStatus], None]) -> None:
    """Deliver until cancelled, then close the sinks."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for sink in sinks:
                tasks.create_task(DeliveryWorker(sink, queue, report).run(), name=f"{sink.name} deliveries")
                tasks.create_task(sink.run(), name=sink.name)
    finally:
        for sink in sinks:
            await sink.close()


def stream_devices(runtimes: Iterable[WatchRuntime]) -> list[StreamDevice]:
    """Every stream as a device of Home Assistant, with the alarms of all its watches."""
    alarms: dict[str, list[str]] = {}
    models: dict[str, list[str]] = {}
    for runtime in runtimes:
        names = [alarm.name for alarm in runtime.engine.alarms]
        model = f"{runtime.model.name}/{runtime.model.version}"
        table = runtime.engine.table
        for stream in table.names:
            if table.row_of(stream) is not None:  # one that has ended may still have a name
                alarms.setdefault(stream, []).extend(names)
                models.setdefault(stream, []).append(model)
    return [StreamDevice(stream, tuple(names), ", ".join(models[stream])) for stream, names in alarms.items()]


def _as_raised(record: AlarmRecord) -> Event:
    """An alarm's record as the event that raised it."""
    status = record.status
    return Event(
        id=0,
        stream=record.stream,
        labels=record.labels,
        alarm=record.alarm,
        watch=record.watch,
        category=record.category,
        transition=Transition.RAISE,
        status=status,
        occurrence=status.occurrence,
        since=status.since,
        t=status.since or 0,
        raised_at=status.raised_at or 0,
        report=replace(record.report, explanation=None),
    )
