"""Forecasts of arterial pressure with quantiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from harness.daemon import Daemon, S

from scenarios.inputs import MINUTE, MS, T0, ramp, wander
from scenarios.results import collected, question

PRESSURE: dict[str, Any] = {
    "broker": {"host": "127.0.0.1", "client_id": "golden"},
    "sources": [{"topic": "pressure/{ward}/{bed}"}],
    "watches": {
        "pressure": {
            "model": "pressure-minute/1",
            "frame_timeout_s": 30,
            "alarms": {
                "map-will-fall": {"forecast": {"channel": "map", "below": 65, "probability": 0.5}, "priority": "high"},
                "map-may-fall": {
                    "forecast": {"channel": "map", "below": 65, "probability": 0.1},
                    "on_delay_s": "2 min",
                },
                "map-will-rise": {"forecast": {"channel": "map", "above": 105, "probability": 0.25}},
                "map-low": {"below": {"channel": "map", "limit": 65, "deadband": 2}, "priority": "high"},
                "odd": {"anomaly": {"threshold": 0.6}, "priority": "low", "on_delay_s": "1 min"},
                "both": {
                    "all_of": [
                        {"forecast": {"channel": "map", "below": 70, "probability": 0.3}},
                        {"falls": {"channel": "map", "by": 10, "within_s": "20 min"}},
                    ]
                },
                "silent": {"silent": {"for_s": "5 min"}},
            },
            "overrides": [{"streams": "*/c", "limits": {"map-will-fall": 75}, "off": ["map-may-fall"]}],
        }
    },
    "publish": {"scores": True},
    "http": {"port": 0},
}


def pressure(folder: Path) -> dict[str, Any]:
    """Three patients' arterial pressure for four hours: one falls, one rises and stops sending, one oscillates."""
    daemon = Daemon(folder, PRESSURE, T0)
    rng = np.random.default_rng(51)
    minutes = 240
    beds = {
        "icu/a": 85 + ramp(minutes, (60, 0), (130, -30), (170, -28), (230, 0)),
        "icu/b": 88 + ramp(minutes, (40, 0), (110, 30), (150, 5)),
        "icu/c": 78 + 6 * np.sin(np.arange(minutes) / 12),
    }
    beds["icu/c"][200:206] += 22
    shown = {name: np.round(series + wander(rng, minutes, 2.5, 0.8), 1) for name, series in beds.items()}
    for minute in range(minutes):
        now = T0 + minute * MINUTE + S
        messages = []
        for name, series in shown.items():
            if name == "icu/b" and 180 <= minute < 195:
                continue
            value = None if name == "icu/c" and 100 <= minute < 106 else float(series[minute])
            messages.append((f"pressure/{name}", {"t": (T0 + minute * MINUTE) // MS, "map": value}))
        daemon.feed(messages, now)
        daemon.tick(now + 30 * S)
        if minute == 120:
            daemon.ask("set-limit", now + 30 * S, actor="doctor", stream="icu/a", alarm="map-will-fall", limit=60)
    question(daemon, T0 + minutes * MINUTE, "alarms?all=true", "streams")
    made = collected(daemon)
    daemon.stop()
    return made
