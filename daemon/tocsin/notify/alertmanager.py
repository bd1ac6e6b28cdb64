"""Alertmanager (API v2): alerts that fire are posted again and again; once they are over, for a while that they are.

An alert's identity is its labels. They name the stream, the alarm, its severity and what is known of the stream, and
never a value or a time: those are annotations, and the newest count. `endsAt` lies a few rounds ahead, so that alerts
end by themselves in an Alertmanager that nobody speaks to any more.

An escalated alarm has another severity, and so another identity: the milder alert ends as the graver one begins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003  (msgspec reads the annotations of Alert)
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tocsin.ingest.timestamps import iso_8601

if TYPE_CHECKING:
    from tocsin.alarm import Event

_NS_PER_S = 1_000_000_000
_ROUNDS_AHEAD = 4  # as Prometheus has it
_TELL_RESOLVED_NS = 15 * 60 * _NS_PER_S  # likewise
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_]")


@dataclass(frozen=True, slots=True)
class Alert:
    """One identity, and what was last known of it.

    Attributes:
        labels: The identity.
        annotations: What else there is to say.
        starts_at: `t` at which the occurrence was raised, ns.
        ended_at: `now` at which it ended, ns; None while it fires.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: int
    ended_at: int | None = None


class Alerts:
    """All alerts that Alertmanager has to be told of."""

    def __init__(self, labels: Mapping[str, str], resend_s: float) -> None:
        """Begin with none.

        Args:
            labels: For all alerts, such as the site.
            resend_s: How often they are told again.
        """
        self._labels = dict(labels)
        self._ahead_ns = round(_ROUNDS_AHEAD * resend_s * _NS_PER_S)
        self._of_alarm: dict[tuple[str, str], Alert] = {}
        self._ended: dict[tuple[tuple[str, str], ...], Alert] = {}

    def __len__(self) -> int:
        """How many fire."""
        return len(self._of_alarm)

    def hear(self, event: Event) -> list[Alert]:
        """Take in an event; the alerts that it changed."""
        key = event.stream, event.alarm
        before = self._of_alarm.pop(key, None)
        changed: list[Alert] = []
        if event.status.is_annunciated:
            after = Alert(self._identity(event), _annotations(event), event.since or event.t)
            self._of_alarm[key] = after
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
        return any(own.labels == alert.labels for own in self._of_alarm.values())

    def posting(self, now: int) -> list[dict[str, Any]]:
        """What to post now: those that fire, and those that ended not long ago."""
        self._ended = {k: alert for k, alert in self._ended.items() if now - _end(alert) < _TELL_RESOLVED_NS}
        return [self.posted(alert, now) for alert in (*self._of_alarm.values(), *self._ended.values())]

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

    def posted(self, alert: Alert, now: int) -> dict[str, Any]:
        """An alert as it is posted now."""
        ends_at = now + self._ahead_ns if alert.ended_at is None else max(alert.ended_at, alert.starts_at + 1)
        return {
            "labels": alert.labels,
            "annotations": alert.annotations,
            "startsAt": iso_8601(alert.starts_at),
            "endsAt": iso_8601(ends_at),
        }


def _end(alert: Alert) -> int:
    if alert.ended_at is None:
        raise AssertionError(f"{alert.labels} fires still")  # only ended alerts are kept among the ended
    return alert.ended_at


def _sorted(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def _annotations(event: Event) -> dict[str, str]:
    told = {
        "summary": f"{event.stream}: {event.alarm}",
        "description": event.reason,
        "state": event.status.state.value,
        "time": iso_8601(event.t),
    }
    if event.status.uncertain:
        told["uncertain"] = "its condition is unknown now"
    if event.model is not None:
        told["model"] = event.model
    if event.actor is not None:
        told["by"] = event.actor
    if event.comment is not None:
        told["comment"] = event.comment
    return told
