"""MQTT brokers for tests, and property tests without a deadline."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import hypothesis
import pytest
import receivers
from ports import free_port

# The time of an example depends on the machine.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

START_S = 10.0


class Broker:
    """A broker for one test on a free local port; it keeps its port after a restart."""

    host = "127.0.0.1"

    def __init__(self, command, log):
        self.port = free_port()
        self._command = command
        self._log = log
        self._process = None

    def start(self):
        command = [word.format(port=self.port) for word in self._command]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex((self.host, self.port)) == 0:
                    return self
            time.sleep(0.005)
        raise RuntimeError(f"{command[0]} did not start:\n{self._log.read_text()}")

    def stop(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=START_S)
            self._process = None

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=START_S)
            self._process = None


@pytest.fixture
def mosquitto(tmp_path):
    """Start Mosquitto brokers: `mosquitto("max_inflight_messages 20", ...)`; each line goes into its configuration."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("mosquitto is not installed")
    brokers = []

    def start(*lines):
        folder = tmp_path / f"mosquitto-{len(brokers)}"
        folder.mkdir()
        configuration = folder / "mosquitto.conf"
        broker = Broker([program, "-c", str(configuration)], folder / "log")
        default = [] if any(line.startswith("allow_anonymous") for line in lines) else ["allow_anonymous true"]
        # Started by root, Mosquitto changes to a user without access to the test's files.
        user = ["user root"] if os.geteuid() == 0 else []
        listener = f"listener {broker.port} {broker.host}"
        configuration.write_text("\n".join([listener, *default, *user, *lines, ""]))
        brokers.append(broker)
        return broker.start()

    yield start
    for broker in brokers:
        broker.stop()


@pytest.fixture
def nats(tmp_path):
    """Start a NATS server with its MQTT listener."""
    beside_python = Path(sys.executable).parent / "nats-server"  # location in the wheel
    program = str(beside_python) if beside_python.exists() else shutil.which("nats-server")
    if program is None:
        pytest.skip("nats-server is not installed")
    configuration = tmp_path / "nats.conf"
    broker = Broker([program, "-c", str(configuration)], tmp_path / "nats.log")
    configuration.write_text(
        f'server_name: test\nlisten: "127.0.0.1:{free_port()}"\n'
        f'jetstream {{ store_dir: "{tmp_path}/jetstream" }}\n'
        f'mqtt {{ listen: "127.0.0.1:{broker.port}" }}\n'
    )
    yield broker.start()
    broker.stop()


@pytest.fixture
def alertmanager(tmp_path):
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("prometheus-alertmanager is not installed")
    server = receivers.Alertmanager(program, tmp_path, free_port())
    yield server
    server.stop()


@pytest.fixture
def receiver():
    server = receivers.Receiver()
    yield server
    server.stop()
