"""Telling those whom the configuration names: what each owes for an event, and the tasks that deliver it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from tocsin.alarm import Event, Transition
from tocsin.config.checks.receivers import signing_key
from tocsin.delivery.worker import DeliveryWorker
from tocsin.notify.alertmanager import Alerts
from tocsin.notify.home_assistant import DeviceMessages, StreamDevice, birth_topic
from tocsin.notify.sinks import Alertmanager, EventFilter, Webhook
from tocsin.store.deliveries import Owed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from tocsin.alarm.record import AlarmRecord
    from tocsin.config import Config
    from tocsin.ingest.message import Message
    from tocsin.notify.home_assistant import DiscoverySettings
    from tocsin.notify.http_post import DeliveryStatus
    from tocsin.runtime.watch_runtime import WatchRuntime
    from tocsin.store.deliveries import Deliveries

_LOOK_S = 5.0  # how soon a new stream is a device
_ONLINE = b"online"
_DEVICES_AT_ONCE = 200  # announcements before others get a turn


class Notifier:
    """Everybody who is told over HTTP."""

    def __init__(
        self,
        config: Config,
        folder: Path,
        version: str,
        deliveries: Deliveries,
        tell: Callable[[str, DeliveryStatus], None],
    ) -> None:
        """Make the sinks; nothing is sent yet.

        Args:
            config: Checked.
            folder: The configuration's, from which file names count.
            version: Of Tocsin.
            deliveries: What is owed.
            tell: Is told of each attempt's fate.
        """
        self._deliveries = deliveries
        self._tell = tell
        self._clients: list[httpx.AsyncClient] = []
        self._sinks: list[Webhook | Alertmanager] = []
        self._alertmanager: Alertmanager | None = None
        agent = {"user-agent": f"tocsin/{version}"}
        for name, hook in config.notify.webhooks.items():
            client = httpx.AsyncClient(timeout=hook.timeout_s, headers=agent)
            wanted = EventFilter(hook.transitions, hook.priorities, hook.categories)
            key = signing_key(hook, folder)
            self._clients.append(client)
            self._sinks.append(Webhook(name, hook.url, key, config.broker.client_id, wanted, client))
        if (entry := config.notify.alertmanager) is not None:
            client = httpx.AsyncClient(timeout=10.0, headers=agent)
            alerts = Alerts(entry.labels, entry.resend_s)
            self._clients.append(client)
            self._alertmanager = Alertmanager(entry.urls, alerts, entry.resend_s, client, tell)
            self._sinks.append(self._alertmanager)

    @property
    def sinks(self) -> list[str]:
        """Their names."""
        return [sink.sink for sink in self._sinks]

    def owed(self, events: Iterable[Event]) -> list[Owed]:
        """What has to be told of events, to whom."""
        return [
            Owed(sink.sink, f"{event.stream}/{event.alarm}", event.id, body)
            for event in events
            for sink in self._sinks
            if (body := sink.owes(event)) is not None
        ]

    def resume(self, records: Iterable[AlarmRecord]) -> None:
        """Learn what has been up since before a restart; whoever was to be told of it has been, or is owed it."""
        if self._alertmanager is not None:
            for record in records:
                self._alertmanager.owes(_as_raised(record))

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for sink in self._sinks:
                    worker = DeliveryWorker(sink.sink, self._deliveries, sink.send, self._tell)
                    tasks.create_task(worker.run(), name=sink.sink)
                if self._alertmanager is not None:
                    tasks.create_task(self._alertmanager.run(), name="alertmanager, again")
        finally:
            for client in self._clients:
                await client.aclose()


class HomeAssistantDiscovery:
    """Keeps Home Assistant's devices those that are watched."""

    def __init__(self, house: DiscoverySettings, publish: Callable[[str, bytes], None]) -> None:
        """Prepare; `run` announces.

        Args:
            house: Where to.
            publish: A retained message.
        """
        self._birth_topic = birth_topic(house.prefix)
        self._devices = DeviceMessages(house)
        self._publish = publish
        self._born = asyncio.Event()

    def take(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Take Home Assistant's birth: it has started, and knows nothing of us."""
        if self._birth_topic not in {message.topic for message in messages}:
            return messages
        births = [message for message in messages if message.topic == self._birth_topic]
        if any(message.payload == _ONLINE and not message.retain for message in births):
            self._born.set()
        return [message for message in messages if message.topic != self._birth_topic]

    async def run(self, runtimes: Callable[[], Sequence[WatchRuntime]]) -> None:
        """Announce until cancelled."""
        while True:
            await self._say(self._devices.changes(watched(runtimes())))
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._born.wait()
            except TimeoutError:
                continue
            self._born.clear()
            await self._say(self._devices.everything())

    async def _say(self, messages: Sequence[tuple[str, bytes]]) -> None:
        for number, (topic, payload) in enumerate(messages, 1):
            self._publish(topic, payload)
            if number % _DEVICES_AT_ONCE == 0:
                await asyncio.sleep(0)


def watched(runtimes: Iterable[WatchRuntime]) -> list[StreamDevice]:
    """Every stream, with the alarms of all its watches."""
    alarms: dict[str, list[str]] = {}
    models: dict[str, list[str]] = {}
    for runtime in runtimes:
        names = [alarm.name for alarm in runtime.engine.alarms]
        model = f"{runtime.model.name}/{runtime.model.version}"
        table = runtime.engine.table
        for stream in table.names:
            if table.row_of(stream) is not None:  # one that has ended may still be named
                alarms.setdefault(stream, []).extend(names)
                models.setdefault(stream, []).append(model)
    return [StreamDevice(stream, tuple(names), ", ".join(models[stream])) for stream, names in alarms.items()]


def _as_raised(record: AlarmRecord) -> Event:
    """What an alarm is in, as an event."""
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
        reason=record.told.reason,
        score=record.told.score,
        evidence=record.told.evidence,
        model=record.told.model,
    )
