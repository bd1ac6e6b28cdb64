"""MQTT broker of the demonstration, on a free port of the loopback interface."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tocsin_training.demo.subprocesses import ChildProcess, DemoError

HOST = "127.0.0.1"
_READY_WITHIN_S = 10.0
_POLL_S = 0.02


class BrokerKind(StrEnum):
    """Broker implementation."""

    NATS = "nats"  # comes with `pip install tocsin[demo]`; MQTT 3.1.1 only
    MOSQUITTO = "mosquitto"  # has to be on the PATH


@dataclass(frozen=True, slots=True)
class DemoBroker:
    """A running broker.

    Attributes:
        child: Its process.
        port: MQTT port.
        version: Of MQTT, as the daemon's configuration calls it.
    """

    child: ChildProcess
    port: int
    version: str


async def start(kind: BrokerKind, folder: Path) -> DemoBroker:
    """Start a broker and wait until it answers.

    Args:
        kind: Implementation.
        folder: For its configuration, its store and its log; the caller removes it.

    Raises:
        DemoError: The program is not installed, or does not start.
    """
    port, other_port = _free_port(), _free_port()
    if kind is BrokerKind.NATS:
        program, version = "nats-server", "3.1.1"
        file = folder / "nats.conf"
        file.write_text(
            f'server_name: tocsin-demo\nlisten: "{HOST}:{other_port}"\n'
            f'jetstream {{ store_dir: "{folder / "jetstream"}" }}\n'  # for sessions, retained messages
            f'mqtt {{ listen: "{HOST}:{port}" }}\n',
            encoding="utf-8",
        )
    else:
        program, version = "mosquitto", "5"
        file = folder / "mosquitto.conf"
        file.write_text(f"listener {port} {HOST}\nallow_anonymous true\npersistence false\n", encoding="utf-8")
    child = await ChildProcess.start(
        f"the broker {program}", [_find(program), "-c", str(file)], folder / "broker.log", os.environ
    )
    await _answers(child, port)
    return DemoBroker(child, port, version)


def _find(program: str) -> str:
    """Path of the program: beside this Python, where pip puts it, or on the PATH."""
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin"])
    found = shutil.which(program, path=search)
    if found is None:
        remedy = "install tocsin[demo]" if program == "nats-server" else "install mosquitto, or leave --broker out"
        raise DemoError(f"the broker {program} is not on the PATH\n{remedy}")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


async def _answers(child: ChildProcess, port: int) -> None:
    try:
        async with asyncio.timeout(_READY_WITHIN_S):
            while True:
                child.check()
                try:
                    _, writer = await asyncio.open_connection(HOST, port)
                except OSError:
                    await asyncio.sleep(_POLL_S)
                    continue
                writer.close()
                return
    except TimeoutError:
        failure = child.failure(f"does not answer on port {port} after {_READY_WITHIN_S:g} s")
        await child.stop(within_s=0.5)
        raise failure from None
