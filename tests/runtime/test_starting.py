"""What the daemon says as it starts and ends, and what keeps it from starting."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess

import pytest
from processes import tocsin

import tocsin as package


async def test_libraries_keep_quiet(mosquitto, configuration, run):
    broker = mosquitto()
    daemon = run(configuration(broker.port)).ready()
    daemon.get("/metrics")
    assert daemon.end() == 0
    logged = [line.split(" ", 2)[2] for line in daemon.errors.splitlines()]
    assert logged == [
        f"Tocsin {package.__version__}: http://127.0.0.1:{daemon.port}/metrics",
        "store: none is configured, so a restart forgets streams, alarms and their history",
        "watch ward: toy/1",
        f"connected to mqtt://127.0.0.1:{broker.port} as 'tocsin'",
        "stopping: finishing what has been received",
        "stopped",
    ]


def test_a_port_in_use(configuration):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        file = configuration(1, http=port)
        done = tocsin("run", file)
    assert done.returncode == 1
    hint = "is another daemon running, or the address not this machine's?"
    assert done.stderr.splitlines() == [
        f"error: can't listen on 127.0.0.1:{port} (Address already in use): {hint}",
        f"remedy: set http.port in {file}, or TOCSIN_HTTP__PORT",
    ]


def test_a_password_file_that_is_missing_or_no_text(configuration, tmp_path):
    file = configuration(1, broker="username: nurse, password_file: secret")
    done = tocsin("run", file)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].endswith("broker.password_file: file 'secret' does not exist")
    (tmp_path / "secret").write_bytes(b"hunter2\xff")
    done = tocsin("run", file)
    assert done.returncode == 1
    assert done.stderr == f"error: password file {tmp_path / 'secret'} is not UTF-8\n"


async def test_a_password_from_a_file(mosquitto, configuration, run, tmp_path):
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto_passwd is not installed")
    await asyncio.to_thread(
        subprocess.run, ["mosquitto_passwd", "-c", "-b", tmp_path / "users", "nurse", "hunter2"], check=True
    )
    broker = mosquitto("allow_anonymous false", f"password_file {tmp_path / 'users'}")
    (tmp_path / "secret").write_text("hunter2\n")
    daemon = run(configuration(broker.port, broker="username: nurse, password_file: secret")).ready()
    assert daemon.end() == 0
    assert "hunter2" not in daemon.errors
    # A wrong one is logged, and tried again: it may be corrected at the broker.
    (tmp_path / "secret").write_text("wrong")
    daemon = run(configuration(broker.port, broker="username: nurse, password_file: secret"))
    daemon.says(r"ERROR mqtt://127.0.0.1:\d+ refuses this client")
    assert daemon.get("/-/ready")[0] == 503
    assert daemon.end() == 0
