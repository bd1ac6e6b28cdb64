"""The stored forms of alarm records, events and transactions: a literal key for every field.

A renamed class or attribute leaves stored data as it is. The structures here have the attributes of what they store.
"""

from __future__ import annotations

# At run time, too: msgspec decodes by the annotations.
from collections.abc import Mapping  # noqa: TC003

import msgspec
from msgspec import field

from tocsin.alarm.commands import Verdict  # noqa: TC001
from tocsin.alarm.events import Transition  # noqa: TC001
from tocsin.alarm.record import AlarmKind  # noqa: TC001
from tocsin.engine.events import Category, Priority  # noqa: TC001


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
    reprocessed: int | None = field(name="reprocessed")
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
    changed_at: int | None = field(name="changed_at")
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
