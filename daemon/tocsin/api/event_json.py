"""Events as JSON objects: published, recorded and sent events have the same fields.

Unknown values are null, never 0, and never NaN, which JSON lacks. Each time has two fields, for people and for
programs: `t` as ISO 8601, `t_ns` exactly.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tocsin.ingest.timestamps import iso_8601

if TYPE_CHECKING:
    from tocsin.alarm.events import Event
    from tocsin.alarm.status import AlarmStatus, Shelving
    from tocsin.engine.events import Evidence, Explanation, Frames


def event_fields(event: Event) -> dict[str, Any]:
    """An event's own fields, for all receivers."""
    report = event.report
    return {
        "id": event.id,
        "stream": event.stream,
        "labels": dict(event.labels),
        "alarm": event.alarm,
        "watch": event.watch,
        "occurrence": event.occurrence,
        "priority": event.status.priority,
        "category": event.category,
        "reason": report.reason,
        **time_fields("t", event.t),
        **time_fields("since", event.since),
        **time_fields("raised_at", event.raised_at),
        "score": number(report.score),
        "model": report.model,
        "evidence": [_evidence(e) for e in report.evidence],
        "explanation": None if report.explanation is None else explanation_fields(report.explanation),
        "actor": event.actor,
        "comment": event.comment,
        "transaction": event.transaction,
        "verdict": event.verdict,
        "fleeting": event.fleeting,
        "test": event.test,
    }


def status_fields(status: AlarmStatus) -> dict[str, Any]:
    """An alarm's state, for all receivers."""
    return {
        "state": status.state,
        "active": status.active,
        "acknowledged": status.acknowledged,
        "uncertain": status.uncertain,
        "annunciated": status.is_annunciated,
        "shelved": None if status.shelved is None else _shelving(status.shelved),
        "suppressed_by": status.suppressed_by,
        "out_of_service": status.out_of_service,
        "acknowledged_by": status.acknowledged_by,
        **time_fields("acknowledged_at", status.acknowledged_at),
        "first_up": status.first_up,
        "chattering": status.chattering,
        "stale": status.stale,
    }


def _shelving(shelving: Shelving) -> dict[str, Any]:
    return {
        "by": shelving.by,
        "reason": shelving.reason,
        **time_fields("until", shelving.until),
        "once": shelving.once,
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "channel": evidence.channel,
        "unit": evidence.unit,
        "value": number(evidence.value),
        "mean": number(evidence.mean),
        "scale": number(evidence.scale),
        "contribution": number(evidence.contribution),
    }


def explanation_fields(explanation: Explanation) -> dict[str, Any]:
    """An explanation without its frames; `frame_fields` has those."""
    return {
        "model": explanation.model,
        "sha256": explanation.sha256,
        "threshold": number(explanation.threshold),
        **time_fields("rising_since", explanation.rising_since),
        "warm_up_ticks": explanation.warm_up_ticks,
        "frames_seen": explanation.frames_seen,
        **time_fields("state_since", explanation.state_since),
        **time_fields("gap_ended", explanation.gap_ended),
        "gap_s": number(explanation.gap_s),
        **time_fields("reprocessed", explanation.reprocessed),
    }


def frame_fields(explanation: Explanation | None) -> dict[str, Any] | None:
    """The last frames, from which the score can be computed again; None where there are none."""
    return None if explanation is None or explanation.frames is None else _frames(explanation.frames)


def _frames(frames: Frames) -> dict[str, Any]:
    return {
        "channels": frames.channels,
        "period_ns": frames.period_ns,
        "tick": frames.tick,
        "x": frames.x,
        "mask": frames.mask,
        "delta": frames.delta,
        "state": frames.state,
        "mean": frames.mean,
        "scale": frames.scale,
    }


def time_fields(name: str, ns: int | None) -> dict[str, str | int | None]:
    """A time under two names, for people and for programs."""
    return {name: None if ns is None else iso_8601(ns), f"{name}_ns": ns}


def number(value: float | None) -> float | None:
    """A number that JSON can express; None for an unknown one."""
    # float(): a numpy scalar is no number to JSON.
    return float(value) if value is not None and math.isfinite(value) else None
