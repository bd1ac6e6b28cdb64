"""Alarm records: applies triggers, deadlines and suppression to them, and collects the events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tocsin.alarm.commands import Acknowledge
from tocsin.alarm.deadlines import Deadline, DeadlineQueue, next_deadline, next_escalation
from tocsin.alarm.events import Transition
from tocsin.alarm.flood import FLOOD, FloodWindows, flood_alarm
from tocsin.alarm.lifecycle import TABLE
from tocsin.alarm.policy import AlarmPolicy
from tocsin.alarm.record import URGENCY, AlarmKind, AlarmRecord, in_state, normal
from tocsin.alarm.record_indexes import RecordIndexes
from tocsin.engine.events import ConditionEventKind, Priority, Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tocsin.alarm.commands import Command, CommandEnvelope, Verdict
    from tocsin.alarm.events import Event
    from tocsin.alarm.lifecycle import Trigger
    from tocsin.alarm.policy import AlarmPolicies
    from tocsin.alarm.status import AlarmStatus

_NS_PER_S = 1_000_000_000

_Key = tuple[str, str]  # stream and alarm


_UNCERTAIN_AFTER: dict[Trigger, bool] = {ConditionEventKind.UNCERTAIN: True, ConditionEventKind.CERTAIN: False}


class AlarmRecords:
    """The records of all alarms.

    Attributes:
        records: Records by stream and alarm.
        policies: Policies by watch and alarm.
        labels_by_watch: See `AlarmPolicies`.
        last_id: Id of the last event; 0 before the first.
    """

    def __init__(self, policies: AlarmPolicies) -> None:
        self.records: dict[_Key, AlarmRecord] = {}
        self.policies = policies.by_name()
        self.labels_by_watch = policies.labels_by_watch
        self.last_id = 0
        self._flood_windows = None if policies.grouping is None else FloodWindows(policies.grouping)
        self._events: list[Event] = []
        self._begin_indexes()

    def _begin_indexes(self) -> None:
        self._deadlines = DeadlineQueue()
        self._indexes = RecordIndexes()
        self._to_review = False
        for record in self.records.values():
            self._update(record)

    def is_visible(self, record: AlarmRecord) -> bool:
        """Whether people see an alarm, by itself or by its group's flood alarm."""
        status = record.status
        if status.shelved is not None or status.out_of_service:
            return False
        return all(name in self._indexes.flood_of for name in status.suppressed_by)

    def drain(self) -> list[Event]:
        """The events since the last call."""
        events, self._events = self._events, []
        return events

    def policy(self, record: AlarmRecord) -> AlarmPolicy:
        """An alarm's policy; the default one for floods, tests and alarms that are not configured."""
        policy = self.policies.get((record.watch, record.alarm)) if record.kind is AlarmKind.WATCHED else None
        return policy or AlarmPolicy(record.watch, record.alarm, record.priority, record.category)

    def add(self, record: AlarmRecord) -> AlarmRecord:
        """Add the record of a new alarm."""
        self.records[record.key] = record
        return record

    def relabel(self, record: AlarmRecord, labels: Mapping[str, str]) -> None:
        """Set the labels of an alarm's stream."""
        if labels != record.labels:
            self._indexes.inhibitors.update(record, self.policy(record), gone=True)  # under the former labels
            record.labels = labels
            self._to_review |= self._indexes.inhibitors.update(record, self.policy(record))

    def set_status(
        self,
        record: AlarmRecord,
        status: AlarmStatus,
        transition: Transition,
        now: int,
        *,
        t: int | None = None,
        envelope: CommandEnvelope[Command] | None = None,
    ) -> None:
        """Set an alarm's status, and add the event of its transition.

        Args:
            record: The alarm.
            status: The next status.
            transition: The transition.
            now: Nanoseconds since 1970.
            t: Event time, nanoseconds since 1970; None: `now`.
            envelope: The command that causes it, if one does.
        """
        before, t = record.status, now if t is None else t
        fleeting = transition is Transition.CLEAR and record.is_fleeting(t)
        if status.stale and not status.is_annunciated:
            status = replace(status, stale=False)
        self.last_id += 1
        record.set_status(status, now)
        self._update(record)
        event = record.event(self.last_id, transition, before, t, now, envelope)
        self._events.append(replace(event, fleeting=True) if fleeting else event)
        record.report = record.report.without_frames()

    def remark(
        self,
        record: AlarmRecord,
        transition: Transition,
        now: int,
        envelope: CommandEnvelope[Command],
        occurrence: int,
        verdict: Verdict | None,
    ) -> None:
        """Add the event of a remark on an occurrence, present or past.

        Args:
            record: The alarm.
            transition: Annotate or mark.
            now: Nanoseconds since 1970.
            envelope: The command.
            occurrence: The occurrence concerned.
            verdict: The verdict of a mark.
        """
        self.set_status(record, record.status, transition, now, envelope=envelope)
        since = record.last_since if occurrence == record.last_occurrence else None
        self._events[-1] = replace(self._events[-1], occurrence=occurrence, since=since, verdict=verdict)

    def trigger(
        self,
        record: AlarmRecord,
        trigger: Trigger,
        t: int,
        now: int,
        *,
        report: Report | None = None,
        envelope: CommandEnvelope[Command] | None = None,
    ) -> None:
        """Apply a trigger to an alarm by the table; possibly without effect.

        Args:
            record: The alarm.
            trigger: A condition event, a command, or a deadline.
            t: Event time, nanoseconds since 1970.
            now: Nanoseconds since 1970.
            report: The condition event's report; None keeps the last one.
            envelope: The command that causes it, if one does.
        """
        before = record.status
        rule = TABLE.get((before.state, trigger))
        if rule is None or before.uncertain == _UNCERTAIN_AFTER.get(trigger):
            return
        record.report = report or record.report
        if rule.is_new:
            self._raise(record, t, now, envelope)
            return
        status = in_state(before, rule.state(self.policy(record).on_clear))
        if trigger in _UNCERTAIN_AFTER:
            status = replace(status, uncertain=_UNCERTAIN_AFTER[trigger])
        elif trigger is Acknowledge and status.acknowledged and envelope is not None:
            status = replace(status, acknowledged_by=envelope.actor, acknowledged_at=now)
        elif trigger is ConditionEventKind.INACTIVE:
            record.deferred_clear = None
        elif trigger is ConditionEventKind.REMOVED:
            record.deferred_clear = None
            status = replace(status, shelved=None, chattering=False)
        if status.occurrence is None:
            status = replace(status, priority=record.priority)
        self.set_status(record, status, rule.transition, now, t=t, envelope=envelope)
        if trigger is ConditionEventKind.INACTIVE and status.shelved is not None and status.shelved.once:
            self.set_status(record, replace(record.status, shelved=None), Transition.UNSHELVE, now, t=t)

    def _raise(self, record: AlarmRecord, t: int, now: int, envelope: CommandEnvelope[Command] | None = None) -> None:
        before = record.status
        is_set_aside = before.shelved is not None or before.out_of_service
        suppressed_by = self._indexes.inhibitors.of(record, self.policy(record))
        if not suppressed_by and not is_set_aside:
            suppressed_by = self._count_for_flood(record, t, now)
        status = replace(
            normal(record.priority),
            active=True,
            occurrence=self.last_id + 1,
            since=t,
            raised_at=now,
            shelved=before.shelved,
            out_of_service=before.out_of_service,
            chattering=before.chattering,
            suppressed_by=suppressed_by,
            first_up=not is_set_aside and not suppressed_by and not self._indexes.another_waits(record),
        )
        self.set_status(record, status, Transition.RAISE, now, t=t, envelope=envelope)

    def _count_for_flood(self, record: AlarmRecord, t: int, now: int) -> tuple[str, ...]:
        """Count a new alarm in its group; the name of the flood alarm that suppresses it, if one does."""
        if self._flood_windows is None or record.kind is not AlarmKind.WATCHED:
            return ()
        grouping, group = self._flood_windows.grouping, self._flood_windows.group(record.labels)
        count = self._flood_windows.count(group, now)
        flood = self.records.get((group, FLOOD))
        is_excepted = record.priority in grouping.except_priorities
        if flood is not None and flood.status.active:
            if not is_excepted and URGENCY[record.priority] > URGENCY[flood.status.priority]:
                self.set_status(flood, replace(flood.status, priority=record.priority), Transition.ESCALATE, now)
            self.schedule(flood)
        elif count <= grouping.begin:
            return ()
        else:
            flood = flood or self.add(flood_alarm(group, self._flood_windows.labels(record.labels)))
            flood.priority = Priority.LOW if is_excepted else record.priority
            per = grouping.per_ns / _NS_PER_S / 60
            flood.report = Report(f"{count} new alarms within {per:g} min: grouped until fewer than {grouping.end}")
            self.trigger(flood, ConditionEventKind.ACTIVE, t, now)
        return () if is_excepted else (flood.name,)

    def review(self, now: int) -> None:
        """Review suppression by design; an alarm that has been annunciated is not suppressed later."""
        while self._to_review:
            self._to_review = False
            suppressed = [self.records[key] for key in self._indexes.suppressed]
            for record in sorted(suppressed, key=lambda r: r.status.occurrence or 0):
                self._review_record(record, now)

    def _review_record(self, record: AlarmRecord, now: int) -> None:
        before = record.status.suppressed_by
        floods = [self._indexes.flood_of[name] for name in before if name in self._indexes.flood_of]
        active_floods = {flood.name for flood in floods if flood.status.active}
        suppressed_by = tuple(sorted({*active_floods, *self._indexes.inhibitors.of(record, self.policy(record))}))
        is_set_aside = record.status.shelved is not None or record.status.out_of_service
        if not suppressed_by and not floods and not is_set_aside:  # it would be annunciated for the first time
            suppressed_by = self._count_for_flood(record, now, now)
        if suppressed_by != before:
            transition = Transition.SUPPRESS if suppressed_by else Transition.UNSUPPRESS
            self.set_status(record, replace(record.status, suppressed_by=suppressed_by), transition, now)

    def expire_deadlines(self, now: int) -> None:
        """Apply the deadlines that have passed, in the order of their times."""
        self.review(now)
        while (expired := self._deadlines.pop(now)) is not None:
            at, deadline, key = expired
            self._expire(self.records[key], deadline, at, now)
            if key in self.records:
                self.schedule(self.records[key])
            self.review(now)

    def _expire(self, record: AlarmRecord, deadline: Deadline, at: int, now: int) -> None:
        status = record.status
        match deadline:
            case Deadline.CLEAR:
                self.clear_deferred(record, now)
            case Deadline.END_OF_TEST | Deadline.END_OF_FLOOD:
                self.trigger(record, ConditionEventKind.INACTIVE, at, now)
                self._end(record)
            case Deadline.RE_ALARM:
                self.trigger(record, Deadline.RE_ALARM, at, now)
            case Deadline.REMIND:
                self._remind(record, now)
            case Deadline.ESCALATE:
                step = next_escalation(record, self.policy(record))
                priority = status.priority if step is None else step.to
                self.set_status(record, replace(status, priority=priority), Transition.ESCALATE, now, t=at)
            case Deadline.UNSHELVE:
                self.set_status(record, replace(status, shelved=None), Transition.UNSHELVE, now, t=at)
            case Deadline.STALE:
                self.set_status(record, replace(status, stale=True), Transition.STALE, now, t=at)
            case Deadline.CALM:
                self.set_status(record, replace(status, chattering=False), Transition.CALM, now, t=at)

    def _end(self, record: AlarmRecord) -> None:
        """Let others be reviewed after a flood or a test, and drop a test."""
        self._to_review = True
        if record.kind is AlarmKind.TEST:
            self.drop(record)

    def _remind(self, record: AlarmRecord, now: int) -> None:
        """Remind once, even if several reminders have become due."""
        remind_ns = self.policy(record).remind_ns
        if remind_ns is not None and record.waiting_since is not None:
            record.reminded = (now - record.waiting_since) // remind_ns
            t = record.waiting_since + record.reminded * remind_ns
            self.set_status(record, record.status, Transition.REMIND, now, t=t)

    def clear_deferred(self, record: AlarmRecord, now: int) -> None:
        """Apply a deferred clear."""
        if record.deferred_clear is not None:
            clear = record.deferred_clear
            self.trigger(record, ConditionEventKind.INACTIVE, clear.t + clear.off_delay_ns, now, report=clear.report)

    def remove(self, record: AlarmRecord, t: int, now: int, report: Report) -> None:
        """End an alarm of a removed stream or configuration, and drop its record.

        An alarm that is out of service stays so: that concerns the equipment, not the patient.
        """
        self.trigger(record, ConditionEventKind.REMOVED, t, now, report=report)
        if record.status.shelved is not None:  # there was no occurrence to end
            record.report = report
            self.set_status(record, replace(record.status, shelved=None), Transition.UNSHELVE, now, t=t)
        self.drop(record)

    def drop(self, record: AlarmRecord) -> None:
        """Drop an alarm's record; one that is out of service keeps that alone."""
        self._remove_from_indexes(record)
        if record.status.out_of_service:
            record.status = replace(normal(record.priority), out_of_service=True)
            record.deferred_clear, record.cycles = None, ()
            record.began_t = record.ceased_t = record.changed_at = None
            self._update(record)
        else:
            del self.records[record.key]

    def reconfigure(self, policies: AlarmPolicies, now: int, reason: str) -> None:
        """Replace the policies; alarms that are no longer configured end."""
        self.policies = policies.by_name()
        self.labels_by_watch = policies.labels_by_watch
        for record in list(self.records.values()):
            if record.kind is AlarmKind.WATCHED and (record.watch, record.alarm) not in self.policies:
                self.remove(record, now, now, Report(reason))
                self.records.pop(record.key, None)
        grouping = policies.grouping
        if grouping != (self._flood_windows and self._flood_windows.grouping):
            for record in [r for r in self.records.values() if r.kind is AlarmKind.FLOOD]:
                self.remove(record, now, now, Report(reason))
            self._flood_windows = None if grouping is None else FloodWindows(grouping)
        self._begin_indexes()
        self._to_review = True
        self.review(now)

    def restore(self, records: Iterable[AlarmRecord], last_id: int, floods: Mapping[str, list[int]]) -> None:
        """Replace all records."""
        self.records = {record.key: record for record in records}
        self.last_id = last_id
        if self._flood_windows is not None:
            self._flood_windows.restore(floods)
        self._begin_indexes()

    def restore_from_event(self, event: Event) -> None:
        """Set an alarm's record to what an event of it reports."""
        kind = AlarmKind.TEST if event.test else AlarmKind.FLOOD if event.alarm == FLOOD else AlarmKind.WATCHED
        record = self.records.get((event.stream, event.alarm)) or self.add(
            AlarmRecord(
                stream=event.stream,
                alarm=event.alarm,
                watch=event.watch,
                labels=event.labels,
                priority=event.status.priority,
                category=event.category,
                kind=kind,
                status=normal(event.status.priority),
                report=Report(event.report.reason),
                ends_at=event.raised_at if kind is AlarmKind.TEST else None,
            )
        )
        record.report = replace(event.report, explanation=None)
        record.set_status(event.status, event.raised_at)
        self._update(record)
        self.last_id = max(self.last_id, event.id)

    def export_floods(self) -> dict[str, list[int]]:
        """Times of new alarms by group."""
        return {} if self._flood_windows is None else self._flood_windows.export()

    def _update(self, record: AlarmRecord) -> None:
        """Update indexes and deadline by a record."""
        self._to_review |= self._indexes.update(record, self.policy(record))
        self.schedule(record)

    def _remove_from_indexes(self, record: AlarmRecord) -> None:
        self._to_review |= self._indexes.remove(record, self.policy(record))
        self._deadlines.set(record.key, None)

    def schedule(self, record: AlarmRecord) -> None:
        """Set a record's next deadline."""
        deadline = next_deadline(record, self.policy(record))
        if record.kind is AlarmKind.FLOOD and record.status.active and self._flood_windows is not None:
            end = self._flood_windows.ends_at(record.stream), Deadline.END_OF_FLOOD
            deadline = end if deadline is None else min(deadline, end)
        self._deadlines.set(record.key, deadline)
