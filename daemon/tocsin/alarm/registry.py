"""Alarm registry: condition events, commands and time in, alarm events out, for the alarms of all watches.

Deterministic: the same calls give the same events, ids included, also with `export` and `restore` in between.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.alarm import condition_events, serialization
from tocsin.alarm.command_handler import CommandHandler
from tocsin.alarm.record import AlarmKind, AlarmRecord
from tocsin.alarm.records import AlarmRecords
from tocsin.alarm.status import State
from tocsin.alarm.stored_forms import StoredAlarms
from tocsin.engine.events import Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tocsin.alarm.commands import Command, CommandEnvelope
    from tocsin.alarm.events import Event
    from tocsin.alarm.policy import AlarmPolicies
    from tocsin.alarm.status import AlarmStatus
    from tocsin.engine.events import Category, ConditionEvent, Priority

STREAM_ENDED = "the stream has ended"
NOT_CONFIGURED = "the configuration changed: this alarm is no longer what it was"


@dataclass(frozen=True, slots=True)
class AlarmCounts:
    """Numbers of alarms, without tests.

    Attributes:
        states: Alarms by state, without normal ones.
        shelved: Shelved alarms, in any state.
        suppressed: Alarms suppressed by design.
        out_of_service: Alarms out of service, in any state.
        floods: Groups in a flood.
    """

    states: Mapping[State, int]
    shelved: int
    suppressed: int
    out_of_service: int
    floods: int


class AlarmRegistry:
    """All alarms that have been raised, shelved or removed from service."""

    def __init__(self, policies: AlarmPolicies) -> None:
        self._records = AlarmRecords(policies)
        self._command_handler = CommandHandler(self._records)

    @property
    def statuses(self) -> Mapping[tuple[str, str], AlarmStatus]:
        """Statuses by stream and alarm."""
        return {key: record.status for key, record in self._records.records.items()}

    @property
    def records(self) -> Mapping[tuple[str, str], AlarmRecord]:
        """Records by stream and alarm, read-only."""
        return self._records.records

    def counts(self) -> dict[tuple[Priority, Category], int]:
        """Count the alarms that are not normal by priority and category, without tests."""
        counts: dict[tuple[Priority, Category], int] = {}
        for record in self._records.records.values():
            if record.status.occurrence is not None and record.kind is not AlarmKind.TEST:
                group = record.status.priority, record.category
                counts[group] = counts.get(group, 0) + 1
        return counts

    def alarm_counts(self) -> AlarmCounts:
        """Count alarms by state and suppression, without tests."""
        records = [record for record in self._records.records.values() if record.kind is not AlarmKind.TEST]
        statuses = [record.status for record in records]
        return AlarmCounts(
            states=Counter(status.state for status in statuses if status.state is not State.NORMAL),
            shelved=sum(status.shelved is not None for status in statuses),
            suppressed=sum(bool(status.suppressed_by) for status in statuses),
            out_of_service=sum(status.out_of_service for status in statuses),
            floods=sum(record.kind is AlarmKind.FLOOD and record.status.active for record in records),
        )

    def apply(self, events: Sequence[ConditionEvent], now: int) -> list[Event]:
        """Apply condition events to their alarms.

        Args:
            events: The engines' condition events, in order.
            now: Nanoseconds since 1970.
        """
        for event in events:
            condition_events.apply(self._records, event, now)
            self._records.review(now)
        return self._records.drain()

    def execute(self, envelope: CommandEnvelope[Command], now: int) -> list[Event]:
        """Carry out a command.

        A transaction that was carried out before changes nothing and gives the same events; the last thousand are kept.

        Args:
            envelope: The command.
            now: Nanoseconds since 1970.

        Raises:
            Refused: The command is illegal now; nothing has changed.
        """
        return self._command_handler.execute(envelope, now)

    def expire_deadlines(self, now: int) -> list[Event]:
        """Apply the deadlines that have passed, such as ends of shelvings, escalations, reminders and ends of floods.

        Args:
            now: Nanoseconds since 1970.
        """
        self._records.expire_deadlines(now)
        return self._records.drain()

    def end_stream(self, stream: str, now: int, reason: str = STREAM_ENDED) -> list[Event]:
        """End all alarms of a stream that has ended, and drop their records.

        The engine ends only alarms that have been raised; others may be shelved or out of service.
        """
        records = self._records
        for record in [r for r in records.records.values() if r.stream == stream and r.kind is AlarmKind.WATCHED]:
            records.remove(record, now, now, Report(reason))
        records.review(now)
        return records.drain()

    def reconfigure(self, policies: AlarmPolicies, now: int) -> list[Event]:
        """Replace the policies. Alarms that are no longer configured end; all others keep their status.

        Args:
            policies: The new policies; a new grouping ends all floods.
            now: Nanoseconds since 1970.
        """
        self._records.reconfigure(policies, now, NOT_CONFIGURED)
        return self._records.drain()

    @property
    def last_id(self) -> int:
        """Id of the last event; 0 before the first."""
        return self._records.last_id

    def recall(self, events: Iterable[Event]) -> None:
        """Restore alarms from their logged events, where a snapshot or the journal cannot be used.

        Args:
            events: Logged events, in order.
        """
        for event in events:
            self._records.restore_from_event(event)

    def export(self, written_by: str) -> bytes:
        """Encode all alarms and transactions for a snapshot.

        Args:
            written_by: The version of Tocsin, which a refusal of a newer format names.
        """
        return serialization.encode_alarms(
            StoredAlarms(
                format=serialization.FORMAT,
                written_by=written_by,
                last_id=self._records.last_id,
                records=tuple(serialization.stored_record(record) for record in self._records.records.values()),
                floods=self._records.export_floods(),
                transactions=self._command_handler.transactions.export(),
            )
        )

    def restore(self, body: bytes) -> None:
        """Replace all alarms and transactions by those that `export` encoded; the policies stay.

        Raises:
            ValueError: A newer Tocsin wrote them, or they are damaged.
        """
        stored = serialization.decode_alarms(body)
        self._records.restore(
            [serialization.record_of(record) for record in stored.records], stored.last_id, stored.floods
        )
        self._command_handler.transactions.restore(stored.transactions)
