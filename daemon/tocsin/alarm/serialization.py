"""Encoding of alarm records, events and transactions, with the format number of stored alarms and its migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.alarm.events import Event
from tocsin.alarm.record import AlarmRecord
from tocsin.alarm.status import AlarmStatus
from tocsin.alarm.stored_forms import (
    StoredAlarms,
    StoredClear,
    StoredEvent,
    StoredEvidence,
    StoredExplanation,
    StoredFrames,
    StoredRecord,
    StoredReport,
    StoredShelving,
    StoredStatus,
)
from tocsin.engine.events import Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.alarm.record import DeferredClear
    from tocsin.alarm.status import Shelving
    from tocsin.engine.events import Evidence, Explanation, Frames

FORMAT = 1
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""By format: migrates stored alarms from it to the next one."""


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
        changed_at=record.changed_at,
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
        reprocessed=explanation.reprocessed,
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
