"""The daemon without a broker, driven by hand at explicit times, behind an interface of plain data."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec

from harness.answers import answer_of, metric_lines, replace_export, without_digests
from harness.broker import Broker, message
from harness.configuration import checked_configuration, write_configuration
from harness.receivers import Receivers
from harness.recorders import EventRecorder, RejectRecorder, record_frames
from harness.recording import Recording, column_hash, plain_value
from tocsin.alarm import serialization
from tocsin.delivery import DeliveryWorker
from tocsin.http.authorization import Authorizer
from tocsin.http.routes import ApiRoutes
from tocsin.http.server import Exposition, application
from tocsin.metrics.metrics import CONTENT_TYPE, Metrics
from tocsin.mqtt.inbox import Batch
from tocsin.notify.home_assistant import DeviceMessages, DiscoverySettings
from tocsin.notify.mqtt import MqttSink
from tocsin.runtime import daemon
from tocsin.runtime.build import build_deployment
from tocsin.runtime.committer import Committer
from tocsin.runtime.core import Core
from tocsin.runtime.mqtt_requests import MqttRequests
from tocsin.runtime.pipeline import Pipeline
from tocsin.runtime.recovery import Recovered, recover
from tocsin.runtime.reload import Reloader
from tocsin.runtime.request_handler import RequestHandler
from tocsin.runtime.sinks import stream_devices
from tocsin.runtime.snapshots import encode_snapshot, take_snapshot
from tocsin.store.columns import pack

S = 1_000_000_000
"""Nanoseconds in a second."""
VERSION = "golden"


class Killed(BaseException):
    """The daemon is killed between applying and committing a batch."""


class Daemon:
    """Core, pipeline, store, requests and sinks of one configuration, at explicit times (nanoseconds since 1970)."""

    def __init__(
        self,
        folder: Path,
        configuration: dict[str, Any],
        now: int,
        recording: Recording | None = None,
        *,
        resumes: bool = True,
    ) -> None:
        """Start it.

        Args:
            folder: Folder of the configuration, the bundles and the store.
            configuration: As in YAML; with a section `store`, state is recovered from the store.
            now: Nanoseconds since 1970.
            recording: Recording of an earlier run; a new one by default.
            resumes: Whether timers that wait for readings restart, as after any start of the daemon.
        """
        self.folder = folder
        self.recording = Recording() if recording is None else recording
        self.now = now
        self._runner = asyncio.Runner()
        self._runner.get_loop()
        self.configuration = configuration
        self._file = write_configuration(folder, configuration)
        checked = checked_configuration(self._file)
        config = checked.config
        self._store = None if config.store is None else daemon.open_store(config.store, folder)
        if self._store is not None:
            self._store._connection.execute("PRAGMA synchronous = OFF")  # noqa: SLF001  (no power fails here)
        made = partial(build_deployment, config, checked.bundles)
        if self._store is None:
            at_work = made()
            recovered = Recovered(Core(at_work), at_work)
        else:
            recovered = recover(self._store, made, folder, now)
        self._core = core = recovered.core
        record_frames(core, self.recording)
        self._metrics = Metrics(VERSION, *recovered.deployment.metric_labels())
        self._metrics.started(now / S)
        self._committer = Committer(
            self._store, lambda: encode_snapshot(core), self._metrics.store, monotonic=lambda: self.now / S
        )
        self._broker = Broker(self.recording)
        mqtt = MqttSink(config.publish.base, self._broker.publish)
        self._committer.add_sink(mqtt)
        self._committer.add_sink(EventRecorder(self._take_event))
        self._receivers = Receivers(config, folder, self.recording, lambda: self.now)
        self._metrics.store.sinks([mqtt.name, *(sink.name for sink in self._receivers.sinks)])
        self._mqtt_worker = DeliveryWorker(
            mqtt, self._committer.deliveries, self._metrics.store.attempted, clock=lambda: self.now
        )
        self._pipeline = Pipeline(
            core, self._broker, self._committer, self._metrics, RejectRecorder(self.recording), clock=lambda: self.now
        )
        self._fix_clock_of_series()
        if resumes:
            self._pipeline.begin(recovered.deployment, recovered.unpublished)
        else:
            self._committer.require_snapshot()
            self._committer.commit(now)
        self._reloader = Reloader(self._file, recovered.deployment, self._pipeline, self._broker, self._metrics)
        handler = RequestHandler(self._pipeline, self._store, self._metrics.answered)
        self._pipeline.add_handler(MqttRequests(config.publish.base, self._broker, handler))
        entry = config.notify.home_assistant
        self._devices = None
        if entry is not None:
            self._devices = DeviceMessages(
                DiscoverySettings(entry.discovery_prefix, config.publish.base, VERSION, config.publish.scores)
            )
        authorizer = Authorizer("127.0.0.1", None)
        self._http = application(
            self._exposition,
            list,
            self._reloader.reload,
            self._reloader.roll_back,
            authorizer,
            ApiRoutes(handler.answer, authorizer, VERSION).routes(),
        )
        self._running = None
        self._run(self._start())

    # Input.

    def feed(self, messages: list[tuple[str, Any]], now: int, *, dies: bool = False) -> None:
        """Let one batch arrive and be processed.

        Args:
            messages: Topic and payload of each: bytes, or what is sent as JSON; and, if any, a dictionary with
                `retain`, `content_type`, `response_topic`, `correlation`, `received_at`.
            now: When, nanoseconds since 1970.
            dies: Kill the daemon after applying and before committing the batch, without recording it.
        """
        self.now = now
        made = [message(now, *entry) for entry in messages]
        mark = self.recording.mark()
        if not dies:
            self._run(self._turn(Batch(made, list(range(1, len(made) + 1)), 1)))
            return
        self._committer.commit = _kill
        try:
            self._run(self._turn(Batch(made, list(range(1, len(made) + 1)), 1)))
        except Killed:
            self.recording.go_back(mark)
            self.crash()
        else:
            raise AssertionError("the daemon outlived it")

    def tick(self, now: int) -> None:
        """Let time pass."""
        self.feed([], now)

    def ask(self, verb: str, now: int, **body: Any) -> dict[str, Any]:
        """Send a command over HTTP and record it; returns its status and answer."""
        return self.http("POST", f"/api/v1/commands/{verb}", now, body)

    def get(self, path: str, now: int) -> dict[str, Any]:
        """Send a query over HTTP and record it; returns its status and answer."""
        return self.http("GET", path, now)

    def http(self, method: str, path: str, now: int, body: Any = None) -> dict[str, Any]:
        """Send an HTTP request and record it; returns its status and answer."""
        self.now = now
        response = self._run(self._request(method, path, body))
        self._settle()
        answer = answer_of(method, path, response, self.folder)
        self.recording.answers.append(without_digests(answer))
        return answer

    def export(self, stream: str, now: int) -> str:
        """Export a stream's state as text; the recording holds the SHA-256 of each column."""
        body = self.get(f"/api/v1/memory/{stream}", now)["body"]
        return replace_export(body, self.recording.answers[-1]["body"])

    def reload(self, configuration: dict[str, Any], now: int) -> dict[str, Any]:
        """Write another configuration and reload."""
        self.configuration = configuration
        write_configuration(self.folder, configuration)
        return self.http("POST", "/-/reload", now)

    def roll_back(self, now: int) -> dict[str, Any]:
        """Roll back to the previous configuration."""
        return self.http("POST", "/-/rollback", now)

    # Persistence.

    def snapshot(self, now: int) -> None:
        """Take a snapshot, as the daemon does at intervals."""
        self.now = now
        position = self._committer.commit_for_snapshot(now)
        self._store.write_snapshot(position, pack(take_snapshot(self._core)), now)

    def crash(self) -> None:
        """Stop without shutdown: only the store remains."""
        if self._store is not None:
            self._store.deliveries.changes = type(self._store.deliveries.changes)()
            self._store.close()
            self._store = None
        self._end()

    def stop(self) -> None:
        """Shut down."""
        self._committer.close(self.now)
        if self._store is not None:
            self._store.close()
            self._store = None
        self._end()

    # Output.

    def stream_state(self) -> dict[str, dict[str, dict[str, str]]]:
        """Return the SHA-256 of each column of state, by watch and stream."""
        found: dict[str, dict[str, dict[str, str]]] = {}
        for name, runtime in self._core.runtimes.items():
            table = runtime.engine.table
            of_watch = found.setdefault(name, {})
            for stream in sorted(table.names[row] for row in table.live_rows().tolist()):
                kept = runtime.engine.export_streams([stream])
                of_watch[stream] = {column: column_hash(values) for column, values in kept.columns.items()}
        return found

    def registry(self) -> Any:
        """Return the state of all alarms, as plain data."""
        return plain_value(msgspec.msgpack.decode(self._core.registry.export(VERSION)))

    def metrics(self, now: int) -> list[str]:
        """Return the lines of the metrics page, without values that depend on the machine."""
        self.now = now
        return metric_lines(self._exposition().body.decode())

    def announce(self, *, everything: bool = False) -> None:
        """Publish Home Assistant devices: changed ones, or all."""
        changes = self._devices.changes(stream_devices(self._core.runtimes.values()))
        for topic, payload in self._devices.everything() if everything else changes:
            self._broker.publish(topic, payload, retain=True)

    def post_again(self, now: int) -> None:
        """Repeat firing alerts to Alertmanager."""
        self.now = now
        self._run(self._receivers.repeat_alerts(now))

    # Internals.

    def _run(self, work: Any) -> Any:
        return self._runner.run(work)

    async def _start(self) -> None:
        self._mqtt_worker.start()
        self._running = asyncio.create_task(self._pipeline.run())
        await self._broker.idle.wait()
        await self._broker.settle()

    async def _turn(self, batch: Batch) -> None:
        self._broker.idle.clear()
        self._broker.batches.put_nowait(batch)
        idle = asyncio.create_task(self._broker.idle.wait())
        await asyncio.wait([idle, self._running], return_when=asyncio.FIRST_COMPLETED)
        if self._running.done():
            idle.cancel()
            await self._running
        await self._broker.settle()
        await self._receivers.send_requests()

    def _settle(self) -> None:
        async def settle() -> None:
            await self._broker.settle()
            await self._receivers.send_requests()

        self._run(settle())

    async def _request(self, method: str, path: str, body: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._http)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, json=body)

    def _end(self) -> None:
        self._running.cancel()
        self._runner.close()

    def _take_event(self, event: Any) -> None:
        self.recording.events.append(plain_value(msgspec.to_builtins(serialization.stored_event(event))))
        self._receivers.take(event)

    def _exposition(self) -> Exposition:
        runtimes = self._reloader.deployment.runtimes.values()
        daemon._refresh(self._metrics, self._broker, runtimes, self._pipeline.waiting)  # noqa: SLF001
        self._metrics.store.show(daemon._store_statistics(self._committer, self._store))  # noqa: SLF001
        return Exposition(self._metrics.render(), CONTENT_TYPE)

    def _fix_clock_of_series(self) -> None:
        series = self._pipeline.deployment.series
        if series is not None:
            series._clock_s = lambda: self.now / S  # noqa: SLF001  (the configuration can't say it)


def _kill(*_given: Any) -> None:
    raise Killed
