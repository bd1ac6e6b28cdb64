"""Command handler: the rules for commands, the same for every API."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn, assert_never

from tocsin.alarm.commands import (
    MAX_SHELVE_S,
    Acknowledge,
    AcknowledgeGroup,
    Annotate,
    Mark,
    RefusalCode,
    Refused,
    RemoveFromService,
    Reset,
    ReturnToService,
    Shelve,
    Test,
    Unshelve,
)
from tocsin.alarm.events import Transition
from tocsin.alarm.lifecycle import REFUSED, verbs_of
from tocsin.alarm.record import AlarmKind, AlarmRecord, normal
from tocsin.alarm.status import Shelving, State
from tocsin.alarm.transactions import Transactions
from tocsin.engine.events import Category, ConditionEventKind, Priority, Report

if TYPE_CHECKING:
    from tocsin.alarm.commands import Command, CommandEnvelope, Targeted
    from tocsin.alarm.events import Event
    from tocsin.alarm.records import AlarmRecords
    from tocsin.alarm.status import AlarmStatus

_NS_PER_S = 1_000_000_000
_TEST_NS = 10 * _NS_PER_S
TEST_ALARM = "tocsin-test"
_NEED_A_REASON = (Shelve, RemoveFromService, Annotate)


class CommandHandler:
    """Carries out commands.

    Attributes:
        transactions: The last commands that were carried out under a transaction.
    """

    def __init__(self, records: AlarmRecords) -> None:
        self._records = records
        self.transactions = Transactions()

    def execute(self, envelope: CommandEnvelope[Command], now: int) -> list[Event]:
        """Carry out a command, unless its transaction was carried out before.

        Args:
            envelope: The command.
            now: Nanoseconds since 1970.

        Raises:
            Refused: The command is illegal now; nothing has changed.
        """
        before = self.transactions.events_of(envelope)
        if before is not None:
            return before
        self._check(envelope)
        self._execute(envelope, now)
        self._records.review(now)
        events = self._records.drain()
        self.transactions.record(envelope, events)
        return list(events)

    def _check(self, envelope: CommandEnvelope[Command]) -> None:
        subject = _subject(envelope)
        if not envelope.actor.strip():
            raise Refused(RefusalCode.MISSING_ACTOR, f"{subject}: there is no actor (give one)")
        if isinstance(envelope.command, _NEED_A_REASON) and not (envelope.comment or "").strip():
            raise Refused(RefusalCode.MISSING_REASON, f"{subject}: there is no reason (give a comment)")

    def _execute(self, envelope: CommandEnvelope[Command], now: int) -> None:
        command = envelope.command
        if isinstance(command, AcknowledgeGroup):
            self._acknowledge_group(command, envelope, now)
        elif isinstance(command, Test):
            self._test(command, envelope, now)
        else:
            self._execute_for_one(command, self._find(command, envelope), envelope, now)

    def _execute_for_one(
        self, command: Targeted, record: AlarmRecord, envelope: CommandEnvelope[Command], now: int
    ) -> None:
        match command:
            case Acknowledge():
                self._check_occurrence(record, command)
                self._trigger(record, Acknowledge, envelope, now)
            case Reset():
                self._trigger(record, Reset, envelope, now)
            case Annotate():
                self._remark(record, command, Transition.ANNOTATE, envelope, now)
            case Mark():
                self._remark(record, command, Transition.MARK, envelope, now)
            case _:
                self._suppress(command, record, envelope, now)

    def _suppress(
        self,
        command: Shelve | Unshelve | RemoveFromService | ReturnToService,
        record: AlarmRecord,
        envelope: CommandEnvelope[Command],
        now: int,
    ) -> None:
        """Begin or end a suppression by a person."""
        status = record.status
        match command:
            case Shelve():
                shelving = _shelving(command, envelope, now)
                self._set_status(record, replace(status, shelved=shelving), Transition.SHELVE, envelope, now)
            case Unshelve():
                if status.shelved is None:
                    self._refuse(record, command.verb, "it is not shelved")
                self._set_status(record, replace(status, shelved=None), Transition.UNSHELVE, envelope, now)
            case RemoveFromService():
                if status.out_of_service:
                    self._refuse(record, command.verb, "it is out of service")
                self._set_status(
                    record, replace(status, out_of_service=True), Transition.REMOVE_FROM_SERVICE, envelope, now
                )
            case ReturnToService():
                if not status.out_of_service:
                    self._refuse(record, command.verb, "it is in service")
                self._set_status(
                    record, replace(status, out_of_service=False), Transition.RETURN_TO_SERVICE, envelope, now
                )
            case _:
                assert_never(command)

    def _find(self, command: Targeted, envelope: CommandEnvelope[Command]) -> AlarmRecord:
        """The record of the command's alarm; a new one if it was never raised, and its stream is known."""
        key = command.stream, command.alarm
        record = self._records.records.get(key)
        if record is not None:
            return record
        known = self._records.labels_by_watch(command.stream)
        policies = [
            self._records.policies[watch, command.alarm]
            for watch in known
            if (watch, command.alarm) in self._records.policies
        ]
        if not policies:
            names = sorted({alarm for watch, alarm in self._records.policies if watch in known})
            legal_ones = f"its alarms: {', '.join(names)}" if known else "no such stream is known"
            raise Refused(RefusalCode.UNKNOWN_ALARM, f"{_subject(envelope)}: there is no such alarm ({legal_ones})")
        policy = policies[0]
        return AlarmRecord(
            stream=command.stream,
            alarm=command.alarm,
            watch=policy.watch,
            labels=known[policy.watch],
            priority=policy.priority,
            category=policy.category,
            kind=AlarmKind.WATCHED,
            status=normal(policy.priority),
            report=Report(""),
        )

    def _trigger(
        self,
        record: AlarmRecord,
        command: type[Acknowledge | Reset],
        envelope: CommandEnvelope[Command],
        now: int,
    ) -> None:
        if (record.status.state, command) in REFUSED:
            self._refuse(record, command.verb, f"while {_state(record.status)}")
        self._records.trigger(record, command, now, now, envelope=envelope)

    def _set_status(
        self,
        record: AlarmRecord,
        status: AlarmStatus,
        transition: Transition,
        envelope: CommandEnvelope[Command],
        now: int,
    ) -> None:
        self._records.add(record)
        self._records.set_status(record, status, transition, now, envelope=envelope)

    def _check_occurrence(self, record: AlarmRecord, command: Acknowledge) -> None:
        present = record.status.occurrence
        if command.occurrence is not None and present is not None and command.occurrence != present:
            raise Refused(
                RefusalCode.OTHER_OCCURRENCE,
                f"alarm {record.name!r}: occurrence {command.occurrence} is not the present one "
                f"(legal: {present}, or leave it out for the present one)",
            )

    def _acknowledge_group(self, command: AcknowledgeGroup, envelope: CommandEnvelope[Command], now: int) -> None:
        """Acknowledge visible alarms: neither shelved nor out of service, suppressed by nothing but a flood alarm."""
        if not command.labels:
            raise Refused(RefusalCode.ILLEGAL_VALUE, "acknowledge-group: no label is given (give at least one)")
        for record in list(self._records.records.values()):
            known = {"stream": record.stream, **record.labels}
            if all(known.get(name) == value for name, value in command.labels.items()) and self._records.is_visible(
                record
            ):
                self._records.trigger(record, Acknowledge, now, now, envelope=envelope)

    def _remark(
        self,
        record: AlarmRecord,
        command: Annotate | Mark,
        transition: Transition,
        envelope: CommandEnvelope[Command],
        now: int,
    ) -> None:
        last = record.last_occurrence
        occurrence = command.occurrence or last
        if occurrence is None:
            self._refuse(record, command.verb, "it has never been raised")
        if last is None or not 0 < occurrence <= last:
            up_to = "it has had none" if last is None else f"its last one is {last}"
            raise Refused(
                RefusalCode.OTHER_OCCURRENCE, f"alarm {record.name!r}: there is no occurrence {occurrence} ({up_to})"
            )
        verdict = command.verdict if isinstance(command, Mark) else None
        self._records.remark(record, transition, now, envelope, occurrence, verdict)

    def _test(self, command: Test, envelope: CommandEnvelope[Command], now: int) -> None:
        if not command.stream or any(c in command.stream for c in "+#\0"):
            raise Refused(RefusalCode.ILLEGAL_VALUE, f"test: {command.stream!r} can't name a stream (legal: no +, #)")
        if (command.stream, TEST_ALARM) in self._records.records:
            raise Refused(
                RefusalCode.ILLEGAL, f"alarm {command.stream!r}: a test is running (legal: wait until it ends)"
            )
        record = AlarmRecord(
            stream=command.stream,
            alarm=TEST_ALARM,
            watch="",
            labels={},
            priority=Priority.LOW,
            category=Category.TECHNICAL,
            kind=AlarmKind.TEST,
            status=normal(Priority.LOW),
            report=Report(f"a test by {envelope.actor}"),
            ends_at=now + _TEST_NS,
        )
        self._records.add(record)
        self._records.trigger(record, ConditionEventKind.ACTIVE, now, now, envelope=envelope)

    def _refuse(self, record: AlarmRecord, verb: str, why: str) -> NoReturn:
        raise Refused(
            RefusalCode.ILLEGAL,
            f"alarm {record.name!r}: cannot {verb} {why if why.startswith('while') else f'as {why}'} "
            f"(legal: {', '.join(legal_verbs(record.status))})",
        )


def legal_verbs(status: AlarmStatus) -> list[str]:
    """The verbs of the commands that change an alarm.

    >>> from tocsin.engine.events import Priority
    >>> legal_verbs(normal(Priority.LOW))
    ['shelve', 'remove-from-service', 'annotate', 'mark']
    """
    return [
        *verbs_of(status.state),
        *(("shelve",) if status.shelved is None else ("shelve", "unshelve")),
        "return-to-service" if status.out_of_service else "remove-from-service",
        "annotate",
        "mark",
    ]


def _state(status: AlarmStatus) -> str:
    """The state for people: `active` while the condition holds."""
    return "active" if status.state is State.ACKNOWLEDGED else status.state.value


def _subject(envelope: CommandEnvelope[Command]) -> str:
    command = envelope.command
    if isinstance(command, AcknowledgeGroup | Test):
        return command.verb
    return f"alarm '{command.stream}/{command.alarm}': cannot {command.verb}"


def _shelving(command: Shelve, envelope: CommandEnvelope[Command], now: int) -> Shelving:
    if not (math.isfinite(command.for_s) and 0 < command.for_s <= MAX_SHELVE_S):
        raise Refused(
            RefusalCode.ILLEGAL_VALUE,
            f"{_subject(envelope)} for {command.for_s:g} s (legal: more than 0, at most {MAX_SHELVE_S:g}; "
            "remove it from service for longer)",
        )
    return Shelving(envelope.actor, envelope.comment or "", now + round(command.for_s * _NS_PER_S), command.once)
