"""The daemon as its users run it: a process of its own, watched through its log, its exit code and its HTTP port."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

TOCSIN = str(Path(sys.executable).parent / "tocsin")
START_S = 30.0


class Daemon:
    """`tocsin run` on a configuration; its HTTP port must be 0 and is read from the log."""

    def __init__(self, configuration: Path):
        self.log_file = configuration.with_suffix(".log")
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen([TOCSIN, "run", str(configuration)], stderr=log, stdout=log)
        self.port = int(self.wait_for_log(r"http://[^:]+:(\d+)/metrics")[1])

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def wait_for_log(self, pattern: str) -> re.Match[str]:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            found = re.search(pattern, self.log)
            if found:
                return found
            if self.process.poll() is not None:
                raise AssertionError(f"the daemon ended with {self.process.returncode}:\n{self.log}")
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} in the log:\n{self.log}")

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, series: str) -> float:
        """The value of one series, as `tocsin_rejects_total{reason="time"}`."""
        _, text = self.get("/metrics")
        for line in text.splitlines():
            if line.startswith(series + " "):
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"no series {series} in\n{text}")

    def wait_for_metric(self, series: str, value: float, within_s: float = 60.0) -> None:
        deadline = time.monotonic() + within_s
        while self.metric(series) != value:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{series} is {self.metric(series)} and not {value} after {within_s} s:\n{self.log}"
                )
            time.sleep(0.05)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while self.get("/-/ready")[0] != 200:
            if time.monotonic() > deadline:
                raise AssertionError(f"not ready: {self.get('/-/ready')[1]}\n{self.log}")
            time.sleep(0.02)

    def stop(self, within_s: float = 20.0) -> int:
        """Send SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=within_s)

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
