"""Hourly records of intensive care with sparse laboratory values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from harness.daemon import Daemon, S

from scenarios.inputs import HOUR, MS, T0
from scenarios.results import collected, question

ICU: dict[str, Any] = {
    "broker": {"host": "127.0.0.1", "client_id": "golden"},
    "sources": [{"topic": "icu/{stay}"}],
    "watches": {
        "icu": {
            "model": "icu-hourly/1",
            "clock": "event",
            "alarms": {
                "sepsis": {"probability": {}, "priority": "medium"},
                "sepsis-sure": {"probability": {"threshold": 0.3}, "priority": "high", "on_delay_s": "2 h"},
                "sepsis-and-fever": {
                    "all_of": [{"probability": {"threshold": 0.02}}, {"above": {"channel": "temp", "limit": 38.3}}]
                },
                "lactate-high": {"above": {"channel": "lactate", "limit": 4, "deadband": 0.5}},
            },
        }
    },
    "publish": {"scores": True},
    "http": {"port": 0},
}
_BEDSIDE = {"hr": (82, 6), "spo2": (97, 1.2), "sbp": (120, 9), "map": (82, 6), "dbp": (63, 5), "rr": (17, 2)}
_LABS = {
    "wbc": (9, 1.5), "lactate": (1.4, 0.3), "creatinine": (0.9, 0.1), "platelets": (220, 20), "bun": (16, 3),
    "glucose": (125, 15), "potassium": (4.1, 0.3), "hct": (33, 2), "hgb": (11, 0.8), "ph": (7.4, 0.03),
    "hco3": (24, 2), "bilirubin_total": (0.8, 0.2), "fio2": (0.4, 0.05), "paco2": (40, 3),
}  # fmt: skip
_SEPTIC = {
    "hr": 45, "sbp": -38, "map": -26, "dbp": -16, "rr": 13, "temp": 2.2, "wbc": 12, "lactate": 4.5, "creatinine": 1.6,
    "platelets": -110, "spo2": -6,
}  # fmt: skip


def icu(folder: Path) -> dict[str, Any]:
    """Five stays of 72 hours with sparse laboratory values, two of them septic."""
    later = T0 + 100 * HOUR  # a recording
    daemon = Daemon(folder, ICU, later)
    rng = np.random.default_rng(21)
    hours, stays = 72, 5
    for hour in range(hours):
        messages = []
        for stay in range(stays):
            if stay == 3 and 20 <= hour < 27:
                continue  # no record for seven hours
            if stay == 4 and hour < 10:
                continue  # admitted later
            grave = float(np.interp(hour, [25, 45, 60], [0, 1, 0.4])) if stay in {0, 3} else 0.0
            row: dict[str, Any] = {"t": (T0 + hour * HOUR) // MS}
            for name, (middle, spread) in _BEDSIDE.items():
                value = rng.normal(middle, spread) + grave * _SEPTIC.get(name, 0)
                row[name] = None if rng.random() < 0.1 else round(min(value, 100.0) if name == "spo2" else value, 1)
            row["temp"] = round(rng.normal(36.9, 0.2) + grave * _SEPTIC["temp"], 1) if hour % 4 == 0 else None
            for name, (middle, spread) in _LABS.items():
                if rng.random() < 0.08:
                    row[name] = round(rng.normal(middle, spread) + grave * _SEPTIC.get(name, 0), 3)
            row |= {"age": 50 + 6 * stay, "male": stay % 2, "hospital_hours": -3.5 - stay}
            if stay != 2:
                row["medical_unit"] = stay % 2
            messages.append((f"icu/{stay}", row))
        if hour == 40:
            messages.reverse()
        daemon.feed(messages, later + hour * S)
    daemon.feed([("icu/1", {"t": (T0 + 30 * HOUR) // MS, "hr": 80})], later + hours * S)  # long past
    question(daemon, later + hours * S, "alarms?all=true", "streams")
    made = collected(daemon)
    daemon.stop()
    return made
