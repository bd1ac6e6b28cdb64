"""Tocsin as its users start it: a process of its own, seen from outside."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

TOCSIN = str(Path(sys.executable).with_name("tocsin"))
WAIT_S = 20.0


def environment(**more):
    """This process's, without what would configure Tocsin."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("TOCSIN_")}
    return kept | {"COLUMNS": "200", "NO_COLOR": "1"} | more


def tocsin(*words, env=None, cwd=None):
    """Run a command to its end."""
    return subprocess.run(
        [TOCSIN, *map(str, words)],
        env=environment(**(env or {})),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def until(what, *, within_s=WAIT_S, every_s=0.02):
    """Ask until there is an answer, and give it."""
    deadline = time.monotonic() + within_s
    while True:
        answer = what()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing within {within_s} s")
        time.sleep(every_s)


class Running:
    """A command at work, its output in files."""

    def __init__(self, folder, *words, program=TOCSIN, env=None):
        self._number = len(list(folder.glob("output-*")))
        self._out = folder / f"output-{self._number}"
        self._err = folder / f"errors-{self._number}"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [program, *map(str, words)], stdout=out, stderr=err, env=environment(**(env or {}))
            )

    @property
    def output(self):
        return self._out.read_text(encoding="utf-8")

    @property
    def errors(self):
        return self._err.read_text(encoding="utf-8")

    def says(self, pattern):
        """Wait until it has written something, on either."""

        def found():
            match = re.search(pattern, self.errors + self.output)
            if match is None and self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.errors}")
            return match

        return until(found)

    def end(self, number=signal.SIGTERM):
        """Signal it, and wait; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=WAIT_S)

    def clean_up(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=WAIT_S)


class Daemon(Running):
    """`tocsin run`."""

    def __init__(self, folder, configuration, **more):
        super().__init__(folder, "run", configuration, **more)
        self.port = int(self.says(r"Tocsin \S+: http://127\.0\.0\.1:(\d+)/metrics")[1])

    def get(self, path):
        """Ask over HTTP: status and body."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=WAIT_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def ready(self):
        until(lambda: self.get("/-/ready")[0] == 200)
        return self

    def metric(self, series):
        """A figure, by the series' name and labels as they are written."""
        found = re.search(rf"^{re.escape(series)} (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        assert found is not None, f"no series {series}"
        return float(found[1])


def call(daemon, method, path, body=None, **headers):
    """Ask over HTTP; status and JSON."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = ({"Content-Type": "application/json"} if data is not None else {}) | headers
    request = urllib.request.Request(f"http://127.0.0.1:{daemon.port}{path}", data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            kind = error.headers["content-type"]
            return error.code, {**json.load(error), "kind": kind}
