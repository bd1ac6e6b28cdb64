"""Machine sensors with seasons and late readings, in event time and in arrival time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from harness.daemon import Daemon, S

from scenarios.inputs import HOUR, MS, T0, wander
from scenarios.results import collected, question

SENSOR: dict[str, Any] = {
    "broker": {"host": "127.0.0.1", "client_id": "golden"},
    "sources": [{"topic": "slow/{machine}", "watch": "slow"}, {"topic": "fast/{machine}", "watch": "fast"}],
    "watches": {
        "slow": {
            "model": "sensor/1",
            "clock": "event",
            "lateness_s": 600,
            "reprocess_late_ticks": 12,
            "aggregate": {"value": "mean"},
            "alarms": {
                "broken": {"probability": {}},
                "broken-sure": {"probability": {"threshold": 0.5}, "priority": "high"},
            },
        },
        "fast": {
            "model": "sensor/1",
            "period_s": 10,
            "lateness_s": 20,
            "reprocess_late_ticks": 6,
            "aggregate": {"value": "max"},
            "alarms": {
                "fault": {"probability": {}, "on_delay_s": 20},
                "still": {"flatline": {"channel": "value", "for_s": "5 min"}},
                "gone": {"silent": {"for_s": "3 min"}},
            },
            "overrides": [{"streams": "b", "limits": {"fault": 0.2}}],
        },
    },
    "http": {"port": 0},
}


def sensor(folder: Path) -> dict[str, Any]:
    """Six series with seasons of different lengths, jumps, spikes, drifts and late readings."""
    daemon = Daemon(folder, SENSOR, T0)
    rng = np.random.default_rng(31)
    ticks = 420
    at = np.arange(2 * ticks)
    slow: dict[str, np.ndarray] = {}
    fast: dict[str, np.ndarray] = {}
    for number, (into, name, season, scale) in enumerate(
        [
            (slow, "p", 48, 3.0),
            (slow, "q", 144, 0.02),
            (slow, "r", 12, 500.0),
            (fast, "a", 60, 1.0),
            (fast, "b", 90, 20.0),
        ]
    ):
        series = np.sin(2 * np.pi * at / season) + 0.15 * wander(rng, 2 * ticks, 1.0, 0.7) + 0.1 * number
        series[500:520] += 4.0 if number % 2 == 0 else 0.0
        series[640:] += 2.5 if number % 2 == 1 else 0.0
        series[300] += 6.0
        series[700:790] = series[700] if name == "a" else series[700:790]
        into[name] = np.round(scale * series + 5 * scale, 5)
    late: list[tuple[int, tuple[str, Any]]] = []
    for i in range(2 * ticks):
        now = T0 + i * 5 * S
        messages = [entry for due, entry in late if due == i]
        # Two values in each tick; the slow ones are a recording of earlier days.
        for names, prefix, step, begin in ((slow, "slow", 150, T0 - 40 * HOUR), (fast, "fast", 5, T0)):
            for name, series in names.items():
                if name == "b" and 560 <= i < 660:
                    continue
                entry = (f"{prefix}/{name}", {"t": (begin + i * step * S) // MS, "value": float(series[i])})
                delay = int(rng.choice([0, 0, 0, 0, 1, 3, 9, 30]))
                if delay:
                    late.append((i + delay, entry))
                else:
                    messages.append(entry)
        daemon.feed(messages, now)
    question(daemon, T0 + 10 * ticks * S, "alarms?all=true", "streams")
    made = collected(daemon, metrics=daemon.metrics(T0 + 10 * ticks * S))
    daemon.stop()
    return made
