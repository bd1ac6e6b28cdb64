"""What is published: alarm states, transitions, scores and the daemon's status, as JSON. Pure.

Every message on a topic has the same fields. What is unknown is null: it is never 0, and never NaN, which JSON
doesn't have. A time stands there twice, for people and for programs: `t` as ISO 8601, `t_ns` exactly.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.codec.times import iso_8601
from tocsin.mqtt.outbox import Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.alarm.events import Event
    from tocsin.engine.changes import Evidence

_encode = msgspec.json.Encoder().encode


def alarm_state(base: str, event: Event) -> Outgoing:
    """The state an alarm is in after an event: retained, so that whoever comes later knows it.

    An alarm that has returned to normal says so; its message isn't deleted, as a reader could not tell that from an
    alarm that never was.
    """
    body = {
        "active": event.status.active,
        "state": event.status.state,
        "uncertain": event.status.uncertain,
        **_body(event),
    }
    return Outgoing(f"{base}/alarm/{event.stream}/{event.alarm}", _encode(body), qos=1, retain=True)


def alarm_transition(base: str, event: Event) -> Outgoing:
    """What happened: not retained, as it happened once."""
    body = {"transition": event.transition, **_body(event)}
    return Outgoing(f"{base}/event/{event.stream}/{event.alarm}", _encode(body), qos=1, retain=False)


def status_payload(state: str, version: str, since: int | None) -> bytes:
    """The body of `<base>/status`.

    Args:
        state: `online` or `offline`.
        version: The daemon's.
        since: When the daemon started, nanoseconds since 1970 UTC; None for `offline`, whose time a will can't know.
    """
    return _encode({"state": state, "version": version, **_time("since", since)})


def status_topic(base: str) -> str:
    """Where the daemon says whether it is there."""
    return f"{base}/status"


def score_message(
    base: str,
    stream: str,
    *,
    t: int,
    score: float,
    channels: Sequence[str],
    values: Sequence[float],
    mean: Sequence[float],
    scale: Sequence[float],
) -> Outgoing:
    """One frame's score, and what was seen beside what was expected: QoS 0, as the next one is soon here.

    Args:
        base: The first level, or levels, of every topic.
        stream: Whose.
        t: The frame's time, nanoseconds since 1970 UTC.
        score: NaN where it is unknown.
        channels: C names.
        values: C values; NaN where nothing was observed.
        mean: C expectations; NaN where there is none.
        scale: C scales of them, likewise.
    """
    columns = zip(channels, values, mean, scale, strict=True)
    body = {
        **_time("t", t),
        "score": _number(score),
        "channels": {name: {"value": _number(v), "mean": _number(m), "scale": _number(s)} for name, v, m, s in columns},
    }
    return Outgoing(f"{base}/score/{stream}", _encode(body), qos=0, retain=False)


def _body(event: Event) -> dict[str, Any]:
    return {
        "stream": event.stream,
        "alarm": event.alarm,
        "priority": event.status.priority,
        "category": event.category,
        "reason": event.reason,
        **_time("t", event.t),
        **_time("since", event.since),
        **_time("raised_at", event.raised_at),
        "score": _number(event.score),
        "model": event.model,
        "evidence": [_evidence(e) for e in event.evidence],
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "channel": evidence.channel,
        "unit": evidence.unit,
        "value": _number(evidence.value),
        "mean": _number(evidence.mean),
        "scale": _number(evidence.scale),
        "contribution": _number(evidence.contribution),
    }


def _time(name: str, ns: int | None) -> dict[str, str | int | None]:
    return {name: None if ns is None else iso_8601(ns), f"{name}_ns": ns}


def _number(value: float | None) -> float | None:
    # float(): a numpy scalar is no number to JSON.
    return float(value) if value is not None and math.isfinite(value) else None
