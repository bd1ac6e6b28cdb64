#!/usr/bin/env python3
"""Measure end-to-end throughput in messages per second, and the time that each part takes.

make bench                                      1,000 beds, 30 seconds of the ward, a minute or two
make bench ARGS='--streams 200 --no-broker'     fewer beds, and only this process

The shipped configuration (config/tocsin.yaml) with its model is at work, on quiet patients. In this process each part
is measured by itself, in turn with the whole, a batch of one message a bed at a time. Then `tocsin run` takes from a
real Mosquitto, on this machine alone, what was queued for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiomqtt
import numpy as np

from tocsin.config import check
from tocsin.ingest.message import Message
from tocsin.ingest.reject_log import RejectLog
from tocsin.metrics.metrics import Metrics
from tocsin.mqtt.connection import Connection
from tocsin.mqtt.settings import ConnectionSettings
from tocsin.runtime.build import build_deployment
from tocsin.runtime.committer import Committer
from tocsin.runtime.core import Core
from tocsin.runtime.journal_entries import ReadingsEntry, TickEntry, encode
from tocsin.runtime.pipeline import Pipeline
from tocsin.runtime.snapshots import encode_snapshot
from tocsin.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from tocsin.runtime.deployment import Deployment
    from tocsin.runtime.journal_entries import JournalEntry

CONFIG = Path(__file__).parents[1] / "config" / "tocsin.yaml"
BASELINE = {"hr": (75, 8), "spo2": (97, 0.5), "rr": (15, 1.5), "sbp": (120, 6), "dbp": (75, 4), "temp": (36.9, 0.1)}
NS_PER_S = 1_000_000_000
WARM_UP = 10  # batches that are not measured
WITHIN_S = 60.0
IN_FLIGHT = 500
WHOLE = "all of it, in this process"


class Ward:
    """Quiet patients; the same ones in every run."""

    def __init__(self, beds: int) -> None:
        """Create the ward."""
        self._random = np.random.default_rng(20261126)
        self._beds = beds
        self._mean = {name: self._random.normal(mean, sd, beds) for name, (mean, sd) in BASELINE.items()}

    def second(self, t: int) -> list[tuple[str, bytes]]:
        """One message a bed at second `t` since 1970: topics and payloads."""
        columns = {name: self._noisy(name).round(1).tolist() for name in BASELINE}
        return [
            (f"vitals/icu/{bed}", json.dumps({"t": t, **{n: v[bed] for n, v in columns.items()}}).encode())
            for bed in range(self._beds)
        ]

    def _noisy(self, name: str) -> NDArray[np.float64]:
        return self._mean[name] + self._random.normal(0, BASELINE[name][1] / 8, self._beds)


def made() -> Deployment:
    """Build the shipped configuration."""
    checked = check(CONFIG)
    if checked.config is None or checked.faults:
        raise SystemExit(f"{CONFIG} has faults: run `tocsin check` first")
    return build_deployment(checked.config, checked.bundles)


class Parts:
    """The core and its store, called part by part."""

    def __init__(self, folder: Path) -> None:
        """Start without streams."""
        self.core = Core(made())
        self.store = Store.open(folder)
        self.source = self.core.deployment.sources[0]
        (self.runtime,) = self.source.runtimes
        self.spent: dict[str, list[float]] = defaultdict(list)

    def go_through(self, messages: list[Message], now: int) -> None:
        """Process one batch and record the time of each part."""
        with self._timed("decode"):
            readings = self.source.decoder.decode(messages, now).readings
        with self._timed("core: frames, model, conditions, alarms"):
            entries: list[JournalEntry] = [ReadingsEntry(now, [self.runtime.name], readings), TickEntry(now)]
            results = [result for entry in entries for result in self.core.apply(entry)]
        n, channels = len(messages), len(self.runtime.model.channels)
        x, state = np.ones((n, channels), np.float32), np.zeros((n, self.runtime.model.state_size), np.float32)
        with self._timed("of which the model's step alone"):
            self.runtime.model.step(x, x, x, state)
        with self._timed("store: journal and commit"):
            events = [event for result in results for event in result.events]
            self.store.commit([encode(entry) for entry in entries], events)

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.spent[part].append(time.perf_counter() - began)


class Whole:
    """The daemon's pipeline without a broker."""

    def __init__(self, folder: Path) -> None:
        """Start without streams."""
        self._now = 0
        core = Core(made())
        metrics = Metrics("0", *core.deployment.metric_labels())
        self._connection = Connection(ConnectionSettings("localhost", 1, "bench"))
        committer = Committer(Store.open(folder), lambda: encode_snapshot(core), metrics.store)
        self._pipeline = Pipeline(core, self._connection, committer, metrics, RejectLog(), clock=lambda: self._now)
        self._pipeline.stop()  # so that `run` ends once it has emptied the inbox
        self.spent: list[float] = []

    async def go_through(self, messages: list[tuple[str, bytes]], now: int) -> None:
        """Process one batch."""
        self._now = now
        began = time.perf_counter()
        for topic, payload in messages:
            self._connection.received(topic, payload, 0, retain=False)
        await self._pipeline.run()
        self.spent.append(time.perf_counter() - began)


async def in_process(streams: int, seconds: int, folder: Path) -> dict[str, float]:
    """Seconds per message by part: medians over the batches."""
    ward, parts, whole = Ward(streams), Parts(folder / "parts"), Whole(folder / "whole")
    start = int(time.time())
    for second in range(WARM_UP + seconds):
        now = (start + second) * NS_PER_S
        messages = ward.second(start + second)
        parts.go_through([Message(topic, payload, now) for topic, payload in messages], now)
        await whole.go_through(messages, now)
    spent = parts.spent | {WHOLE: whole.spent}
    return {part: float(np.median(times[WARM_UP:])) / streams for part, times in spent.items()}


class Daemon:
    """`tocsin run` with the shipped configuration and its own broker."""

    def __init__(self, folder: Path, broker_port: int) -> None:
        """Start it."""
        self._http = f"http://127.0.0.1:{(port := free_port())}"
        environment = os.environ | {
            "TOCSIN_BROKER__HOST": "127.0.0.1",
            "TOCSIN_BROKER__PORT": str(broker_port),
            "TOCSIN_HTTP__PORT": str(port),
            "TOCSIN_STORE__FOLDER": str(folder / "store"),
        }
        command = [str(Path(sys.executable).with_name("tocsin")), "run", str(CONFIG)]
        with (folder / "daemon.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def accepted(self) -> float:
        """Number of received readings."""
        found = re.search(r"^tocsin_readings_accepted_total (\S+)", self._get("/metrics"), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def is_ready(self) -> bool:
        """Whether its subscriptions are active."""
        return self._get("/-/ready") != ""

    def end(self) -> None:
        """Stop it, and wait."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=WITHIN_S)

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(self._http + path, timeout=5) as answer:  # noqa: S310  (on this machine)
                return str(answer.read(), "utf-8")
        except (urllib.error.URLError, ConnectionError):
            return ""


def free_port() -> int:
    """A free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(holds: Callable[[], bool], what: str) -> None:
    """Wait for a condition, with a timeout."""
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {WITHIN_S:g} s")
        time.sleep(0.01)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def mosquitto(program: str, folder: Path) -> Iterator[int]:
    """Start a broker with an unlimited queue; yields its port."""
    port, file = free_port(), folder / "mosquitto.conf"
    user = "user root\n" if os.geteuid() == 0 else ""
    file.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n{user}", encoding="utf-8")
    with (folder / "mosquitto.log").open("wb") as log:
        process = subprocess.Popen([program, "-c", str(file)], stdout=log, stderr=log)
    try:
        wait_for(lambda: _listens(port), "Mosquitto")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=WITHIN_S)


async def publish(port: int, messages: list[tuple[str, bytes]]) -> None:
    """Queue messages at the broker, in order, with QoS 1."""
    async with aiomqtt.Client("127.0.0.1", port, max_inflight_messages=IN_FLIGHT) as client:
        client.pending_calls_threshold = IN_FLIGHT  # it warns of more
        for begin in range(0, len(messages), IN_FLIGHT):
            piece = messages[begin : begin + IN_FLIGHT]
            await asyncio.gather(*(client.publish(topic, payload, qos=1) for topic, payload in piece))


def behind_a_broker(program: str, streams: int, seconds: int, folder: Path) -> float:
    """Seconds per message while the daemon receives queued messages."""
    ward, start = Ward(streams), int(time.time()) - seconds
    messages = [message for second in range(seconds) for message in ward.second(start + second)]
    with mosquitto(program, folder) as port:
        with daemon(folder, port) as first:  # the broker keeps its subscriptions from now on
            wait_for(first.is_ready, "the daemon")
        asyncio.run(publish(port, messages))
        with daemon(folder, port) as second:
            began = time.perf_counter()
            deadline = began + WITHIN_S
            while (asked := time.perf_counter()) < deadline and not second.accepted():
                began = asked
            wait_for(lambda: second.accepted() >= len(messages), "the last reading")
            return (time.perf_counter() - began) / len(messages)


@contextmanager
def daemon(folder: Path, port: int) -> Iterator[Daemon]:
    """Run the daemon until it has received the messages."""
    running = Daemon(folder, port)
    try:
        yield running
    finally:
        running.end()


def table(took: dict[str, float]) -> str:
    """One line per part: time per message, and its share of the total of this process."""
    whole = took[WHOLE]
    lines = ["| part | µs a message | messages a second | ratio to the whole |", "|---|---|---|---|"]
    lines += [f"| {part.strip()} | {s * 1e6:.1f} | {1 / s:,.0f} | {s / whole:.2f} |" for part, s in took.items()]
    return "\n".join(lines)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000, help="beds, each with a message a second")
    parser.add_argument("--seconds", type=int, default=30, help="of the ward")
    parser.add_argument("--no-broker", action="store_true", help="leave Mosquitto out")
    asked = parser.parse_args()
    program = None if asked.no_broker else shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        took = asyncio.run(in_process(asked.streams, asked.seconds, folder))
        if program is not None:
            took["tocsin run, behind Mosquitto"] = behind_a_broker(program, asked.streams, asked.seconds, folder)
    alarms = sum(len(runtime.engine.alarms) for runtime in made().runtimes.values())
    print(f"{asked.streams} beds, {asked.seconds} s, {alarms} alarms each, load {os.getloadavg()[0]:.1f}\n")
    print(table(took))
    if program is None and not asked.no_broker:
        print("\nMosquitto is not installed: nothing was measured behind it.")


if __name__ == "__main__":
    main()
