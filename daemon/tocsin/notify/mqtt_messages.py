"""The messages that the daemon publishes: alarm states, transitions, scores and its status, as JSON.

Every message on a topic has the same fields, those of an event as `tocsin.api.event_json` has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tocsin.api.event_json import event_fields, frame_fields, number, status_fields, time_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.alarm.events import Event

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class MqttMessage:
    """A message to publish.

    Attributes:
        topic: The full topic.
        payload: JSON.
        qos: 1 for what must arrive; 0 for what is worthless when it is late.
        retain: Whether the broker keeps it for later subscribers.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool


def alarm_state(base: str, event: Event) -> MqttMessage:
    """The state of an alarm after an event: retained, so that later subscribers have it.

    An alarm that has returned to normal keeps its message: without one, a reader could not distinguish it from an
    alarm that never existed.
    """
    body = {**status_fields(event.status), **event_fields(event)}
    return MqttMessage(f"{base}/alarm/{event.stream}/{event.alarm}", _encode(body), qos=1, retain=True)


def alarm_transition(base: str, event: Event) -> MqttMessage:
    """The transition of an alarm: not retained, as it happened once."""
    body = {
        "transition": event.transition,
        **status_fields(event.status),
        **event_fields(event),
        "frames": frame_fields(event.report.explanation),
    }
    return MqttMessage(f"{base}/event/{event.stream}/{event.alarm}", _encode(body), qos=1, retain=False)


def status_payload(state: str, version: str, since: int | None) -> bytes:
    """The body of `<base>/status`.

    Args:
        state: `online` or `offline`.
        version: The daemon's.
        since: The daemon's start, nanoseconds since 1970 UTC; None for `offline`: a will can't know its time.
    """
    return _encode({"state": state, "version": version, **time_fields("since", since)})


def status_topic(base: str) -> str:
    """The topic of the daemon's status."""
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
) -> MqttMessage:
    """One frame's score, with the observed and the expected values. QoS 0: the next score follows within a tick.

    Args:
        base: The first level, or levels, of every topic.
        stream: The stream's name.
        t: The frame's time, nanoseconds since 1970 UTC.
        score: NaN where it is unknown.
        channels: C names.
        values: C values; NaN where nothing was observed.
        mean: C expectations; NaN where there is none.
        scale: C scales of the expectations; NaN where there is none.
    """
    columns = zip(channels, values, mean, scale, strict=True)
    body = {
        **time_fields("t", t),
        "score": number(score),
        "channels": {name: {"value": number(v), "mean": number(m), "scale": number(s)} for name, v, m, s in columns},
    }
    return MqttMessage(f"{base}/score/{stream}", _encode(body), qos=0, retain=False)
