"""The daemon without a broker, behind an interface of plain data. Only this file imports `tocsin`."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import math
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import toy_bundle
from ruamel.yaml import YAML

from tocsin.alarm import serialization
from tocsin.alarm.performance import report
from tocsin.bundle import shipped_folder
from tocsin.cli import tables as alarm_tables
from tocsin.cli.alarms import report as alarm_report
from tocsin.config import check
from tocsin.delivery import DeliveryWorker, EventFilter, Sink
from tocsin.http.authorization import Authorizer
from tocsin.http.routes import ApiRoutes
from tocsin.http.server import Exposition, application
from tocsin.ingest.message import Message
from tocsin.metrics.metrics import CONTENT_TYPE, Metrics
from tocsin.mqtt.inbox import Batch
from tocsin.notify.alertmanager import Alertmanager
from tocsin.notify.home_assistant import DeviceMessages, DiscoverySettings
from tocsin.notify.mqtt import MqttSink
from tocsin.notify.webhook import Webhook
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
VERSION = "golden"
FRAME_COLUMNS = ("x", "mask", "score", "contribution", "mean", "scale", "low", "high", "reprocessed")
"""Columns of a frame that are hashed."""
WALL_CLOCK_METRICS = ("duration", "reload_success_timestamp", "journal_bytes")
"""Parts of the names of metrics with values that depend on the machine: only names and labels are recorded."""


_HASH = re.compile(r"sha256:[0-9a-f]{64}")
"""A digest in an answer: it depends on the processor."""
_LONG = 1000


def write_toy(folder: Path, name: str, *, remembers: bool = False, **manifest: Any) -> None:
    """Write a bundle of two channels, hr and spo2, with arithmetic that is the same on any machine."""
    graph = toy_bundle.REMEMBERING if remembers else toy_bundle.GRAPH
    toy_bundle.write(folder / name, toy_bundle.serialised(graph), **manifest)


def write_classifier(folder: Path, name: str) -> None:
    """Write a bundle with the classes slow, middling and quick; the score is the probability of the last two."""
    toy_bundle.write_classifier(folder / name)


def write_variant(folder: Path, name: str, of: str, **manifest: Any) -> None:
    """Write a copy of a shipped bundle with changed manifest entries."""
    shutil.copytree(shipped_folder() / of, folder / name)
    file = folder / name / "manifest.json"
    entries = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(entries | manifest), encoding="utf-8")


def from_yaml(file: Path) -> Any:
    """Return a YAML file's content as plain data."""
    return YAML(typ="safe").load(file.read_text(encoding="utf-8"))


def plain_value(value: Any) -> Any:
    """Convert to plain data for JSON: numpy numbers to Python's, non-finite numbers to text."""
    if isinstance(value, dict):
        return {str(key): plain_value(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return str(value) if not isinstance(value, str | int | float | None) else value


class Recording:
    """The recording of a scenario, over all restarts of a daemon.

    Attributes:
        events: Every event as plain data, in order.
        scores: By `watch stream model`, a list of (t in nanoseconds, score as a hex float), in order.
        bits: By the same and a column's name, the SHA-256 of the column of all frames.
        published: Every publication: topic, quality of service, retain, correlation, payload.
        requests: Every HTTP request to a receiver: URL, headers, body.
        answers: Every request over HTTP and its answer.
        rejects: Every rejected reading: time, reason, stream, detail.
    """

    def __init__(self) -> None:
        """Create an empty recording."""
        self.events: list[dict[str, Any]] = []
        self.frames: list[tuple[str, int, np.float32, dict[str, bytes]]] = []
        self.published: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.answers: list[Any] = []
        self.rejects: list[list[Any]] = []

    def mark(self) -> dict[str, int]:
        """Return the number of entries of each kind."""
        return {name: len(kept) for name, kept in vars(self).items()}

    def go_back(self, mark: dict[str, int]) -> None:
        """Remove entries recorded since a mark."""
        for name, length in mark.items():
            del getattr(self, name)[length:]

    @property
    def scores(self) -> dict[str, list[list[Any]]]:
        """Scores by `watch stream model`."""
        found: dict[str, list[list[Any]]] = {}
        for key, t, score, _ in self.frames:
            found.setdefault(key, []).append([t, float(score).hex()])
        return found

    @property
    def bits(self) -> dict[str, dict[str, str]]:
        """Hashes of columns by `watch stream model` and column."""
        hashes: dict[str, dict[str, Any]] = {}
        for key, t, _, columns in self.frames:
            of_stream = hashes.setdefault(key, {})
            for name, body in columns.items():
                column = of_stream.setdefault(name, hashlib.sha256())
                column.update(t.to_bytes(8, "little", signed=True))
                column.update(body)
        return {key: {name: h.hexdigest() for name, h in of_stream.items()} for key, of_stream in hashes.items()}


class _Broker:
    """A connection without a broker: delivers one batch at a time, and records publications."""

    def __init__(self, recording: Recording) -> None:
        self.is_connected = True
        self.problem = None
        self.refused_subscriptions: list[str] = []
        self.connects = 1
        self.inbox_depth = self.inbox_dropped = self.outbox_depth = self.outbox_dropped = 0
        self.idle = asyncio.Event()
        self.batches: asyncio.Queue[Batch] = asyncio.Queue()
        self.acknowledged = 0
        self._recording = recording
        self._settled: list[Any] = []

    async def receive(self, **_how: Any) -> Batch:
        self.idle.set()
        return await self.batches.get()

    def acknowledge(self, batch: Batch) -> None:
        self.acknowledged += len(batch)

    async def subscribe_to(self, subscriptions: Any) -> None:
        filters = sorted([subscription.filter, subscription.qos] for subscription in subscriptions)
        self._recording.answers.append({"subscribed": filters})

    def publish(self, topic, payload, *, qos=1, retain=False, correlation=None, settled=None) -> None:
        self._recording.published.append(
            {
                "topic": topic,
                "qos": qos,
                "retain": retain,
                "correlation": None if correlation is None else correlation.hex(),
                "payload": payload.decode("utf-8", "backslashreplace"),
            }
        )
        if settled is not None:
            self._settled.append(settled)

    async def settle(self) -> None:
        """Acknowledge all publications, also those that are published as others are acknowledged."""
        while self._settled:
            settled, self._settled = self._settled, []
            for one in settled:
                one()
            for _ in range(3):  # the worker learns of it in a later round of the event loop
                await asyncio.sleep(0)


class _Rejects:
    """Records every rejected reading."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def report(self, rejects: Any, now: int) -> None:
        self._recording.rejects += [[now, str(one.reason), one.stream, one.detail] for one in rejects]


class _EventRecorder(Sink):
    """Passes every event to the harness, without deliveries."""

    name = "recorder"

    def __init__(self, take: Any) -> None:
        self._take = take

    def payload_for(self, event: Any) -> list[Any]:
        self._take(event)
        return []


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
        self._write(configuration)
        checked = self._check()
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
        self._watch_core()
        self._metrics = Metrics(VERSION, *recovered.deployment.metric_labels())
        self._metrics.started(now / S)
        self._committer = Committer(
            self._store, lambda: encode_snapshot(core), self._metrics.store, monotonic=lambda: self.now / S
        )
        self._broker = _Broker(self.recording)
        mqtt = MqttSink(config.publish.base, self._broker.publish)
        self._committer.add_sink(mqtt)
        self._committer.add_sink(_EventRecorder(self._take_event))
        self._make_sinks(config)
        self._metrics.store.sinks([mqtt.name, *(sink.name for sink in self._sinks)])
        self._mqtt_worker = DeliveryWorker(
            mqtt, self._committer.deliveries, self._metrics.store.attempted, clock=lambda: self.now
        )
        self._pipeline = Pipeline(
            core, self._broker, self._committer, self._metrics, _Rejects(self.recording), clock=lambda: self.now
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
        made = [_message(now, *entry) for entry in messages]
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
        is_json = response.headers.get("content-type", "").partition(";")[0].endswith("json")
        answer = {
            "asked": f"{method} {path}",
            "status": int(response.status_code),
            "body": response.json() if is_json else response.text.replace(str(self.folder), "FOLDER"),
        }
        self.recording.answers.append(json.loads(_HASH.sub("sha256:*", json.dumps(answer))))
        return answer

    def export(self, stream: str, now: int) -> str:
        """Export a stream's state as text; the recording holds the SHA-256 of each column."""
        body = self.get(f"/api/v1/memory/{stream}", now)["body"]
        recorded = self.recording.answers[-1]
        field = next((name for name, text in body.items() if len(str(text)) > _LONG), None)
        if field is None:
            return ""
        with np.load(io.BytesIO(base64.b64decode(body[field])), allow_pickle=False) as arrays:
            metadata = next(name for name in arrays.files if arrays[name].dtype == np.uint8 and arrays[name].ndim == 1)
            recorded["body"][field] = {
                "metadata": {**json.loads(arrays[metadata].tobytes()), "version": ""},
                "columns": {name: _hash(arrays[name]) for name in arrays.files if name != metadata},
            }
        return str(body[field])

    def reload(self, configuration: dict[str, Any], now: int) -> dict[str, Any]:
        """Write another configuration and reload."""
        self.configuration = configuration
        self._write(configuration)
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
                of_watch[stream] = {column: _hash(values) for column, values in kept.columns.items()}
        return found

    def registry(self) -> Any:
        """Return the state of all alarms, as plain data."""
        return plain_value(msgspec.msgpack.decode(self._core.registry.export(VERSION)))

    def metrics(self, now: int) -> list[str]:
        """Return the lines of the metrics page, without values that depend on the machine."""
        self.now = now
        lines = []
        for line in self._exposition().body.decode().splitlines():
            name = line.partition("{")[0].partition(" ")[0]
            is_volatile = not line.startswith("#") and any(part in name for part in WALL_CLOCK_METRICS)
            lines.append(f"{line.rpartition(' ')[0]} *" if is_volatile else line)
        return lines

    def announce(self, *, everything: bool = False) -> None:
        """Publish Home Assistant devices: changed ones, or all."""
        changes = self._devices.changes(stream_devices(self._core.runtimes.values()))
        for topic, payload in self._devices.everything() if everything else changes:
            self._broker.publish(topic, payload, retain=True)

    def post_again(self, now: int) -> None:
        """Repeat firing alerts to Alertmanager."""
        self.now = now
        current = self._alertmanager._alerts.current(now)  # noqa: SLF001  (its loop sleeps by the wall clock)
        self._run(self._alertmanager._post(current, now))  # noqa: SLF001  (no public way to post at a given time)

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
        await self._send_requests()

    def _settle(self) -> None:
        async def settle() -> None:
            await self._broker.settle()
            await self._send_requests()

        self._run(settle())

    async def _request(self, method: str, path: str, body: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._http)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, json=body)

    def _end(self) -> None:
        self._running.cancel()
        self._runner.close()

    def _write(self, configuration: dict[str, Any]) -> None:
        self._file = self.folder / "tocsin.yaml"
        with self._file.open("w", encoding="utf-8") as out:
            YAML(typ="safe").dump(configuration, out)

    def _check(self) -> Any:
        checked = check(self._file)
        if checked.faults or checked.config is None:
            raise ValueError("\n".join(str(fault) for fault in checked.faults))
        return checked

    def _watch_core(self) -> None:
        """Record each frame that the core steps."""
        for name in ("apply", "apply_deployment"):
            setattr(self._core, name, self._recorded(getattr(self._core, name)))

    def _recorded(self, call: Any) -> Any:
        def called(*given: Any) -> Any:
            found = call(*given)
            for result in found:
                for output in () if result.watch is None else result.watch.outputs:
                    self._take_frames(output.runtime, output.steps, " before" if output.is_incumbent else "")
            return found

        return called

    def _take_frames(self, runtime: Any, frames: Any, mark: str) -> None:
        names = runtime.engine.table.names
        for steps in frames:
            for i, row in enumerate(steps.rows.tolist()):
                key = f"{runtime.name} {names[row]} {runtime.model.name}/{runtime.model.version}{mark}"
                columns = {name: getattr(steps, name) for name in FRAME_COLUMNS}
                bits = {name: column[i].tobytes() for name, column in columns.items() if column is not None}
                self.recording.frames.append((key, int(steps.t[i]), steps.score[i], bits))

    def _take_event(self, event: Any) -> None:
        self.recording.events.append(plain_value(msgspec.to_builtins(serialization.stored_event(event))))
        for sink in self._sinks:
            self._to_send += [(sink, delivery) for delivery in sink.payload_for(event)]

    def _make_sinks(self, config: Any) -> None:
        self._sinks: list[Any] = []
        self._to_send: list[Any] = []
        self._client = httpx.AsyncClient(transport=httpx.MockTransport(self._received))
        for name, hook in config.notify.webhooks.items():
            events = EventFilter(hook.transitions, hook.priorities, hook.categories)
            key, origin = hook.signing_key(self.folder), config.broker.client_id
            made = Webhook(f"webhook/{name}", hook.url, key, origin, events, self._client, lambda: self.now)
            self._sinks.append(made)
        entry = config.notify.alertmanager
        if entry is not None:
            self._alertmanager = Alertmanager("alertmanager", entry, self._client, lambda *_: None, lambda: self.now)
            self._sinks.append(self._alertmanager)

    def _received(self, request: httpx.Request) -> httpx.Response:
        shown = {"content-type", "webhook-id", "webhook-timestamp", "webhook-signature"}
        self.recording.requests.append(
            {
                "url": str(request.url),
                "headers": {name: value for name, value in request.headers.items() if name in shown},
                "body": request.content.decode(),
            }
        )
        return httpx.Response(200)

    async def _send_requests(self) -> None:
        waiting, self._to_send[:] = list(self._to_send), []
        for sink, delivery in waiting:
            await sink.send(delivery)

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


def _message(now: int, topic: str, payload: Any, more: dict[str, Any] | None = None) -> Message:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    more = dict(more or {})
    return Message(topic, body, more.pop("received_at", now), **more)


def _hash(values: Any) -> str:
    return hashlib.sha256(
        repr((values.dtype.str, values.shape)).encode() + np.ascontiguousarray(values).tobytes()
    ).hexdigest()


def decoded(folder: Path, configuration: dict[str, Any], messages: list[Any], now: int) -> dict[str, Any]:
    """Decode messages with the first source's decoder.

    Args:
        folder: Folder of the configuration.
        configuration: As in YAML.
        messages: As `Daemon.feed` takes them.
        now: Nanoseconds since 1970.
    """
    file = folder / "tocsin.yaml"
    with file.open("w", encoding="utf-8") as out:
        YAML(typ="safe").dump(configuration, out)
    checked = check(file)
    if checked.faults or checked.config is None:
        raise ValueError("\n".join(str(fault) for fault in checked.faults))
    found = (
        build_deployment(checked.config, checked.bundles)
        .sources[0]
        .decoder.decode([_message(now, *m) for m in messages], now)
    )
    readings = found.readings
    return plain_value(
        {
            "readings": [
                {"stream": readings.streams[s], "t": t, "values": dict(zip(readings.channels, values, strict=True))}
                for s, t, values in zip(readings.stream, readings.t.tolist(), readings.values.tolist(), strict=True)
            ],
            "labels": [dict(labels) for labels in readings.labels],
            "rejects": [[str(reject.reason), reject.stream, reject.detail] for reject in found.rejects],
            "requests": [[request.topic, request.payload.hex()] for request in found.requests],
            "stale": list(found.stale),
        }
    )


def alarm_figures(events: list[dict[str, Any]], begin: int, end: int, by: str | None, operators: int) -> Any:
    """Return the report of the alarm log's events, as in JSON; times in nanoseconds since 1970."""
    made = report(alarm_report.rows(events, by), begin, end, operators)
    return plain_value(alarm_report._plain(made))  # noqa: SLF001  (the same as `--json`)


def alarm_csv(folder: Path, events: list[dict[str, Any]]) -> dict[str, str]:
    """Return the tables of events that the command line writes, as CSV text by name."""
    tables = {"labels": alarm_report.label_columns(events), "history": alarm_tables.columns_of(events)}
    found = {}
    for name, columns in tables.items():
        file = folder / f"{name}.csv"
        alarm_tables.write(file, columns, as_parquet=False)
        found[name] = file.read_text(encoding="utf-8")
    return found
