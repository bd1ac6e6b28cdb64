"""The stored form of alarm records, events and transactions: literal keys, and a format number with its migrations.

Each structure below names the key of every field, so that a renamed class or attribute leaves stored data as it is.
"""

from __future__ import annotations

# At run time, too: msgspec decodes by the annotations.
from collections.abc import Mapping  # noqa: TC003
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import field

from tocsin.alarm.commands import Verdict  # noqa: TC001
from tocsin.alarm.events import Event, Transition
from tocsin.alarm.record import AlarmKind, AlarmRecord, DeferredClear
from tocsin.alarm.status import AlarmStatus, Shelving
from tocsin.engine.events import Category, Evidence, Explanation, Frames, Priority, Report

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT = 1
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""By format: brings what was stored in it to the next one."""


class StoredShelving(msgspec.Struct, frozen=True):
    """A shelving."""

    by: str = field(name="by")
    reason: str = field(name="reason")
    until: int = field(name="until")
    once: bool = field(name="once")


class StoredStatus(msgspec.Struct, frozen=True):
    """An alarm's status."""

    active: bool = field(name="active")
    acknowledged: bool = field(name="acknowledged")
    latched: bool = field(name="latched")
    uncertain: bool = field(name="uncertain")
    priority: Priority = field(name="priority")
    occurrence: int | None = field(name="occurrence", default=None)
    since: int | None = field(name="since", default=None)
    raised_at: int | None = field(name="raised_at", default=None)
    shelved: StoredShelving | None = field(name="shelved", default=None)
    suppressed_by: tuple[str, ...] = field(name="suppressed_by", default=())
    out_of_service: bool = field(name="out_of_service", default=False)
    acknowledged_by: str | None = field(name="acknowledged_by", default=None)
    acknowledged_at: int | None = field(name="acknowledged_at", default=None)
    first_up: bool = field(name="first_up", default=False)
    chattering: bool = field(name="chattering", default=False)
    stale: bool = field(name="stale", default=False)


class StoredEvidence(msgspec.Struct, frozen=True):
    """One channel's part in an alarm."""

    channel: str = field(name="channel")
    unit: str = field(name="unit")
    value: float | None = field(name="value")
    mean: float | None = field(name="mean")
    scale: float | None = field(name="scale")
    contribution: float | None = field(name="contribution")


class StoredFrames(msgspec.Struct, frozen=True):
    """The last frames behind a score."""

    channels: tuple[str, ...] = field(name="channels")
    period_ns: int = field(name="period_ns")
    tick: str = field(name="tick")
    x: str = field(name="x")
    mask: str = field(name="mask")
    delta: str = field(name="delta")
    state: str = field(name="state")
    mean: str = field(name="mean")
    scale: str = field(name="scale")


class StoredExplanation(msgspec.Struct, frozen=True):
    """The basis of a model's judgement."""

    model: str = field(name="model")
    sha256: str = field(name="sha256")
    threshold: float | None = field(name="threshold")
    rising_since: int | None = field(name="rising_since")
    warm_up_ticks: int = field(name="warm_up_ticks")
    frames_seen: int = field(name="frames_seen")
    state_since: int | None = field(name="state_since")
    gap_ended: int | None = field(name="gap_ended")
    gap_s: float | None = field(name="gap_s")
    rewound: int | None = field(name="rewound")
    frames: StoredFrames | None = field(name="frames", default=None)


class StoredReport(msgspec.Struct, frozen=True):
    """A condition event's report."""

    reason: str = field(name="reason")
    score: float | None = field(name="score", default=None)
    evidence: tuple[StoredEvidence, ...] = field(name="evidence", default=())
    model: str | None = field(name="model", default=None)
    explanation: StoredExplanation | None = field(name="explanation", default=None)


class StoredEvent(msgspec.Struct, frozen=True):
    """An event. Its report is flat, as in everything that is published."""

    id: int = field(name="id")
    stream: str = field(name="stream")
    labels: Mapping[str, str] = field(name="labels")
    alarm: str = field(name="alarm")
    watch: str = field(name="watch")
    category: Category = field(name="category")
    transition: Transition = field(name="transition")
    status: StoredStatus = field(name="status")
    occurrence: int | None = field(name="occurrence")
    since: int | None = field(name="since")
    t: int = field(name="t")
    raised_at: int = field(name="raised_at")
    reason: str = field(name="reason")
    score: float | None = field(name="score", default=None)
    evidence: tuple[StoredEvidence, ...] = field(name="evidence", default=())
    model: str | None = field(name="model", default=None)
    explanation: StoredExplanation | None = field(name="explanation", default=None)
    actor: str | None = field(name="actor", default=None)
    comment: str | None = field(name="comment", default=None)
    transaction: str | None = field(name="transaction", default=None)
    verdict: Verdict | None = field(name="verdict", default=None)
    fleeting: bool = field(name="fleeting", default=False)
    announced: bool = field(name="announced", default=False)
    test: bool = field(name="test", default=False)


class StoredClear(msgspec.Struct, frozen=True):
    """A deferred clear."""

    t: int = field(name="t")
    off_delay_ns: int = field(name="off_delay_ns")
    until: int = field(name="until")
    report: StoredReport = field(name="report")


class StoredRecord(msgspec.Struct, frozen=True):
    """An alarm's record."""

    stream: str = field(name="stream")
    alarm: str = field(name="alarm")
    watch: str = field(name="watch")
    labels: Mapping[str, str] = field(name="labels")
    priority: Priority = field(name="priority")
    category: Category = field(name="category")
    kind: AlarmKind = field(name="kind")
    status: StoredStatus = field(name="status")
    report: StoredReport = field(name="report")
    last_occurrence: int | None = field(name="last_occurrence")
    last_since: int | None = field(name="last_since")
    annunciated_since: int | None = field(name="annunciated_since")
    waiting_since: int | None = field(name="waiting_since")
    reminded: int = field(name="reminded")
    deferred_clear: StoredClear | None = field(name="deferred_clear")
    began_t: int | None = field(name="began_t")
    cycles: tuple[int, ...] = field(name="cycles")
    ceased_t: int | None = field(name="ceased_t")
    turned_at: int | None = field(name="turned_at")
    ends_at: int | None = field(name="ends_at")


class StoredTransaction(msgspec.Struct, frozen=True):
    """A command that was carried out under a transaction, and its events."""

    transaction: str = field(name="transaction")
    verb: str = field(name="verb")
    digest: str = field(name="digest")
    events: tuple[StoredEvent, ...] = field(name="events")


class StoredAlarms(msgspec.Struct, frozen=True):
    """All alarms, in a snapshot."""

    format: int = field(name="format")
    written_by: str = field(name="written_by")
    last_id: int = field(name="last_id")
    records: tuple[StoredRecord, ...] = field(name="records")
    floods: dict[str, list[int]] = field(name="floods")
    transactions: tuple[StoredTransaction, ...] = field(name="transactions")


def _scalar(value: Any) -> Any:  # noqa: ANN401  (a numpy scalar, and its number)
    return value.item()


_encode_event = msgspec.json.Encoder(enc_hook=_scalar).encode
_decode_event = msgspec.json.Decoder(StoredEvent).decode
_encode_alarms = msgspec.msgpack.Encoder(enc_hook=_scalar).encode


def encode_event(event: Event) -> bytes:
    """Encode an event as JSON."""
    return _encode_event(stored_event(event))


def decode_event(body: bytes | str) -> Event:
    """Decode an event.

    Raises:
        ValueError: The text is no event of the present format.
    """
    return event_of(_decode_event(body))


def encode_alarms(alarms: StoredAlarms) -> bytes:
    """Encode all alarms for a snapshot."""
    return _encode_alarms(alarms)


def decode_alarms(body: bytes) -> StoredAlarms:
    """Decode the alarms of a snapshot, and migrate them to the present format.

    Raises:
        ValueError: A newer Tocsin wrote them, or they are damaged.
    """
    return msgspec.convert(migrated(msgspec.msgpack.decode(body)), StoredAlarms)


def migrated(data: dict[str, Any]) -> dict[str, Any]:
    """Bring stored alarms to the present format.

    Raises:
        ValueError: A newer Tocsin wrote them, or no migration begins at their format.
    """
    found = data.get("format")
    if isinstance(found, int) and found > FORMAT:
        raise ValueError(
            f"alarms stored in format {found} by Tocsin {data.get('written_by')} (legal: up to {FORMAT}; remedy: run "
            "that version)"
        )
    while found != FORMAT:
        if found not in MIGRATIONS:
            raise ValueError(f"alarms stored in format {found!r} (legal: {FORMAT})")
        data = MIGRATIONS[found](data)
        found = data["format"]
    return data


def stored_event(event: Event) -> StoredEvent:
    """The stored form of an event."""
    report = event.report
    return StoredEvent(
        id=event.id,
        stream=event.stream,
        labels=event.labels,
        alarm=event.alarm,
        watch=event.watch,
        category=event.category,
        transition=event.transition,
        status=_stored_status(event.status),
        occurrence=event.occurrence,
        since=event.since,
        t=event.t,
        raised_at=event.raised_at,
        reason=report.reason,
        score=report.score,
        evidence=tuple(_stored_evidence(evidence) for evidence in report.evidence),
        model=report.model,
        explanation=_stored_explanation(report.explanation),
        actor=event.actor,
        comment=event.comment,
        transaction=event.transaction,
        verdict=event.verdict,
        fleeting=event.fleeting,
        announced=event.announced,
        test=event.test,
    )


def event_of(stored: StoredEvent) -> Event:
    """The event of a stored form."""
    report = StoredReport(stored.reason, stored.score, stored.evidence, stored.model, stored.explanation)
    return Event(
        id=stored.id,
        stream=stored.stream,
        labels=stored.labels,
        alarm=stored.alarm,
        watch=stored.watch,
        category=stored.category,
        transition=stored.transition,
        status=msgspec.convert(stored.status, AlarmStatus, from_attributes=True),
        occurrence=stored.occurrence,
        since=stored.since,
        t=stored.t,
        raised_at=stored.raised_at,
        report=msgspec.convert(report, Report, from_attributes=True),
        actor=stored.actor,
        comment=stored.comment,
        transaction=stored.transaction,
        verdict=stored.verdict,
        fleeting=stored.fleeting,
        announced=stored.announced,
        test=stored.test,
    )


def stored_record(record: AlarmRecord) -> StoredRecord:
    """The stored form of a record."""
    return StoredRecord(
        stream=record.stream,
        alarm=record.alarm,
        watch=record.watch,
        labels=record.labels,
        priority=record.priority,
        category=record.category,
        kind=record.kind,
        status=_stored_status(record.status),
        report=_stored_report(record.report),
        last_occurrence=record.last_occurrence,
        last_since=record.last_since,
        annunciated_since=record.annunciated_since,
        waiting_since=record.waiting_since,
        reminded=record.reminded,
        deferred_clear=_stored_clear(record.deferred_clear),
        began_t=record.began_t,
        cycles=record.cycles,
        ceased_t=record.ceased_t,
        turned_at=record.turned_at,
        ends_at=record.ends_at,
    )


def record_of(stored: StoredRecord) -> AlarmRecord:
    """The record of a stored form."""
    return msgspec.convert(stored, AlarmRecord, from_attributes=True)


def _stored_status(status: AlarmStatus) -> StoredStatus:
    return StoredStatus(
        active=status.active,
        acknowledged=status.acknowledged,
        latched=status.latched,
        uncertain=status.uncertain,
        priority=status.priority,
        occurrence=status.occurrence,
        since=status.since,
        raised_at=status.raised_at,
        shelved=None if status.shelved is None else _stored_shelving(status.shelved),
        suppressed_by=status.suppressed_by,
        out_of_service=status.out_of_service,
        acknowledged_by=status.acknowledged_by,
        acknowledged_at=status.acknowledged_at,
        first_up=status.first_up,
        chattering=status.chattering,
        stale=status.stale,
    )


def _stored_shelving(shelving: Shelving) -> StoredShelving:
    return StoredShelving(shelving.by, shelving.reason, shelving.until, shelving.once)


def _stored_clear(clear: DeferredClear | None) -> StoredClear | None:
    return (
        None if clear is None else StoredClear(clear.t, clear.off_delay_ns, clear.until, _stored_report(clear.report))
    )


def _stored_report(report: Report) -> StoredReport:
    return StoredReport(
        reason=report.reason,
        score=report.score,
        evidence=tuple(_stored_evidence(evidence) for evidence in report.evidence),
        model=report.model,
        explanation=_stored_explanation(report.explanation),
    )


def _stored_evidence(evidence: Evidence) -> StoredEvidence:
    return StoredEvidence(
        channel=evidence.channel,
        unit=evidence.unit,
        value=evidence.value,
        mean=evidence.mean,
        scale=evidence.scale,
        contribution=evidence.contribution,
    )


def _stored_explanation(explanation: Explanation | None) -> StoredExplanation | None:
    if explanation is None:
        return None
    return StoredExplanation(
        model=explanation.model,
        sha256=explanation.sha256,
        threshold=explanation.threshold,
        rising_since=explanation.rising_since,
        warm_up_ticks=explanation.warm_up_ticks,
        frames_seen=explanation.frames_seen,
        state_since=explanation.state_since,
        gap_ended=explanation.gap_ended,
        gap_s=explanation.gap_s,
        rewound=explanation.rewound,
        frames=None if explanation.frames is None else _stored_frames(explanation.frames),
    )


def _stored_frames(frames: Frames) -> StoredFrames:
    return StoredFrames(
        channels=frames.channels,
        period_ns=frames.period_ns,
        tick=frames.tick,
        x=frames.x,
        mask=frames.mask,
        delta=frames.delta,
        state=frames.state,
        mean=frames.mean,
        scale=frames.scale,
    )
