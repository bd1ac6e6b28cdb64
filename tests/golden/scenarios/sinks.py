"""Payloads of every receiver, every view, the report and the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.tables import alarm_csv, alarm_figures

from scenarios.inputs import T0
from scenarios.results import collected, question
from scenarios.toy import Toy

_SECRET = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="  # noqa: S105  (a test's)


def sinks(folder: Path) -> dict[str, Any]:
    """Payloads of every receiver for the same events, and every view in the same state."""
    notify = {
        "webhooks": {
            "pager": {"url": "http://pager/hook", "secret": _SECRET, "transitions": ["raise", "clear", "end"]},
            "high": {"url": "http://high/hook", "priorities": ["high"], "categories": ["physiological"]},
        },
        "alertmanager": {"urls": ["http://one:9093", "http://two:9093/"], "labels": {"site": "north"}},
        "home_assistant": {"discovery_prefix": "ha"},
    }
    changes = {
        "alarms": {"physiological": {"escalate": [{"after_s": 5, "to": "high"}], "remind_s": 9}},
        "groups": {"by": ["ward"], "flood": {"begin": 4, "end": 2, "window_s": 20}},
        "metrics": {"streams": ["*"], "max_streams": 2},
        "watches": {"ward": {"explain_ticks": 3}},
        "store": {"folder": "state"},
    }
    toy = Toy(folder, notify=notify, **changes)
    run, ask, daemon = toy.run, toy.ask, toy.daemon
    daemon.announce()
    run(3)
    daemon.announce()
    run(4, a=130, b=150)
    ask("acknowledge", stream="icu/a", alarm="hr-high", comment="on my way")
    ask("shelve", stream="icu/b", alarm="odd", for_s=60, comment="known: “ä”")
    run(6, c=145)
    daemon.post_again(toy.now)
    run(4, a=80)
    ask("mark", stream="icu/a", alarm="hr-high", verdict="true", comment="walked")
    ask("test")
    run(8, b=None)
    ask("remove-from-service", stream="step/c", alarm="odd", comment="repair")
    ask("discharge", stream="step/c")
    toy.rates["step/c"] = None
    run(3)
    daemon.announce()
    daemon.announce(everything=True)
    daemon.post_again(toy.now)
    pages = ("alarms", "alarms?all=true", "streams", "history?limit=1000", "stream-history")
    question(daemon, toy.now, *pages)
    history = daemon.get("/api/v1/history?limit=1000", toy.now)["body"]["events"][::-1]
    daemon.recording.answers.pop()
    report = alarm_figures(history, T0, toy.now, "ward", 2)
    metrics = daemon.metrics(toy.now)
    openapi = daemon.get("/api/v1/openapi.json", toy.now)["body"]
    daemon.recording.answers.pop()
    for path in ("/-/healthy", "/-/ready", "/api/v1/alarms/icu/unknown/odd", "/api/v1/history?limit=0"):
        daemon.get(path, toy.now)
    more = {"report": report, "csv": alarm_csv(folder, history), "metrics": metrics, "openapi": openapi}
    made = collected(daemon, **more)
    daemon.stop()
    return made
