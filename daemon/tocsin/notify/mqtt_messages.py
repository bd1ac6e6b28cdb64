"""What is published: alarm states, transitions, scores and the daemon's status, as JSON. Pure.

Every message on a topic has the same fields, those of an event as `tocsin.api.event_json` has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tocsin.api.event_json import event_fields, frame_fields, number, status_fields, time_fields
from tocsin.mqtt.outbox import Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.alarm.events import Event

_encode = msgspec.json.Encoder().encode


def alarm_state(base: str, event: Event) -> Outgoing:
    """The state an alarm is in after an event: retained, so that whoever comes later knows it.

    An alarm that has returned to normal says so; its message isn't deleted, as a reader could not tell that from an
    alarm that never was.
    """
    body = {**status_fields(event.status), **event_fields(event)}
    return Outgoing(f"{base}/alarm/{event.stream}/{event.alarm}", _encode(body), qos=1, retain=True)


def alarm_transition(base: str, event: Event) -> Outgoing:
    """What happened: not retained, as it happened once."""
    body = {
        "transition": event.transition,
        **status_fields(event.status),
        **event_fields(event),
        "frames": frame_fields(event.explanation),
    }
    return Outgoing(f"{base}/event/{event.stream}/{event.alarm}", _encode(body), qos=1, retain=False)


def status_payload(state: str, version: str, since: int | None) -> bytes:
    """The body of `<base>/status`.

    Args:
        state: `online` or `offline`.
        version: The daemon's.
        since: When the daemon started, nanoseconds since 1970 UTC; None for `offline`, whose time a will can't know.
    """
    return _encode({"state": state, "version": version, **time_fields("since", since)})


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
        **time_fields("t", t),
        "score": number(score),
        "channels": {name: {"value": number(v), "mean": number(m), "scale": number(s)} for name, v, m, s in columns},
    }
    return Outgoing(f"{base}/score/{stream}", _encode(body), qos=0, retain=False)
