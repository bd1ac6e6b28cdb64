"""Views: the JSON objects of alarms, events, streams and commands in replies.

Each time has two fields: `t` in ISO 8601 for people, `t_ns` in nanoseconds for programs. Unknown values are null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.alarm.commands import Verdict
from tocsin.alarm.events import Transition
from tocsin.alarm.status import State
from tocsin.api.event_json import event_fields, explanation_fields, number, time_fields
from tocsin.engine.events import Category, Evidence, Frames, Priority

if TYPE_CHECKING:
    from tocsin.alarm.events import Event
    from tocsin.alarm.record import AlarmRecord
    from tocsin.alarm.status import Shelving
    from tocsin.engine.events import Explanation
    from tocsin.engine.lifecycle.commands import CommandEntry


class ShelvingView(msgspec.Struct, kw_only=True, frozen=True):
    """A shelving."""

    by: str
    reason: str
    until: str
    until_ns: int
    once: bool


class ExplanationView(msgspec.Struct, kw_only=True, frozen=True):
    """The basis of a model's judgement."""

    model: str
    sha256: str
    threshold: float | None
    rising_since: str | None
    rising_since_ns: int | None
    warm_up_ticks: int
    frames_seen: int
    state_since: str | None
    state_since_ns: int | None
    gap_ended: str | None
    gap_ended_ns: int | None
    gap_s: float | None
    reprocessed: str | None
    reprocessed_ns: int | None


class AlarmView(msgspec.Struct, kw_only=True, frozen=True):
    """The present status of an alarm.

    `id` is `STREAM/ALARM`. `annunciated` says whether the alarm is shown to people; `shelved`, `suppressed_by` and
    `out_of_service` are the reasons why it is not.
    """

    id: str
    stream: str
    alarm: str
    watch: str
    labels: dict[str, str]
    priority: Priority
    category: Category
    state: State
    active: bool
    acknowledged: bool
    latched: bool
    uncertain: bool
    annunciated: bool
    shelved: ShelvingView | None
    suppressed_by: list[str]
    out_of_service: bool
    acknowledged_by: str | None
    acknowledged_at: str | None
    acknowledged_at_ns: int | None
    first_up: bool
    chattering: bool
    stale: bool
    occurrence: int | None
    since: str | None
    since_ns: int | None
    raised_at: str | None
    raised_at_ns: int | None
    reason: str
    score: float | None
    evidence: list[Evidence]
    model: str | None
    explanation: ExplanationView | None


class EventView(msgspec.Struct, kw_only=True, frozen=True):
    """A transition of an alarm, and the alarm's status after it."""

    id: int
    stream: str
    alarm: str
    watch: str
    labels: dict[str, str]
    priority: Priority
    category: Category
    transition: Transition
    state: State
    annunciated: bool
    occurrence: int | None
    t: str
    t_ns: int
    since: str | None
    since_ns: int | None
    raised_at: str
    raised_at_ns: int
    reason: str
    score: float | None
    evidence: list[Evidence]
    model: str | None
    explanation: ExplanationView | None
    frames: Frames | None
    actor: str | None
    comment: str | None
    transaction: str | None
    verdict: Verdict | None
    fleeting: bool
    test: bool


class AlarmsView(msgspec.Struct, kw_only=True, frozen=True):
    """Alarms, those of high priority first."""

    alarms: list[AlarmView]


class OverridesView(msgspec.Struct, kw_only=True, frozen=True):
    """The configuration's overrides for a stream.

    `limits` are by alarm, of a score the threshold; `off` are alarms that are not evaluated.
    """

    limits: dict[str, float]
    profile: dict[str, float]
    off: list[str]


class WatchView(msgspec.Struct, kw_only=True, frozen=True):
    """A stream in one watch.

    `frames` counts since its state was last reset. `limits` and `profile` are the stream's own, and have precedence
    over `overrides`; a limit in neither is as configured for all, a profile value in neither is unknown. `thresholds`
    are those of scores that are adapted to the stream, null while it settles. A standby without `standby_until` lasts
    until it is resumed. `old_model` is set while a new model warms up: until then it evaluates the alarms of models.
    """

    watch: str
    model: str
    old_model: str | None
    admitted: bool
    standby: bool
    standby_until: str | None
    standby_until_ns: int | None
    frames: int
    warming_up: bool
    newest_t: str | None
    newest_t_ns: int | None
    last_reading_at: str | None
    last_reading_at_ns: int | None
    profile: dict[str, float]
    limits: dict[str, float]
    overrides: OverridesView
    thresholds: dict[str, float | None]


class StreamView(msgspec.Struct, kw_only=True, frozen=True):
    """A stream in every watch that knows it."""

    stream: str
    labels: dict[str, str]
    watches: list[WatchView]


class StreamsView(msgspec.Struct, kw_only=True, frozen=True):
    """Streams, by name."""

    streams: list[StreamView]


class MemoryView(msgspec.Struct, kw_only=True, frozen=True):
    """The exported state of a stream: a NumPy archive (.npz) in base64."""

    stream: str
    memory: str


class CommandView(msgspec.Struct, kw_only=True, frozen=True):
    """A command for a stream: the watches that executed it, and the ids of its alarm events.

    `arguments` are the request's values but for the stream; an imported state is replaced by its hash.
    """

    id: int
    at: str
    at_ns: int
    actor: str
    comment: str | None
    transaction: str | None
    verb: str
    stream: str
    arguments: dict[str, Any]
    watches: list[str]
    events: list[int]


class StreamHistoryView(msgspec.Struct, kw_only=True, frozen=True):
    """A page of the log of commands for streams, the newest first; `before` selects the next page."""

    commands: list[CommandView]
    before: int | None


class EventsView(msgspec.Struct, kw_only=True, frozen=True):
    """The alarm events of a command."""

    events: list[EventView]


class HistoryView(msgspec.Struct, kw_only=True, frozen=True):
    """A page of the alarm log, the newest event first; `before` selects the next page."""

    events: list[EventView]
    before: int | None


def event_view(event: Event) -> EventView:
    """The view of an event."""
    fields = event_fields(event)
    explanation = event.report.explanation
    fields["evidence"] = list(event.report.evidence)
    fields["explanation"] = _explanation(explanation)
    fields["frames"] = None if explanation is None else explanation.frames
    own = {
        "id": event.id,
        "watch": event.watch,
        "labels": dict(event.labels),
        "transition": event.transition,
        "state": event.status.state,
        "annunciated": event.status.is_annunciated,
        "occurrence": event.occurrence,
        "actor": event.actor,
        "comment": event.comment,
        "transaction": event.transaction,
        "verdict": event.verdict,
        "fleeting": event.fleeting,
        "test": event.test,
    }
    return EventView(**_of(EventView, {**fields, **own}))


def command_view(entry: CommandEntry) -> CommandView:
    """The view of a command for a stream."""
    times: dict[str, Any] = time_fields("at", entry.at)
    same_names = ("id", "actor", "comment", "transaction", "verb", "stream", "arguments", "watches", "events")
    return CommandView(**times, **{name: getattr(entry, name) for name in same_names})


def alarm_view(record: AlarmRecord) -> AlarmView:
    """The view of an alarm."""
    status, report = record.status, record.report
    fields: dict[str, Any] = {
        "id": record.name,
        "stream": record.stream,
        "alarm": record.alarm,
        "watch": record.watch,
        "labels": dict(record.labels),
        "priority": status.priority,
        "category": record.category,
        "state": status.state,
        "annunciated": status.is_annunciated,
        "shelved": None if status.shelved is None else _shelving(status.shelved),
        "suppressed_by": list(status.suppressed_by),
        "reason": report.reason,
        "score": number(report.score),
        "evidence": list(report.evidence),
        "model": report.model,
        "explanation": _explanation(report.explanation),
        **time_fields("acknowledged_at", status.acknowledged_at),
        **time_fields("since", status.since),
        **time_fields("raised_at", status.raised_at),
    }
    same_names = (
        "active", "acknowledged", "latched", "uncertain", "out_of_service", "acknowledged_by", "first_up", "chattering",
        "stale", "occurrence",
    )  # fmt: skip
    return AlarmView(**fields, **{name: getattr(status, name) for name in same_names})


def _explanation(explanation: Explanation | None) -> ExplanationView | None:
    return None if explanation is None else ExplanationView(**explanation_fields(explanation))


def _shelving(shelving: Shelving) -> ShelvingView:
    until: dict[str, Any] = time_fields("until", shelving.until)
    return ShelvingView(by=shelving.by, reason=shelving.reason, once=shelving.once, **until)


def _of(kind: type[msgspec.Struct], values: dict[str, Any]) -> dict[str, Any]:
    """The values of a struct's fields."""
    return {name: values[name] for name in kind.__struct_fields__}


def encode(value: object) -> bytes:
    """Encode as JSON: NaN as null, numpy scalars as numbers."""
    return _encode(value)


_encode = msgspec.json.Encoder(enc_hook=lambda value: value.item()).encode
