"""Start and black-box check of the built container."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from container_check.stage import CheckError, Stage, inside, into, mount

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_S = 30.0


class Container:
    """The running last stage: its tree is read-only, except for volumes and /tmp."""

    def __init__(self, stage: Stage, environment: dict[str, str]) -> None:
        """Make the tree read-only and start the image's command."""
        self._stage = stage
        self._environment = environment
        for folder in stage.volumes:
            mount("--bind", stage.at(folder), stage.at(folder))
        mount("-o", "remount,bind,ro", stage.root)
        mount("-t", "tmpfs", "tmpfs", stage.at("/tmp"))  # noqa: S108  (as --tmpfs /tmp)
        command = [*stage.entrypoint, *stage.command]
        print(f"starting {shlex.join(command)} as {stage.user}", flush=True)
        self.process = subprocess.Popen(
            into(stage, command, environment, stage.user), stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
        )

    def succeeds(self, *command: str) -> bool:
        """Whether a command inside succeeds for the image's user."""
        try:
            inside(self._stage, list(command), environment=self._environment, user=self._stage.user)
        except CheckError:
            return False
        return True

    def is_healthy(self) -> bool:
        """Result of the image's health check."""
        return self.succeeds(*self._stage.health)


def behave(stage: Stage, broker: int | None) -> None:
    """Start the daemon and check it from outside.

    Raises:
        CheckError: The container deviates from docs/container.md.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {"TOCSIN_HTTP__PORT": str(port)}
    if broker is not None:
        environment |= {"TOCSIN_BROKER__HOST": "127.0.0.1", "TOCSIN_BROKER__PORT": str(broker)}
    container = Container(stage, environment)
    try:
        _until("healthy", lambda: container.process.poll() is not None or container.is_healthy())
        _must("runs on", holds=container.process.poll() is None)
        _look(container, stage, port)
        if broker is not None:
            _until("ready", lambda: _status(port, "/-/ready") == 200)  # noqa: PLR2004  (HTTP's own)
        container.process.send_signal(signal.SIGTERM)
        code = container.process.wait(timeout=WAIT_S)
        _must(f"ends with 0 and not {code}", holds=code == 0)
        _must("the health check notices that it ended", holds=not container.is_healthy())
    except CheckError as error:
        container.process.kill()
        errors = container.process.stderr.read() if container.process.stderr else ""
        raise CheckError(f"{error}\n{errors}") from error


def _look(container: Container, stage: Stage, port: int) -> None:
    user = Path(f"/proc/{container.process.pid}/status").read_text(encoding="utf-8")
    _must("runs as an unprivileged user", holds=re.search(r"^Uid:\s+10001\s+10001", user, re.MULTILINE) is not None)
    _must("has no capability", holds=re.search(r"^CapEff:\s+0+$", user, re.MULTILINE) is not None)
    _must("serves metrics", holds=_status(port, "/metrics") == 200)  # noqa: PLR2004  (HTTP's own)
    store = f"{stage.environment['TOCSIN_STORE__FOLDER']}/tocsin.db"
    _must(f"keeps its store in {store}", holds=container.succeeds("test", "-s", store))
    for folder in ("/", "/etc/tocsin", "/opt/tocsin/bin", "/usr/bin", "/src", "/root"):
        _must(f"can't write to {folder}", holds=not container.succeeds("touch", f"{folder}/x"))
    for folder in (*stage.volumes, "/tmp"):  # noqa: S108  (a path inside)
        _must(f"can write to {folder}", holds=container.succeeds("touch", f"{folder}/x"))
    for module in ("torch", "pip", "setuptools", "onnx", "polars"):
        _must(f"has no {module}", holds=not container.succeeds("/opt/tocsin/bin/python3", "-c", f"import {module}"))
    _must("its configuration has no faults", holds=container.succeeds("tocsin", "check", stage.command[-1]))


def _must(what: str, *, holds: bool) -> None:
    if not holds:
        raise CheckError(f"not so: {what}")
    print(f"  {what}", flush=True)


def _until(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        if time.monotonic() > deadline:
            raise CheckError(f"not {what} within {WAIT_S:g} s")
        time.sleep(0.1)
    print(f"  {what}", flush=True)


def _status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
