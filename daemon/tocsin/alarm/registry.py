"""The register of all alarms, whatever watch they are of: conditions' turns, orders and time in, events out.

Pure and exact: the same calls give the same events, ids included, also where `export` and `restore` lie between two
of them. What happens to an alarm stands in `lifecycle`, what keeps it quiet in `inhibition` and `flood`, what falls due
in `timers`; here it comes together.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.alarm import serialization
from tocsin.alarm.command_handler import CommandHandler
from tocsin.alarm.condition_events import take
from tocsin.alarm.record import AlarmKind, AlarmRecord
from tocsin.alarm.records import AlarmRecords
from tocsin.alarm.status import State
from tocsin.engine.events import Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tocsin.alarm.commands import Command, CommandEnvelope
    from tocsin.alarm.events import Event
    from tocsin.alarm.policy import AlarmPolicies
    from tocsin.alarm.status import AlarmStatus
    from tocsin.engine.events import Category, ConditionEvent, Priority

GONE = "the stream has ended"
NOT_CONFIGURED = "the configuration changed: this alarm is no longer what it was"


@dataclass(frozen=True, slots=True)
class AlarmCounts:
    """How many alarms there are.

    Attributes:
        states: By state, but for normal ones.
        shelved: Of any state.
        suppressed: By design.
        out_of_service: Of any state.
        floods: Groups whose alarms are told as one.
    """

    states: Mapping[State, int]
    shelved: int
    suppressed: int
    out_of_service: int
    floods: int


class AlarmRegistry:
    """Every alarm that has ever been up, and what it is in."""

    def __init__(self, policies: AlarmPolicies) -> None:
        """Begin with no alarm up."""
        self._records = AlarmRecords(policies)
        self._command_handler = CommandHandler(self._records)

    @property
    def statuses(self) -> Mapping[tuple[str, str], AlarmStatus]:
        """By stream and alarm: those that are not normal, and those that have been."""
        return {key: record.status for key, record in self._records.records.items()}

    @property
    def records(self) -> Mapping[tuple[str, str], AlarmRecord]:
        """By stream and alarm, with all that is known of each: to be read."""
        return self._records.records

    def counts(self) -> dict[tuple[Priority, Category], int]:
        """Count the alarms that are not normal, without tests."""
        counts: dict[tuple[Priority, Category], int] = {}
        for record in self._records.records.values():
            if record.status.occurrence is not None and record.kind is not AlarmKind.TEST:
                group = record.status.priority, record.category
                counts[group] = counts.get(group, 0) + 1
        return counts

    def alarm_counts(self) -> AlarmCounts:
        """Count alarms by what they are in, without tests."""
        records = [record for record in self._records.records.values() if record.kind is not AlarmKind.TEST]
        statuses = [record.status for record in records]
        return AlarmCounts(
            states=Counter(status.state for status in statuses if status.state is not State.NORMAL),
            shelved=sum(status.shelved is not None for status in statuses),
            suppressed=sum(bool(status.suppressed_by) for status in statuses),
            out_of_service=sum(status.out_of_service for status in statuses),
            floods=sum(record.kind is AlarmKind.FLOOD and record.status.active for record in records),
        )

    def take_in(self, changes: Sequence[ConditionEvent], now: int) -> list[Event]:
        """Let conditions' turns move their alarms.

        Args:
            changes: As the engines told them, in order.
            now: Nanoseconds since 1970.
        """
        for change in changes:
            take(self._records, change, now)
            self._records.review(now)
        return self._records.drain()

    def carry_out(self, order: CommandEnvelope[Command], now: int) -> list[Event]:
        """Do what somebody asks.

        A transaction that was carried out before changes nothing, and is answered with the same events; the last
        thousand are remembered.

        Args:
            order: What, by whom and why.
            now: Nanoseconds since 1970.

        Raises:
            Refused: It can't be done; nothing has changed.
        """
        return self._command_handler.carry_out(order, now)

    def pass_time(self, now: int) -> list[Event]:
        """Do what has fallen due: shelves that end, escalation, reminders, clears that were held back, ends of floods.

        Args:
            now: Nanoseconds since 1970.
        """
        self._records.pass_time(now)
        return self._records.drain()

    def end_stream(self, stream: str, now: int, reason: str = GONE) -> list[Event]:
        """End every alarm of a stream that is no more, and forget what people said of it.

        Its engine ends those that have ever rung. This reaches the others too, which somebody may have put aside.
        """
        records = self._records
        for record in [r for r in records.records.values() if r.stream == stream and r.kind is AlarmKind.WATCHED]:
            records.end(record, now, now, Report(reason))
        records.review(now)
        return records.drain()

    def reconfigure(self, policies: AlarmPolicies, now: int) -> list[Event]:
        """Go on with other plans. Alarms that are gone end; all others keep what they are in.

        Args:
            policies: Another grouping than before ends all floods.
            now: Nanoseconds since 1970.
        """
        self._records.reconfigure(policies, now, NOT_CONFIGURED)
        return self._records.drain()

    @property
    def last_id(self) -> int:
        """Of the last event; 0 before the first."""
        return self._records.last_id

    def recall(self, events: Iterable[Event]) -> None:
        """Take alarms to be in what people were told last, where that can't be worked out again."""
        for event in events:
            self._records.recall(event)

    def export(self, written_by: str) -> bytes:
        """Encode all alarms and transactions for a snapshot.

        Args:
            written_by: The version of Tocsin, which a refusal of a newer format names.
        """
        return serialization.encode_alarms(
            serialization.StoredAlarms(
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
