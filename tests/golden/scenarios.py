"""Seeded scenarios with explicit times. Each returns its result as plain data and is reproducible.

They use the daemon only through `harness`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cbor2
import numpy as np
from harness import (
    Daemon,
    Recording,
    S,
    alarm_csv,
    alarm_figures,
    decoded,
    from_yaml,
    write_classifier,
    write_toy,
    write_variant,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
PAYLOADS = HERE.parent / "ingest" / "payloads"
T0 = 1_764_000_000 * S
MINUTE = 60 * S
HOUR = 3600 * S
MS = 1_000_000


def merged(into: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with changed values, at any depth."""
    result = dict(into)
    for key, value in changes.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return result


def collected(daemon: Daemon, **more: Any) -> dict[str, Any]:
    """Return the recording and the final state of the daemon."""
    recording = daemon.recording
    return {
        "events": recording.events,
        "answers": recording.answers,
        "published": recording.published,
        "requests": recording.requests,
        "rejects": recording.rejects,
        "scores": recording.scores,
        "bits": recording.bits,
        "stream_state": daemon.stream_state(),
        "registry": daemon.registry(),
        **more,
    }


def question(daemon: Daemon, now: int, *paths: str) -> None:
    """Query these views and record the answers."""
    for path in paths:
        daemon.get(f"/api/v1/{path}", now)


# Data.


def wander(rng: np.random.Generator, length: int, spread: float, memory: float) -> np.ndarray:
    """Autoregressive noise (length,) with the coefficient `memory`."""
    noise = rng.normal(0.0, spread * np.sqrt(1 - memory**2), length)
    out = np.zeros(length)
    for i in range(1, length):
        out[i] = memory * out[i - 1] + noise[i]
    return out


def ramp(length: int, *points: tuple[float, float]) -> np.ndarray:
    """Interpolate (length,) values between points of (index, value)."""
    at, values = zip(*points, strict=True)
    return np.interp(np.arange(length), at, values)


CHANNELS = {
    "hr": (78, 2.0),
    "spo2": (97, 0.4),
    "rr": (15, 0.8),
    "sbp": (121, 2.5),
    "dbp": (74, 1.8),
    "temp": (36.9, 0.03),
}


def vitals(rng: np.random.Generator, length: int) -> dict[str, np.ndarray]:
    """Six channels (length,) of a calm bed, one value per second."""
    return {name: middle + wander(rng, length, spread, 0.95) for name, (middle, spread) in CHANNELS.items()}


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
    alarms = from_yaml(HERE / "ward.yaml")
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


def commands(folder: Path) -> dict[str, Any]:  # noqa: PLR0915  (one command after the other)
    """All alarm commands over HTTP and MQTT, refused and repeated ones included."""
    toy = Toy(folder, store={"folder": "state"})
    run, ask = toy.run, toy.ask
    a = {"stream": "icu/a", "alarm": "hr-high"}
    run(3)
    ask("acknowledge", **a)  # it has never been raised
    run(4, a=130, b=150)
    ask("acknowledge", **a, transaction="one", comment="seen")
    ask("acknowledge", **a, transaction="one", comment="seen")
    ask("acknowledge", **a, transaction="two")
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=5, transaction="one", comment="other")
    ask("acknowledge", **a, occurrence=99_999)
    ask("acknowledge", stream="icu/a", alarm="hr-hi")
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=5)
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=-1, comment="x")
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=90_000, comment="x")
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=5, comment="known", transaction="three")
    run(3)
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=4, comment="longer")
    run(6)
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=600, once=True, comment="until it clears")
    run(3, b=80)
    run(4, b=150)
    ask("shelve", stream="icu/b", alarm="hr-high", for_s=600, comment="again")
    ask("unshelve", stream="icu/b", alarm="hr-high")
    ask("unshelve", stream="icu/b", alarm="hr-high")
    ask("reset", stream="icu/b", alarm="latched")
    ask("acknowledge", stream="icu/b", alarm="latched")
    ask("reset", stream="icu/b", alarm="latched")
    run(3, b=80)
    ask("reset", stream="icu/b", alarm="latched", comment="over")
    ask("remove-from-service", stream="icu/b", alarm="odd", comment="probe is repaired")
    ask("remove-from-service", stream="icu/b", alarm="hr-high")
    run(4, b=150)
    ask("return-to-service", stream="icu/b", alarm="odd")
    run(2, a=80)
    ask("annotate", **a)
    ask("annotate", **a, comment="was walking")
    ask("mark", **a, verdict="false", comment="artefact")
    ask("mark", **a, verdict="true")
    ask("mark", **a, verdict="maybe")
    ask("test", comment="monthly")
    run(6)
    ask("test", stream="icu/a")
    run(12)
    ask("acknowledge-group", labels={"ward": "icu"})
    ask("acknowledge-group", labels={})
    ask("acknowledge", stream="icu/b", alarm="hr-high", nonsense=1)
    ask("nonsense")
    toy.daemon.http("POST", "/api/v1/commands/test", toy.now, {"comment": "unknown"})
    base = "tocsin/request/"
    toy.second += 1
    toy.daemon.feed(
        [
            (f"{base}list", {"transaction": "q1"}),
            (f"{base}acknowledge", {"stream": "icu/b", "alarm": "latched", "actor": "pager", "transaction": "m1"}),
            (f"{base}show", {**a}, {"response_topic": "pager/7", "correlation": b"\x01\x02"}),
            (f"{base}acknowledge", {"stream": "icu/b", "alarm": "odd", "actor": "pager"}, {"retain": True}),
            (f"{base}nonsense", b"{"),
            (f"{base}mark", b"no json"),
            bed("icu/a", toy.second, hr=145, spo2=80),
        ],
        toy.now,
    )
    run(10, a=None)
    run(3, a=80)
    pages = ("alarms", "alarms?all=true", "alarms?label=ward=icu&priority=high", "alarms/icu/a/hr-high", "history")
    question(toy.daemon, toy.now, *pages, "history?limit=3", "history?alarm=odd&stream=icu/*", "stream-history")
    made = collected(toy.daemon)
    toy.daemon.stop()
    return made


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


def _source(**entry: Any) -> dict[str, Any]:
    """Return a configuration with one source."""
    alarms = {"high": {"above": {"channel": "hr", "limit": 120}}}
    return {"sources": [entry], "watches": {"ward": {"model": "ward-vitals/1", "alarms": alarms}}, "http": {"port": 0}}


_PACK = [
    {"bn": "ward/7/", "bt": T0 / S, "n": "hr", "u": "/min", "v": 72},
    {"n": "spo2", "t": -1, "v": 97.5},
    {"n": "temp", "u": "K", "v": 310.15},
    {"n": "hr", "vs": "text"},
]
_LABELS = {"bn": -2, "bt": -3, "n": 0, "u": 1, "v": 2, "vs": 3, "t": 6}  # of RFC 8428, in CBOR
_PACK_CBOR = cbor2.dumps([{_LABELS[key]: value for key, value in record.items()} for record in _PACK])
_CHANNELS_OF = {
    "hr": "hr",
    "spo2": {"field": "SpO2", "scale": 100},
    "temp": {"field": "temp_f", "unit": "[degF]"},
    "sbp": {"field": "kpa", "unit": "kPa"},
}


def payloads(folder: Path) -> dict[str, Any]:
    """Decoded messages of each format, and the reasons of rejected ones."""
    json_body = {"t": T0 // S, "hr": 72, "SpO2": 0.97, "temp_f": 98.6, "kpa": 16}
    sparkplug = json.loads((PAYLOADS / "sparkplug.json").read_text(encoding="utf-8"))
    name = "ward/{bed}/{channel}"
    cases: dict[str, tuple[dict[str, Any], list[Any]]] = {
        "plain": (
            _source(topic="v/{bed}/{channel}", format="plain", channels=_CHANNELS_OF),
            [
                ("v/7/hr", b"72.5"), ("v/7/temp_f", b" 98.6\n"), ("v/7/SpO2", b"null"), ("v/7/kpa", b"16"),
                ("v/8/hr", b"on"), ("v/8/battery", b"3"), ("other", b"1"), ("v/7/hr", b"72", {"retain": True}),
            ],
        ),
        "json": (
            _source(topic=["vitals/{w}/{bed}", "v/{bed}"], stream="bed-{bed}", labels=["bed"], channels=_CHANNELS_OF),
            [
                ("vitals/icu/7", json_body), ("v/8", {**json_body, "t": "2025-11-24T16:00:00.25Z", "hr": None}),
                ("v/8", {**json_body, "t": T0 // MS}), ("v/8", {**json_body, "t": T0}), ("v/9", {"hr": 70}),
                ("v/9", b"{"), ("v/9", b"[]"), ("v/9", {"t": "yesterday", "hr": 1}), ("v/9", {"t": 5, "hr": 70}),
                ("v/9", {"t": T0 // S + 3600, "hr": 70}), ("v/9", {"hr": "fast"}), ("v/9", {"hr": True}), ("v/9", {}),
                ("v/9", b'{"hr": NaN}'), ("v/9", b'{"hr": 1e999}'), ("v/9", b"\xff"),
            ],
        ),
        "json by channel": (
            _source(topic="v/{bed}/{channel}", value="x", time="at", channels=_CHANNELS_OF),
            [("v/7/hr", {"at": T0 // S, "x": 72}), ("v/7/temp_f", {"x": 98.6}), ("v/7/hr", {"value": 1})],
        ),
        "senml json": (_source(topic="senml", format="senml-json", name=name), [("senml", _PACK), ("senml", b"[{}]")]),
        "senml cbor": (
            _source(topic="senml", format="senml-cbor", name=name),
            [("senml", _PACK_CBOR), ("senml", _PACK_CBOR[:-3])],
        ),
        "sparkplug": (
            _source(format="sparkplug", channels={"hr": "hr", "spo2": "spo2", "temp": "room/temp"}),
            [(made["topic"], bytes.fromhex(made["hex"])) for made in sparkplug.values()]
            + [("spBv1.0/plant/DDATA/unknown/pump", bytes.fromhex(sparkplug["dbirth"]["hex"]))],
        ),
        "influx": (
            _source(topic="telegraf", stream="{bed}", format="influx", channels={"hr": "hr", "temp": "he art"}),
            [
                ("telegraf", (PAYLOADS / "influx.txt").read_bytes()),
                ("telegraf", b"m,bed=7 hr=3 1764000000000000000\nm,bed=8 hr=2 x"),
            ],
        ),
        "auto": (
            _source(topic="any/{bed}", format="auto"),
            [
                ("any/7", {"t": T0 // S, "hr": 72}),
                ("any/7", {"t": T0 // S, "hr": 73}, {"content_type": "application/json; charset=utf-8"}),
                ("any/7", [{"n": "hr", "v": 74}], {"content_type": "application/senml+json"}),
                ("any/7", b"<hr/>", {"content_type": "text/xml"}),
            ],
        ),
    }  # fmt: skip
    return {case: decoded(folder, *given, now=T0 + S) for case, given in cases.items()}


def sparkplug(folder: Path) -> dict[str, Any]:
    """A Sparkplug node's births, data and deaths; an unknown node is asked for its birth."""
    configuration = _source(format="sparkplug", channels={"hr": "hr", "spo2": "spo2", "temp": "room/temp"})
    alarms = {
        "spo2-low": {"below": {"channel": "spo2", "limit": 97}, "priority": "high"},
        "gone": {"silent": {"for_s": 30}},
    }
    daemon = Daemon(
        folder, merged(configuration, {"watches": {"ward": {"frame_timeout_s": 0.5, "alarms": alarms}}}), T0
    )
    sent = json.loads((PAYLOADS / "sparkplug.json").read_text(encoding="utf-8"))
    for i, made in enumerate([*sent.values(), sent["dbirth"], sent["nbirth"], sent["dbirth"]]):
        body = bytes.fromhex(made["hex"])
        daemon.feed([(made["topic"], body)], T0 + 2 * i * S)
        daemon.tick(T0 + (2 * i + 1) * S)
    daemon.feed([("spBv1.0/plant/DDATA/unknown/pump", bytes.fromhex(sent["dbirth"]["hex"]))], T0 + 30 * S)
    daemon.tick(T0 + 70 * S)
    question(daemon, T0 + 70 * S, "alarms?all=true", "streams")
    made = collected(daemon)
    daemon.stop()
    return made


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


SCENARIOS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "ward": ward,
    "icu": icu,
    "sensor": sensor,
    "pressure": pressure,
    "commands": commands,
    "streams": streams,
    "reload": reload,
    "reload-shipped": reload_shipped,
    "crash": crash,
    "payloads": payloads,
    "sparkplug": sparkplug,
    "classes": classes,
    "sinks": sinks,
}
WHOLE = frozenset({"payloads", "sinks"})
"""Scenarios without any number that depends on the machine: the repository keeps their payloads unchanged."""
