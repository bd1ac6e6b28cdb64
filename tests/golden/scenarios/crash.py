"""Crashes of the daemon and recovery from its store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness.bundles import write_toy
from harness.daemon import Daemon, S
from harness.recording import Recording

from scenarios.inputs import MS, T0, merged
from scenarios.results import collected, question
from scenarios.toy import TOY, bed


def _same(one: Any, other: Any) -> str:
    """Compare two values as JSON; returns the first difference."""
    one, other = (json.dumps(value, sort_keys=True) for value in (one, other))
    if one == other:
        return "equal"
    place = next((i for i, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), min(len(one), len(other)))
    return f"{one[max(0, place - 80) : place + 80]} BUT {other[max(0, place - 80) : place + 80]}"


def _crash_batches() -> list[tuple[int, list[tuple[str, Any]]]]:
    """100 seconds of four toy beds: exceeded limits, silent beds, late and doubled readings."""
    rng = np.random.default_rng(41)
    batches = []
    for i in range(100):
        messages = []
        for number, name in enumerate(["icu/a", "icu/b", "step/c", "step/d"]):
            rate = 80 + 70 * ((i + 17 * number) % 60 > 40) + round(float(rng.normal(0, 3)), 1)
            back = int(rng.choice([0, 0, 0, 0, 1, 3]))
            messages.append(bed(name, i - back, hr=rate, spo2=float(rng.integers(84, 99))))
            if rng.random() < 0.1:
                messages.append(messages[-1])
        batches.append((T0 + i * S + 100 * MS, messages))
    return batches


def crash(folder: Path) -> dict[str, Any]:
    """The daemon is killed after arbitrary inputs, between and within batches, and recovers from its store."""
    batches = _crash_batches()
    configuration = merged(TOY, {"store": {"folder": "state"}})
    asked = {
        45: ("acknowledge", {"stream": "icu/a", "alarm": "hr-high"}),
        60: ("shelve", {"stream": "icu/b", "alarm": "odd", "for_s": 40, "comment": "known"}),
        75: ("set-limit", {"stream": "step/c", "alarm": "hr-high", "limit": 140}),
        70: ("standby", {"stream": "step/d"}),
        82: ("resume", {"stream": "step/d"}),
        88: ("transfer", {"stream": "icu/a", "to": "icu/z"}),
    }

    def life(name: str, dies: Callable[[int], str], *, resumes: bool) -> tuple[Daemon, Recording]:
        home = folder / name
        home.mkdir()
        write_toy(home, "toy", remembers=True)
        daemon = Daemon(home, configuration, T0, resumes=resumes)
        for i, (now, messages) in enumerate(batches):
            how = dies(i)
            if how == "within":
                daemon.feed(messages, now, dies=True)
                daemon = Daemon(home, configuration, now, daemon.recording, resumes=resumes)
            daemon.feed(messages, now)
            if i in asked:
                verb, body = asked[i]
                daemon.ask(verb, now, actor="nurse", transaction=f"t{i}", **body)
            if how == "snapshot":
                daemon.snapshot(now)
            if how == "between":
                daemon.crash()
                daemon = Daemon(home, configuration, now, daemon.recording, resumes=resumes)
        return daemon, daemon.recording

    rng = np.random.default_rng(43)
    interruptions = rng.choice(["", "", "", "", "", "between", "within", "snapshot"], len(batches)).tolist()
    undisturbed, kept = life("undisturbed", lambda _: "", resumes=False)
    disturbed, again = life("disturbed", lambda i: interruptions[i], resumes=False)
    restarted, _ = life(
        "restarted", lambda i: interruptions[i] if interruptions[i] == "snapshot" or i % 25 == 24 else "", resumes=True
    )
    more = {
        "interruptions": interruptions,
        "after": {
            "events": _same(kept.events, again.events),
            "scores": _same(kept.scores, again.scores),
            "bits": _same(kept.bits, again.bits),
            "stream_state": _same(undisturbed.stream_state(), disturbed.stream_state()),
            "registry": _same(undisturbed.registry(), disturbed.registry()),
        },
        "restarted": {"events": restarted.recording.events, "scores": restarted.recording.scores},
    }
    question(disturbed, T0 + 101 * S, "alarms?all=true", "streams", "history?limit=10000", "stream-history")
    made = collected(disturbed, **more)
    for daemon in (undisturbed, disturbed, restarted):
        daemon.stop()
    return made
