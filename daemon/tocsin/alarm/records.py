"""Every alarm's record, and the one way to change it: each change makes an event.

Beside the records stand an agenda and indexes that follow from them, so that they are made anew and never kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tocsin.alarm.deadline_queue import DeadlineQueue
from tocsin.alarm.deadlines import Deadline, next_due, next_step
from tocsin.alarm.events import NOTHING_ASIDE, Aside, Event, Transition
from tocsin.alarm.flood import FLOOD, Floods, telling
from tocsin.alarm.lifecycle import TABLE, Stimulus
from tocsin.alarm.policy import AlarmPolicy
from tocsin.alarm.record import URGENCY, AlarmKind, AlarmRecord, in_state, normal
from tocsin.alarm.record_indexes import RecordIndexes
from tocsin.engine.events import Priority, Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tocsin.alarm.commands import Command, CommandEnvelope
    from tocsin.alarm.policy import AlarmPolicies
    from tocsin.alarm.status import AlarmStatus

_NS_PER_S = 1_000_000_000

_Key = tuple[str, str]  # stream and alarm


class AlarmRecords:
    """All records.

    Attributes:
        records: By stream and alarm.
        policies: By watch and alarm.
        whereabouts: See `AlarmPolicies`.
        last_id: Of the last event.
    """

    def __init__(self, policies: AlarmPolicies) -> None:
        """Begin with no alarm up."""
        self.records: dict[_Key, AlarmRecord] = {}
        self.policies = policies.named()
        self.whereabouts = policies.whereabouts
        self.last_id = 0
        self._floods = None if policies.grouping is None else Floods(policies.grouping)
        self._events: list[Event] = []
        self._begin_indexes()

    def _begin_indexes(self) -> None:
        self._agenda = DeadlineQueue()
        self._indexes = RecordIndexes()
        self._to_review = False
        for record in self.records.values():
            self._follow(record)

    def is_shown(self, record: AlarmRecord) -> bool:
        """Whether people see an alarm: they are told of it, be it among others in a flood."""
        status = record.status
        if status.shelved is not None or status.out_of_service:
            return False
        return all(name in self._indexes.flood_of for name in status.suppressed_by)

    def drain(self) -> list[Event]:
        """Take the events since the last time."""
        events, self._events = self._events, []
        return events

    def policy(self, record: AlarmRecord) -> AlarmPolicy:
        """How an alarm is to be handled."""
        policy = self.policies.get((record.watch, record.alarm)) if record.kind is AlarmKind.WATCHED else None
        return policy or AlarmPolicy(record.watch, record.alarm, record.priority, record.category)

    def add(self, record: AlarmRecord) -> AlarmRecord:
        """Take in the record of an alarm that wasn't known."""
        self.records[record.key] = record
        return record

    def relabel(self, record: AlarmRecord, labels: Mapping[str, str]) -> None:
        """Take note of what is known of a stream now."""
        if labels != record.labels:
            self._indexes.inhibitors.follow(record, self.policy(record), gone=True)  # under the labels that it had
            record.labels = labels
            self._to_review |= self._indexes.inhibitors.follow(record, self.policy(record))

    def put(
        self,
        record: AlarmRecord,
        status: AlarmStatus,
        transition: Transition,
        now: int,
        *,
        t: int | None = None,
        order: CommandEnvelope[Command] | None = None,
        aside: Aside = NOTHING_ASIDE,
    ) -> None:
        """Give an alarm another status, and make the event of it.

        Args:
            record: Whose.
            status: The one that follows.
            transition: What happened.
            now: Nanoseconds since 1970.
            t: When; `now` if left out.
            order: Whose doing it is; None if nobody's.
            aside: What else is to be said.
        """
        before = record.status
        if status.stale and not status.is_annunciated:
            status = replace(status, stale=False)
        self.last_id += 1
        record.become(status, now)
        self._follow(record)
        about = aside.occurrence or status.occurrence or before.occurrence
        self._events.append(
            Event(
                id=self.last_id,
                stream=record.stream,
                labels=record.labels,
                alarm=record.alarm,
                watch=record.watch,
                category=record.category,
                transition=transition,
                status=status,
                announced=status.is_annunciated or before.is_annunciated,
                occurrence=about,
                since=record.last_since if about == record.last_occurrence else None,
                t=now if t is None else t,
                raised_at=now,
                report=record.report,
                actor=None if order is None else order.actor,
                comment=None if order is None else order.comment,
                transaction=None if order is None else order.transaction,
                verdict=aside.verdict,
                fleeting=aside.fleeting,
                test=record.kind is AlarmKind.TEST,
            )
        )
        record.report = record.report.without_frames()

    def move(
        self,
        record: AlarmRecord,
        stimulus: Stimulus,
        t: int,
        now: int,
        *,
        report: Report | None = None,
        order: CommandEnvelope[Command] | None = None,
    ) -> None:
        """Let the table say what a stimulus does to an alarm; possibly nothing.

        Args:
            record: Whose.
            stimulus: What happened to it.
            t: When.
            now: Nanoseconds since 1970.
            report: The reason for it; None: the one before.
            order: Whose doing it is; None if nobody's.
        """
        before = record.status
        entry = TABLE.get((before.state, stimulus))
        if entry is None or before.uncertain == {Stimulus.LOST: True, Stimulus.FOUND: False}.get(stimulus):
            return
        record.report = report or record.report
        if entry.is_new:
            self._raise(record, t, now, order)
            return
        status = in_state(before, entry.state(self.policy(record).on_clear))
        match stimulus:
            case Stimulus.LOST | Stimulus.FOUND:
                status = replace(status, uncertain=stimulus is Stimulus.LOST)
            case Stimulus.ACKNOWLEDGE if status.acknowledged and order is not None:
                status = replace(status, acknowledged_by=order.actor, acknowledged_at=now)
            case Stimulus.CEASES:
                record.deferred_clear = None
            case Stimulus.ENDED:
                record.deferred_clear = None
                status = replace(status, shelved=None, chattering=False)
        if status.occurrence is None:
            status = replace(status, priority=record.priority)
        aside = Aside(fleeting=stimulus is Stimulus.CEASES and record.is_fleeting(t))
        self.put(record, status, entry.transition, now, t=t, order=order, aside=aside)
        if stimulus is Stimulus.CEASES and status.shelved is not None and status.shelved.once:
            self.put(record, replace(record.status, shelved=None), Transition.UNSHELVE, now, t=t)

    def _raise(self, record: AlarmRecord, t: int, now: int, order: CommandEnvelope[Command] | None = None) -> None:
        before = record.status
        quiet = before.shelved is not None or before.out_of_service
        suppressed_by = self._indexes.inhibitors.of(record, self.policy(record))
        if not suppressed_by and not quiet:
            suppressed_by = self._told_in_a_flood(record, t, now)
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
            first_up=not quiet and not suppressed_by and not self._indexes.another_waits(record),
        )
        self.put(record, status, Transition.RAISE, now, t=t, order=order)

    def _told_in_a_flood(self, record: AlarmRecord, t: int, now: int) -> tuple[str, ...]:
        """Count an alarm that people would be told of; the grouped alarm that they are told of instead, if any."""
        if self._floods is None or record.kind is not AlarmKind.WATCHED:
            return ()
        grouping, group = self._floods.grouping, self._floods.group(record.labels)
        count = self._floods.note(group, now)
        flood = self.records.get((group, FLOOD))
        is_spared = record.priority in grouping.spare
        if flood is not None and flood.status.active:
            if not is_spared and URGENCY[record.priority] > URGENCY[flood.status.priority]:
                self.put(flood, replace(flood.status, priority=record.priority), Transition.ESCALATE, now)
            self.schedule(flood)
        elif count <= grouping.begin:
            return ()
        else:
            flood = flood or self.add(telling(group, self._floods.labels(record.labels)))
            flood.priority = Priority.LOW if is_spared else record.priority
            per = grouping.per_ns / _NS_PER_S / 60
            flood.report = Report(f"{count} new alarms within {per:g} min: told as one until fewer than {grouping.end}")
            self.move(flood, Stimulus.BEGINS, t, now)
        return () if is_spared else (flood.name,)

    def review(self, now: int) -> None:
        """Derive again what the design keeps quiet; what it once let through stays."""
        while self._to_review:
            self._to_review = False
            blocked = [self.records[key] for key in self._indexes.blocked]
            for record in sorted(blocked, key=lambda r: r.status.occurrence or 0):
                self._derive_again(record, now)

    def _derive_again(self, record: AlarmRecord, now: int) -> None:
        before = record.status.suppressed_by
        floods = [self._indexes.flood_of[name] for name in before if name in self._indexes.flood_of]
        going_on = {flood.name for flood in floods if flood.status.active}
        suppressed_by = tuple(sorted({*going_on, *self._indexes.inhibitors.of(record, self.policy(record))}))
        quiet = record.status.shelved is not None or record.status.out_of_service
        if not suppressed_by and not floods and not quiet:  # people would be told of it now for the first time
            suppressed_by = self._told_in_a_flood(record, now, now)
        if suppressed_by != before:
            transition = Transition.SUPPRESS if suppressed_by else Transition.UNSUPPRESS
            self.put(record, replace(record.status, suppressed_by=suppressed_by), transition, now)

    def pass_time(self, now: int) -> None:
        """Do what has fallen due, in the order of the times when it did."""
        self.review(now)
        while (fallen := self._agenda.take(now)) is not None:
            when, due, key = fallen
            self._fall_due(self.records[key], due, when, now)
            if key in self.records:
                self.schedule(self.records[key])
            self.review(now)

    def _fall_due(self, record: AlarmRecord, due: Deadline, when: int, now: int) -> None:
        status = record.status
        match due:
            case Deadline.CLEAR:
                self.release(record, now)
            case Deadline.END_OF_TEST | Deadline.END_OF_FLOOD:
                self.move(record, Stimulus.CEASES, when, now)
                self._end(record)
            case Deadline.RE_ALARM:
                self.move(record, Stimulus.OVERDUE, when, now)
            case Deadline.REMIND:
                self._remind(record, now)
            case Deadline.ESCALATE:
                step = next_step(record, self.policy(record))
                priority = status.priority if step is None else step.to
                self.put(record, replace(status, priority=priority), Transition.ESCALATE, now, t=when)
            case Deadline.UNSHELVE:
                self.put(record, replace(status, shelved=None), Transition.UNSHELVE, now, t=when)
            case Deadline.STALE:
                self.put(record, replace(status, stale=True), Transition.STALE, now, t=when)
            case Deadline.CALM:
                self.put(record, replace(status, chattering=False), Transition.CALM, now, t=when)

    def _end(self, record: AlarmRecord) -> None:
        """What isn't a condition's has cleared."""
        self._to_review = True
        if record.kind is AlarmKind.TEST:
            self.forget(record)

    def _remind(self, record: AlarmRecord, now: int) -> None:
        """Once, also where several have fallen due since somebody last asked."""
        remind_ns = self.policy(record).remind_ns
        if remind_ns is not None and record.waiting_since is not None:
            record.reminded = (now - record.waiting_since) // remind_ns
            t = record.waiting_since + record.reminded * remind_ns
            self.put(record, record.status, Transition.REMIND, now, t=t)

    def release(self, record: AlarmRecord, now: int) -> None:
        """Let a clear happen that was held back."""
        if record.deferred_clear is not None:
            clear = record.deferred_clear
            self.move(record, Stimulus.CEASES, clear.t + clear.off_delay_ns, now, report=clear.report)

    def end(self, record: AlarmRecord, t: int, now: int, report: Report) -> None:
        """End an alarm that nobody watches any more, and forget what people said of it.

        What is out of service stays out: that is said of the equipment, not of whom it watches.
        """
        self.move(record, Stimulus.ENDED, t, now, report=report)
        if record.status.shelved is not None:  # nothing was up that could end
            record.report = report
            self.put(record, replace(record.status, shelved=None), Transition.UNSHELVE, now, t=t)
        self.forget(record)

    def forget(self, record: AlarmRecord) -> None:
        """Forget an alarm, but for its being out of service."""
        self._unfollow(record)
        if record.status.out_of_service:
            record.status = replace(normal(record.priority), out_of_service=True)
            record.deferred_clear, record.cycles, record.began_t, record.ceased_t, record.turned_at = (
                None,
                (),
                None,
                None,
                None,
            )
            self._follow(record)
        else:
            del self.records[record.key]

    def reconfigure(self, policies: AlarmPolicies, now: int, reason: str) -> None:
        """Go on with other plans."""
        self.policies = policies.named()
        self.whereabouts = policies.whereabouts
        for record in list(self.records.values()):
            if record.kind is AlarmKind.WATCHED and (record.watch, record.alarm) not in self.policies:
                self.end(record, now, now, Report(reason))
                self.records.pop(record.key, None)
        grouping = policies.grouping
        if grouping != (self._floods and self._floods.grouping):
            for record in [r for r in self.records.values() if r.kind is AlarmKind.FLOOD]:
                self.end(record, now, now, Report(reason))
            self._floods = None if grouping is None else Floods(grouping)
        self._begin_indexes()
        self._to_review = True
        self.review(now)

    def restore(self, records: Iterable[AlarmRecord], last_id: int, floods: Mapping[str, list[int]]) -> None:
        """Go on with other records."""
        self.records = {record.key: record for record in records}
        self.last_id = last_id
        if self._floods is not None:
            self._floods.restore(floods)
        self._begin_indexes()

    def recall(self, event: Event) -> None:
        """Take an alarm to be in what an event told of it."""
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
        record.become(event.status, event.raised_at)
        self._follow(record)
        self.last_id = max(self.last_id, event.id)

    def export_floods(self) -> dict[str, list[int]]:
        """The windows in which floods are counted."""
        return {} if self._floods is None else self._floods.export()

    def _follow(self, record: AlarmRecord) -> None:
        """Bring agenda and indexes up to what a record has become."""
        self._to_review |= self._indexes.follow(record, self.policy(record))
        self.schedule(record)

    def _unfollow(self, record: AlarmRecord) -> None:
        self._to_review |= self._indexes.unfollow(record, self.policy(record))
        self._agenda.put(record.key, None)

    def schedule(self, record: AlarmRecord) -> None:
        """Take note of what falls due next for a record."""
        due = next_due(record, self.policy(record))
        if record.kind is AlarmKind.FLOOD and record.status.active and self._floods is not None:
            end = self._floods.ends_at(record.stream), Deadline.END_OF_FLOOD
            due = end if due is None else min(due, end)
        self._agenda.put(record.key, due)
