"""Conditions on the class probabilities of a classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.bundles import write_classifier
from harness.daemon import Daemon, S

from scenarios.inputs import T0
from scenarios.results import collected, question
from scenarios.toy import TOY, bed


def classes(folder: Path) -> dict[str, Any]:
    """A model of classes: the probability of any but the first, alone and combined, before and after a restart."""
    write_classifier(folder, "classes")
    alarms = {
        "not-slow": {"probability": {}},
        "hardly-slow": {"probability": {"threshold": 0.75}, "on_clear": "acknowledge"},
        "surely": {"probability": {"threshold": 0.9}, "priority": "high", "on_delay_s": 2, "off_delay_s": 3},
        "both": {"all_of": [{"probability": {"threshold": 0.72}}, {"below": {"channel": "spo2", "limit": 92}}]},
        "either": {"any_of": [{"probability": {"threshold": 0.99}}, {"absent": {"channel": "spo2", "for_s": 3}}]},
    }
    watch = {"model": "classes", "frame_timeout_s": 2, "alarms": alarms, "explain_ticks": 0}
    configuration = {**TOY, "watches": {"ward": watch}, "store": {"folder": "state"}}
    daemon = Daemon(folder, configuration, T0)
    second = 0
    for rate, spo2, seconds in ((2, 97, 4), (2, 91, 5), (9, 91, 6), (30, None, 8), (60, 97, 6), (4, 97, 9)):
        if rate == 60:
            daemon.stop()
            daemon = Daemon(folder, configuration, T0 + second * S, daemon.recording)
        for _ in range(seconds):
            second += 1
            daemon.feed([bed("icu/a", second, hr=rate, spo2=spo2)], T0 + second * S)
    question(daemon, T0 + second * S, "alarms?all=true", "streams")
    made = collected(daemon)
    daemon.stop()
    return made
