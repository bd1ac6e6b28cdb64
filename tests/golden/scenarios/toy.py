"""Toy beds with two channels: the configuration and a daemon with one reading per second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.bundles import write_toy
from harness.daemon import Daemon, S

from scenarios.inputs import MS, T0, merged

TOY: dict[str, Any] = {
    "broker": {"host": "127.0.0.1", "client_id": "golden"},
    "sources": [{"topic": "vitals/{ward}/{bed}"}],
    "watches": {
        "ward": {
            "model": "toy",
            "lateness_s": 1,
            "frame_timeout_s": 2,
            "alarms": {
                "hr-high": {
                    "above": {"channel": "hr", "limit": 120, "deadband": 5},
                    "priority": "high",
                    "on_delay_s": 1,
                },
                "spo2-low": {"below": {"channel": "spo2", "limit": 85}, "on_clear": "acknowledge"},
                "odd": {"anomaly": {"threshold": 105}, "priority": "low"},
                "latched": {"above": {"channel": "hr", "limit": 140}, "on_clear": "latch"},
                "bed-silent": {"silent": {"for_s": 6}},
            },
        }
    },
    "publish": {"scores": True},
    "http": {"port": 0},
}


def bed(name: str, second: float, **values: float | None) -> tuple[str, Any]:
    """Message of one reading of a bed."""
    return f"vitals/{name}", {"t": (T0 + round(second * S)) // MS, **values}


class Toy:
    """A daemon with toy beds and one reading per second."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        """Start it."""
        if not (folder / "toy").exists():
            write_toy(folder, "toy", remembers=True)
        self.configuration = merged(TOY, changes)
        self.folder = folder
        self.daemon = Daemon(folder, self.configuration, T0)
        self.second = 0
        self.rates: dict[str, float] = {"icu/a": 80, "icu/b": 80, "step/c": 80}

    @property
    def now(self) -> int:
        """Nanoseconds since 1970."""
        return T0 + self.second * S + 100 * MS

    def run(self, seconds: int, **rates: float | None) -> None:
        """Let some seconds pass; `rates` sets the pulse of beds by the last part of their names, None stops them."""
        for name in list(self.rates):
            short = name.rpartition("/")[2]
            if short in rates:
                self.rates[name] = rates[short]
        for _ in range(seconds):
            self.second += 1
            messages = [bed(n, self.second, hr=r, spo2=97) for n, r in self.rates.items() if r is not None]
            self.daemon.feed(messages, self.now)

    def ask(self, verb: str, **body: Any) -> dict[str, Any]:
        """Send a command of a nurse."""
        return self.daemon.ask(verb, self.now, **{"actor": "nurse", **body})
