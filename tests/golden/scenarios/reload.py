"""Reloads of the configuration: warm-up of new models, takeover, rollback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from harness.bundles import write_toy, write_variant
from harness.daemon import Daemon, S

from scenarios.inputs import MS, T0, merged, ramp, vitals
from scenarios.results import collected, question
from scenarios.toy import Toy
from scenarios.ward import WARD


def reload(folder: Path) -> dict[str, Any]:  # noqa: PLR0915  (one reload after the other)
    """New models warm up in a shadow and take over; rollbacks; refused reloads; a crash during a warm-up."""
    write_toy(folder, "second", version="2", warm_up_ticks=6)
    write_toy(folder, "third", version="3", warm_up_ticks=12)
    toy = Toy(folder, store={"folder": "state"})
    run, ask, first = toy.run, toy.ask, toy.configuration

    def change(**ward: Any) -> None:
        changes = {"watches": {"ward": ward}}
        toy.daemon.reload(merged(first, changes), toy.now)

    def crashed() -> None:
        toy.daemon.crash()
        toy.daemon = Daemon(folder, toy.daemon.configuration, toy.now, toy.daemon.recording)

    toy.daemon.roll_back(toy.now)
    run(5)
    run(3, a=130)
    change(model="second", overrides=[{"streams": "icu/a", "limits": {"hr-high": 135}}])
    question(toy.daemon, toy.now, "streams")
    run(3, b=150)
    ask("set-limit", stream="icu/b", alarm="odd", limit=90)
    ask("acknowledge", stream="icu/a", alarm="hr-high")
    ask("admit", stream="step/d")
    toy.rates["step/d"] = 100
    run(2)
    question(toy.daemon, toy.now, "streams")
    run(6, a=80)
    change(model="nowhere")
    toy.daemon.reload(merged(first, {"publish": {"base": "other"}}), toy.now)
    toy.daemon.roll_back(toy.now)
    run(4, a=160)
    change(model="third", alarms={"more": {"below": {"channel": "spo2", "limit": 98}}})
    run(5)
    toy.daemon.snapshot(toy.now)
    run(2, b=80)
    crashed()
    question(toy.daemon, toy.now, "streams")
    run(3)
    toy.daemon.roll_back(toy.now)  # the third is not warmed up yet
    run(4)
    change(model="third")
    run(16, c=None)
    question(toy.daemon, toy.now, "streams", "alarms")
    alarms = {name: entry for name, entry in first["watches"]["ward"]["alarms"].items() if name != "hr-high"}
    fewer = {**first, "watches": {"ward": {**first["watches"]["ward"], "model": "third", "alarms": alarms}}}
    toy.daemon.reload(fewer, toy.now)
    run(4, c=80)
    other = {**first, "watches": {"other": {**first["watches"]["ward"], "clock": "event"}}}
    toy.daemon.reload(other, toy.now)
    run(4)
    toy.daemon.roll_back(toy.now)
    run(4)
    question(toy.daemon, toy.now, "streams", "history?limit=1000")
    made = collected(toy.daemon, metrics=toy.daemon.metrics(toy.now))
    toy.daemon.stop()
    return made


def reload_shipped(folder: Path) -> dict[str, Any]:
    """A shipped model warms up in a shadow, and takes over stream by stream."""
    write_variant(folder, "slower", "ward-vitals/1", version="2", warm_up_ticks=30)
    alarms = {
        "odd": {"anomaly": {"threshold": 0.5}, "priority": "low"},
        "hr-high": {"above": {"channel": "hr", "limit": 100, "deadband": 2}, "on_delay_s": 3},
    }
    configuration = merged(WARD, {"watches": {"ward": {"alarms": alarms, "overrides": [], "adapt": None}}})
    daemon = Daemon(folder, configuration, T0)
    data = {name: vitals(np.random.default_rng([71, i]), 120) for i, name in enumerate(["icu/1", "icu/2", "step/3"])}
    data["icu/1"]["hr"] += ramp(120, (30, 0), (45, 40), (80, 40), (90, 0))
    for i in range(120):
        now = T0 + i * S
        if i == 40:
            daemon.reload(merged(configuration, {"watches": {"ward": {"model": "slower"}}}), now)
        beds = [name for name in data if name != "step/3" or i >= 50]
        messages = [
            (f"vitals/{name}", {"t": now // MS, **{key: round(float(v[i]), 1) for key, v in data[name].items()}})
            for name in beds
        ]
        daemon.feed(messages, now)
        if i == 60:
            question(daemon, now, "streams")
    made = collected(daemon)
    daemon.stop()
    return made
