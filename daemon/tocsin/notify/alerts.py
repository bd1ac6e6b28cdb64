"""Alerts as Alertmanager has them: the state of each alarm as an alert, and its JSON forms.

An alert's identity is its labels. They name the stream, the alarm, its severity and the stream's labels, and never a
value or a time: those are annotations, of which the newest count. `endsAt` lies a few rounds ahead, so that alerts end
by themselves when the daemon is gone.

An escalated alarm has another severity, and so another identity: the alert of lower severity ends as the other begins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.ingest.timestamps import iso_8601

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tocsin.alarm import Event

_NS_PER_S = 1_000_000_000
_ROUNDS_AHEAD = 4  # as in Prometheus
_POST_RESOLVED_NS = 15 * 60 * _NS_PER_S  # as in Prometheus
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_]")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[dict[str, Any]]).decode


@dataclass(frozen=True, slots=True)
class Alert:
    """One identity, and its last known state.

    Attributes:
        labels: The identity.
        annotations: The alarm's values, for people.
        starts_at: `t` at which the occurrence was raised, ns.
        ended_at: `now` at which it ended, ns; None while it fires.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: int
    ended_at: int | None = None


class Alerts:
    """All alerts that fire, and those that ended not long ago."""

    def __init__(self, labels: Mapping[str, str], resend_s: float) -> None:
        """Begin with none.

        Args:
            labels: For all alerts, such as the site.
            resend_s: How often current alerts are posted again.
        """
        self._labels = dict(labels)
        self._ahead_ns = round(_ROUNDS_AHEAD * resend_s * _NS_PER_S)
        self._by_alarm: dict[tuple[str, str], Alert] = {}
        self._ended: dict[tuple[tuple[str, str], ...], Alert] = {}

    def __len__(self) -> int:
        """How many fire."""
        return len(self._by_alarm)

    def update(self, event: Event) -> list[Alert]:
        """Apply an event; returns the alerts that it changed."""
        key = event.stream, event.alarm
        before = self._by_alarm.pop(key, None)
        changed: list[Alert] = []
        if event.status.is_annunciated:
            after = Alert(self._identity(event), _annotations(event), event.since or event.t)
            self._by_alarm[key] = after
            self._ended.pop(_sorted(after.labels), None)
            changed.append(after)
        if before is not None and (not changed or changed[0].labels != before.labels):
            annotations = before.annotations if changed else _annotations(event)
            ended = replace(before, annotations=annotations, ended_at=event.raised_at)
            self._ended[_sorted(before.labels)] = ended
            changed.append(ended)
        return changed

    def fires(self, alert: Alert) -> bool:
        """Whether an identity fires now."""
        return any(own.labels == alert.labels for own in self._by_alarm.values())

    def current(self, now: int) -> list[dict[str, Any]]:
        """The alerts to post at `now`: those that fire, and those that ended not long ago."""
        self._ended = {k: alert for k, alert in self._ended.items() if now - _end(alert) < _POST_RESOLVED_NS}
        return [self.to_post(alert, now) for alert in (*self._by_alarm.values(), *self._ended.values())]

    def to_post(self, alert: Alert, now: int) -> dict[str, Any]:
        """An alert as API v2 takes it, posted at `now`."""
        ends_at = now + self._ahead_ns if alert.ended_at is None else max(alert.ended_at, alert.starts_at + 1)
        return {
            "labels": alert.labels,
            "annotations": alert.annotations,
            "startsAt": iso_8601(alert.starts_at),
            "endsAt": iso_8601(ends_at),
        }

    def _identity(self, event: Event) -> dict[str, str]:
        return {
            **self._labels,
            **{_NOT_IN_A_NAME.sub("_", name): value for name, value in event.labels.items()},
            "alertname": event.alarm,
            "stream": event.stream,
            "watch": event.watch,
            "severity": event.status.priority.value,
            "category": event.category.value,
        }


def alerts_to_json(alerts: Iterable[Alert]) -> bytes:
    """Alerts as a pending delivery keeps them."""
    return _encode(
        [
            {
                "labels": alert.labels,
                "annotations": alert.annotations,
                "starts_at": alert.starts_at,
                "ended_at": alert.ended_at,
            }
            for alert in alerts
        ]
    )


def alerts_from_json(body: bytes) -> list[Alert]:
    """The reverse of `alerts_to_json`."""
    return [
        Alert(entry["labels"], entry["annotations"], entry["starts_at"], entry["ended_at"]) for entry in _decode(body)
    ]


def _end(alert: Alert) -> int:
    if alert.ended_at is None:
        raise AssertionError(f"{alert.labels} still fires")  # only ended alerts are kept among the ended
    return alert.ended_at


def _sorted(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def _annotations(event: Event) -> dict[str, str]:
    annotations = {
        "summary": f"{event.stream}: {event.alarm}",
        "description": event.report.reason,
        "state": event.status.state.value,
        "time": iso_8601(event.t),
    }
    if event.status.uncertain:
        annotations["uncertain"] = "its condition is unknown now"
    if event.report.model is not None:
        annotations["model"] = event.report.model
    if event.actor is not None:
        annotations["by"] = event.actor
    if event.comment is not None:
        annotations["comment"] = event.comment
    return annotations
