"""Stream commands: limits, profiles, standby, transfer, discharge, export and import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness.bundles import write_toy
from harness.daemon import Daemon, S

from scenarios.inputs import MS, T0, ramp, vitals
from scenarios.results import collected, question

STREAMS: dict[str, Any] = {
    "broker": {"host": "127.0.0.1", "client_id": "golden"},
    "sources": [{"topic": "vitals/{ward}/{bed}", "watch": ["ward", "simple"]}],
    "watches": {
        "ward": {
            "model": "ward-vitals/1",
            "frame_timeout_s": 2,
            "alarms": {
                "hr-high": {"above": {"channel": "hr", "limit": 120, "deadband": 5}, "on_clear": "latch"},
                "odd": {"anomaly": {"threshold": 3}, "priority": "low"},
                "news2": {
                    "news2": {"respiration": "rr", "spo2": "spo2", "systolic": "sbp", "pulse": "hr"},
                    "priority": "high",
                },
            },
            "overrides": [{"streams": "step/*", "limits": {"hr-high": 130}, "profile": {"news2_scale": 2}}],
        },
        "simple": {
            "model": "toy",
            "frame_timeout_s": 2,
            "max_streams": 6,
            "evict_after_s": 40,
            "alarms": {
                "spo2-low": {"below": {"channel": "spo2", "limit": 90, "deadband": 1}, "on_delay_s": 2},
                "gone": {"silent": {"for_s": 20}},
            },
        },
    },
    "store": {"folder": "state"},
    "http": {"port": 0},
}


def streams(folder: Path) -> dict[str, Any]:  # noqa: C901, PLR0915  (one command after the other)
    """All stream commands in two watches with a store, refused and repeated ones included."""
    write_toy(folder, "toy", remembers=True)
    daemon = Daemon(folder, STREAMS, T0)
    length = 420
    names = ["icu/1", "icu/2", "step/3", "step/4", "icu/new"]
    data = {name: vitals(np.random.default_rng([61, number]), length) for number, name in enumerate(names)}
    data["icu/1"]["hr"] += ramp(length, (20, 0), (30, 55), (200, 55), (210, 0))
    data["step/3"]["spo2"] -= ramp(length, (40, 0), (50, 9), (300, 9), (310, 0))
    sent = {"icu/1": "icu/1", "icu/2": "icu/2", "step/3": "step/3", "step/4": "step/4"}  # destination of the data
    memory = {}
    ask: Callable[..., Any]

    def at(second: int) -> None:
        nonlocal memory
        match second:
            case 35:
                ask("set-limit", stream="icu/1", alarm="hr-high", limit=140, comment="known", transaction="s1")
                ask("set-limit", stream="icu/1", alarm="hr-high", limit=140, comment="known", transaction="s1")
                ask("set-limit", stream="icu/1", alarm="hr-high", limit=150, transaction="s1")
                ask("set-limit", stream="icu/1", alarm="hr-high", limit=400)
                ask("set-limit", stream="icu/1", alarm="spo2-low", limit=80)
                ask("set-limit", stream="icu/1", alarm="news2", limit=3)
                ask("set-limit", stream="icu/1", alarm="nothing", limit=3)
                ask("set-limit", stream="unknown", alarm="hr-high", limit=130)
            case 60:
                ask("set-profile", stream="step/3", values={"oxygen": 1, "news2_scale": 1})
                ask("set-profile", stream="step/3", values={"oxygen": 7})
                ask("set-profile", stream="step/3", values={"age": 60})
                ask("set-limit", stream="icu/1", alarm="hr-high", limit=None)
            case 80:
                memory = {name: daemon.export(name, now) for name in ("icu/1", "step/3", "unknown")}
                ask("standby", stream="step/4", comment="X-ray")
                ask("standby", stream="icu/2", until="2025-11-24T16:02:30Z")
                ask("standby", stream="unknown")
            case 110:
                ask("resume", stream="step/4")
                ask("resume", stream="step/4")
                ask("transfer", stream="icu/1", to="step/9", comment="better")
                sent["icu/1"] = "step/9"
                ask("transfer", stream="icu/1", to="step/8")
            case 140:
                ask("admit", stream="icu/1", labels={"team": "red"}, profile={"alert": 0}, comment="new")
                sent["icu/new"] = "icu/1"
                ask("admit", stream="icu/+", labels={})
                ask("transfer", stream="step/3", to="icu/1")
            case 170:
                ask("reset-stream", stream="step/3")
                ask("discharge", stream="step/9")
                del sent["icu/1"]
            case 200:
                ask("import-stream", stream="icu/7", memory=memory["icu/1"], transaction="i1")
                ask("import-stream", stream="icu/7", memory=memory["icu/1"], transaction="i1")
                sent["icu/1"] = "icu/7"
                ask("import-stream", stream="icu/8", memory="AAAA")
                ask("import-stream", stream="icu/8", memory="?")
                del sent["icu/2"]  # evicted by the watch that evicts idle streams
            case 290:
                sent["icu/2"] = "icu/2"
                sent["icu/new"] = "icu/9"
                ask("discharge", stream="unknown")
            case 330:
                ask("transfer", stream="icu/2", to="icu/7")
                del sent["icu/2"]

    for i in range(length):
        now = T0 + i * S + 200 * MS

        def ask(verb: str, now: int = now, **body: Any) -> Any:
            return daemon.ask(verb, now, **{"actor": "nurse", **body})

        at(i)
        messages = []
        for name, place in sent.items():
            values = {channel: round(float(series[i]), 1) for channel, series in data[name].items()}
            messages.append((f"vitals/{place}", {"t": (T0 + i * S) // MS, **values}))
        daemon.feed(messages, now)
        if i % 105 == 104:
            question(daemon, now, "streams")
    question(
        daemon, now, "streams?stream=icu/*", "streams?label=team=red", "streams/icu/7", "stream-history", "history"
    )
    question(daemon, now, "stream-history?stream=icu/1&limit=2", "alarms?all=true")
    made = collected(daemon, metrics=daemon.metrics(now))
    daemon.stop()
    return made
