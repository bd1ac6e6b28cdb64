"""Carrying out what people ask, by one set of rules for all doors."""

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
from tocsin.alarm.events import Aside, Transition
from tocsin.alarm.lifecycle import REFUSED, Stimulus, legal
from tocsin.alarm.record import AlarmKind, AlarmRecord, normal
from tocsin.alarm.status import Shelving, State
from tocsin.alarm.transactions import Transactions
from tocsin.engine.events import Category, Priority, Report

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

    def carry_out(self, order: CommandEnvelope[Command], now: int) -> list[Event]:
        """Carry out a command, unless its transaction was carried out before.

        Raises:
            Refused: The command is illegal now; nothing has changed.
        """
        before = self.transactions.events_of(order)
        if before is not None:
            return before
        self._check(order)
        self._do(order, now)
        self._records.review(now)
        events = self._records.drain()
        self.transactions.record(order, events)
        return list(events)

    def _check(self, order: CommandEnvelope[Command]) -> None:
        what = _subject(order)
        if not order.actor.strip():
            raise Refused(RefusalCode.MISSING_ACTOR, f"{what}: nobody is named who does it (give an actor)")
        if isinstance(order.command, _NEED_A_REASON) and not (order.comment or "").strip():
            raise Refused(RefusalCode.MISSING_REASON, f"{what}: no reason is given (give a comment)")

    def _do(self, order: CommandEnvelope[Command], now: int) -> None:
        command = order.command
        if isinstance(command, AcknowledgeGroup):
            self._acknowledge_group(command, order, now)
        elif isinstance(command, Test):
            self._test(command, order, now)
        else:
            self._do_to_one(command, self._find(command, order), order, now)

    def _do_to_one(self, command: Targeted, record: AlarmRecord, order: CommandEnvelope[Command], now: int) -> None:
        match command:
            case Acknowledge():
                self._check_occurrence(record, command)
                self._move(record, Stimulus.ACKNOWLEDGE, order, now)
            case Reset():
                self._move(record, Stimulus.RESET, order, now)
            case Annotate():
                self._say(record, command, Transition.ANNOTATE, order, now)
            case Mark():
                self._say(record, command, Transition.MARK, order, now)
            case _:
                self._keep_quiet(command, record, order, now)

    def _keep_quiet(
        self,
        command: Shelve | Unshelve | RemoveFromService | ReturnToService,
        record: AlarmRecord,
        order: CommandEnvelope[Command],
        now: int,
    ) -> None:
        """Begin or end what a person can do to keep an alarm quiet."""
        status = record.status
        match command:
            case Shelve():
                shelving = _shelving(command, order, now)
                self._put(record, replace(status, shelved=shelving), Transition.SHELVE, order, now)
            case Unshelve():
                if status.shelved is None:
                    self._refuse(record, command.verb, "it is not shelved")
                self._put(record, replace(status, shelved=None), Transition.UNSHELVE, order, now)
            case RemoveFromService():
                if status.out_of_service:
                    self._refuse(record, command.verb, "it is out of service")
                self._put(record, replace(status, out_of_service=True), Transition.REMOVE_FROM_SERVICE, order, now)
            case ReturnToService():
                if not status.out_of_service:
                    self._refuse(record, command.verb, "it is in service")
                self._put(record, replace(status, out_of_service=False), Transition.RETURN_TO_SERVICE, order, now)
            case _:
                assert_never(command)

    def _find(self, command: Targeted, order: CommandEnvelope[Command]) -> AlarmRecord:
        """The alarm that is meant; one that has never been up is made if its watch knows the stream."""
        key = command.stream, command.alarm
        record = self._records.records.get(key)
        if record is not None:
            return record
        known = self._records.whereabouts(command.stream)
        policies = [
            self._records.policies[watch, command.alarm]
            for watch in known
            if (watch, command.alarm) in self._records.policies
        ]
        if not policies:
            names = sorted({alarm for watch, alarm in self._records.policies if watch in known})
            legal_ones = f"its alarms: {', '.join(names)}" if known else "no such stream is known"
            raise Refused(RefusalCode.UNKNOWN_ALARM, f"{_subject(order)}: there is no such alarm ({legal_ones})")
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

    def _move(self, record: AlarmRecord, stimulus: Stimulus, order: CommandEnvelope[Command], now: int) -> None:
        if (record.status.state, stimulus) in REFUSED:
            self._refuse(record, stimulus.value, f"while {_state(record.status)}")
        self._records.move(record, stimulus, now, now, order=order)

    def _put(
        self,
        record: AlarmRecord,
        status: AlarmStatus,
        transition: Transition,
        order: CommandEnvelope[Command],
        now: int,
    ) -> None:
        self._records.add(record)
        self._records.put(record, status, transition, now, order=order)

    def _check_occurrence(self, record: AlarmRecord, command: Acknowledge) -> None:
        present = record.status.occurrence
        if command.occurrence is not None and present is not None and command.occurrence != present:
            raise Refused(
                RefusalCode.OTHER_OCCURRENCE,
                f"alarm {record.name!r}: occurrence {command.occurrence} is not the one that is up "
                f"(legal: {present}, or leave it out for the present one)",
            )

    def _acknowledge_group(self, command: AcknowledgeGroup, order: CommandEnvelope[Command], now: int) -> None:
        """What people see: neither what somebody has put aside, nor what another alarm stands for but a flood's."""
        if not command.labels:
            raise Refused(RefusalCode.ILLEGAL_VALUE, "acknowledge-group: no label is given (give at least one)")
        for record in list(self._records.records.values()):
            known = {"stream": record.stream, **record.labels}
            if all(known.get(name) == value for name, value in command.labels.items()) and self._records.is_shown(
                record
            ):
                self._records.move(record, Stimulus.ACKNOWLEDGE, now, now, order=order)

    def _say(
        self,
        record: AlarmRecord,
        command: Annotate | Mark,
        transition: Transition,
        order: CommandEnvelope[Command],
        now: int,
    ) -> None:
        last = record.last_occurrence
        occurrence = command.occurrence or last
        if occurrence is None:
            self._refuse(record, command.verb, "it has never been up")
        if last is None or not 0 < occurrence <= last:
            up_to = "it has had none" if last is None else f"its last one is {last}"
            raise Refused(
                RefusalCode.OTHER_OCCURRENCE, f"alarm {record.name!r}: there is no occurrence {occurrence} ({up_to})"
            )
        verdict = command.verdict if isinstance(command, Mark) else None
        aside = Aside(occurrence=occurrence, verdict=verdict)
        self._records.put(record, record.status, transition, now, order=order, aside=aside)

    def _test(self, command: Test, order: CommandEnvelope[Command], now: int) -> None:
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
            report=Report(f"a test by {order.actor}"),
            ends_at=now + _TEST_NS,
        )
        self._records.add(record)
        self._records.move(record, Stimulus.BEGINS, now, now, order=order)

    def _refuse(self, record: AlarmRecord, verb: str, why: str) -> NoReturn:
        raise Refused(
            RefusalCode.ILLEGAL,
            f"alarm {record.name!r}: cannot {verb} {why if why.startswith('while') else f'as {why}'} "
            f"(legal: {', '.join(legal_verbs(record.status))})",
        )


def legal_verbs(status: AlarmStatus) -> list[str]:
    """What can be asked of an alarm that does something.

    >>> from tocsin.engine.events import Priority
    >>> legal_verbs(normal(Priority.LOW))
    ['shelve', 'remove-from-service', 'annotate', 'mark']
    """
    return [
        *(command.value for command in legal(status.state)),
        *(("shelve",) if status.shelved is None else ("shelve", "unshelve")),
        "return-to-service" if status.out_of_service else "remove-from-service",
        "annotate",
        "mark",
    ]


def _state(status: AlarmStatus) -> str:
    """How people say it: `active`, where the cause is still present."""
    return "active" if status.state is State.ACKNOWLEDGED else status.state.value


def _subject(order: CommandEnvelope[Command]) -> str:
    command = order.command
    if isinstance(command, AcknowledgeGroup | Test):
        return command.verb
    return f"alarm '{command.stream}/{command.alarm}': cannot {command.verb}"


def _shelving(command: Shelve, order: CommandEnvelope[Command], now: int) -> Shelving:
    if not (math.isfinite(command.for_s) and 0 < command.for_s <= MAX_SHELVE_S):
        raise Refused(
            RefusalCode.ILLEGAL_VALUE,
            f"{_subject(order)} for {command.for_s:g} s (legal: more than 0, at most {MAX_SHELVE_S:g}; "
            "remove it from service for longer)",
        )
    return Shelving(order.actor, order.comment or "", now + round(command.for_s * _NS_PER_S), command.once)
