"""A ward of eight beds, with conditions of every kind that a forecasting model can have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from harness.configuration import from_yaml
from harness.daemon import Daemon, S

from scenarios.inputs import MS, T0, merged, ramp, vitals
from scenarios.results import collected, question


def ward_beds(length: int) -> dict[str, list[dict[str, float | None] | None]]:  # noqa: C901  (a line a bed)
    """Values of each bed in each second; None without a message."""
    beds: dict[str, list[dict[str, float | None] | None]] = {}
    names = ["icu/1", "icu/2", "icu/3", "icu/4", "paediatric/1", "paediatric/2", "step/5", "step/6"]
    for number, bed in enumerate(names):
        rng = np.random.default_rng([7, number])
        v = vitals(rng, length)
        gaps: dict[str, np.ndarray] = {name: np.zeros(length, dtype=bool) for name in v}
        silent = np.zeros(length, dtype=bool)
        second = np.arange(length)
        if bed == "icu/1":
            v["hr"] += ramp(length, (300, 0), (600, 90), (900, 90), (1100, 0))
            v["sbp"] += ramp(length, (300, 0), (650, -80), (900, -75), (1150, 0))
            v["rr"] += ramp(length, (300, 0), (600, 20), (950, 18), (1200, 0))
            v["spo2"] += ramp(length, (400, 0), (700, -15), (900, -14), (1000, 0))
        if bed == "icu/2":
            v["hr"] += np.where((second > 200) & (second < 500) & (second % 16 < 8), 28, 0)
            v["spo2"] -= np.where((second > 700) & (second < 900) & (second % 14 < 7), 5, 0)
            v["rr"] = np.where((second > 1200) & (second < 1260), 1.0, v["rr"])
            gaps["sbp"] |= second % 30 > 0
            gaps["dbp"] |= second % 30 > 0
        if bed == "icu/3":
            gaps["hr"] |= (second > 200) & (second < 420)
            v["hr"] = np.where((second > 600) & (second < 900), 80.0, v["hr"])
            v["hr"] = np.where((second > 1000) & (second < 1080), 400.0, v["hr"])
            v["rr"] = np.where((second > 1100) & (second < 1300) & (second % 3 == 0), 500.0, v["rr"])
        if bed == "icu/4":
            silent |= (second > 400) & (second < 520)
            silent |= second > 1500
            v["hr"] += np.where((second > 900) & (second < 1000), -45, 0)
        if bed == "paediatric/1":
            v["hr"] += 55 + ramp(length, (600, 0), (700, 35), (800, 35), (900, 0))
        if bed == "paediatric/2":
            v["temp"] += ramp(length, (100, 0), (500, 2.4), (1200, 2.6), (1600, 0))
        if bed == "step/5":
            gaps["dbp"][:] = True
            gaps["temp"] |= second % 60 > 0
            v["sbp"] += ramp(length, (1000, 0), (1100, 50), (1300, 95), (1400, 0))
        if bed == "step/6":
            for name, by in (("hr", 80), ("spo2", -20), ("rr", 30), ("sbp", -85), ("dbp", -40), ("temp", -2.5)):
                v[name] += ramp(length, (1200, 0), (1215, by), (1400, by), (1450, 0))
        shown = {name: np.round(column, 1) for name, column in v.items()}
        beds[bed] = [
            None if silent[i] else {name: None if gaps[name][i] else float(shown[name][i]) for name in shown}
            for i in range(length)
        ]
    return beds


def ward_messages(length: int) -> Iterator[tuple[int, list[tuple[str, Any]]]]:
    """Messages of each second with their arrival times: also late, doubled and out of order."""
    rng = np.random.default_rng(11)
    arriving: dict[int, list[tuple[str, Any]]] = {}
    for bed, values in ward_beds(length).items():
        for i, given in enumerate(values):
            if given is None:
                continue
            body = {"t": T0 // MS + 1000 * i, **given}
            delay = 0
            if bed == "paediatric/2":
                delay = int(rng.choice([0, 0, 0, 1, 2, 9]))
                if rng.random() < 0.05:
                    arriving.setdefault(i + delay + 1, []).append((f"vitals/{bed}", body))
            if bed == "step/5" and i % 7 == 0:
                # Channels of one second in two messages.
                half = {name: body.pop(name) for name in ("hr", "sbp")}
                arriving.setdefault(i, []).append((f"vitals/{bed}", {"t": body["t"], **half}))
            arriving.setdefault(i + delay, []).append((f"vitals/{bed}", body))
    for i in range(length):
        yield T0 + i * S + 300 * MS, arriving.get(i, [])


WARD: dict[str, Any] = {
    "broker": {"host": "127.0.0.1", "client_id": "golden"},
    "sources": [{"topic": "vitals/{ward}/{bed}"}],
    "watches": {
        "ward": {
            "model": "ward-vitals/1",
            "lateness_s": 2,
            "frame_timeout_s": 3,
            "adapt": {"max_ratio": 3, "settle_s": "5 min", "max_rise_per_hour": 2},
            "overrides": [
                {"streams": "paediatric/*", "limits": {"hr-high": 160, "hr-touchy": 150}},
                {"streams": ["step/5", "step/6"], "off": ["hr-flat", "odd-or-hot"], "budgets": {"odd-by-budget": 20}},
                {"streams": "*/2", "limits": {"deterioration": 1.5}, "profile": {"oxygen": 1}, "adapt": False},
            ],
        }
    },
    "alarms": {
        "physiological": {
            "escalate": [{"after_s": "2 min", "to": "high"}],
            "re_alarm_s": "3 min",
            "chattering": {"off_delay_s": "30 s"},
        },
        "technical": {"escalate": [{"after_s": "90 s", "to": "medium"}], "chattering": {"shelve_s": "10 min"}},
    },
    "groups": {"by": ["ward"], "flood": {"begin": 6, "end": 3, "window_s": "2 min", "except_priorities": ["high"]}},
    "metrics": {"streams": ["icu/*"], "max_streams": 3},
    "http": {"port": 0},
}


def ward(folder: Path) -> dict[str, Any]:
    """Eight beds for thirty minutes, with conditions of every kind that a forecasting model can have."""
    alarms = from_yaml(Path(__file__).with_name("ward.yaml"))
    daemon = Daemon(folder, merged(WARD, {"watches": {"ward": {"alarms": alarms}}}), T0)
    asked = {
        430: ("acknowledge", {"stream": "icu/1", "alarm": "hr-high"}),
        640: ("acknowledge", {"stream": "icu/1", "alarm": "hr-very-high"}),
        660: ("acknowledge-group", {"labels": {"ward": "icu"}}),
        700: ("shelve", {"stream": "paediatric/2", "alarm": "temp-high", "for_s": 120, "comment": "known fever"}),
        1270: ("acknowledge", {"stream": "icu/2", "alarm": "apnoea"}),
        1300: ("acknowledge", {"stream": "icu/1", "alarm": "shock"}),
        1320: ("reset", {"stream": "icu/1", "alarm": "shock"}),
        1330: ("acknowledge", {"stream": "step/6", "alarm": "shock"}),
    }
    length = 1800
    for i, (now, messages) in enumerate(ward_messages(length)):
        daemon.feed(messages, now)
        if i in asked:
            verb, body = asked[i]
            daemon.ask(verb, now, actor="nurse", **body)
        if i == 1290:
            question(daemon, now, "alarms", "streams")
    question(daemon, T0 + length * S, "alarms?all=true", "streams")
    made = collected(daemon, metrics=daemon.metrics(T0 + length * S))
    daemon.stop()
    return made
