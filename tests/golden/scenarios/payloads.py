"""Payloads of every format, decoded alone and, for Sparkplug, through the daemon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cbor2
from harness.configuration import decoded
from harness.daemon import Daemon, S

from scenarios.inputs import MS, T0, merged
from scenarios.results import collected, question

PAYLOADS = Path(__file__).parents[2] / "ingest" / "payloads"


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
