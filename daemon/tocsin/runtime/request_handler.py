"""The desk where requests are answered, whatever door they came through: the same verbs, rules and words."""

from __future__ import annotations

import asyncio
import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

from tocsin.alarm.commands import CommandEnvelope, RefusalCode, Refused
from tocsin.alarm.record import URGENCY
from tocsin.alarm.status import State
from tocsin.alarm.transactions import Transactions, check_same
from tocsin.api import Asked, Reply, Subject, queries, refusal
from tocsin.api.views import (
    AlarmsView,
    EventsView,
    HistoryView,
    StreamHistoryView,
    alarm_view,
    command_view,
    event_view,
)
from tocsin.engine.lifecycle.commands import StreamRefused
from tocsin.ingest.reject import printable
from tocsin.runtime import stream_commands
from tocsin.store import AlarmLogQuery, CommandLogQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tocsin.alarm import Event
    from tocsin.alarm.commands import Command
    from tocsin.alarm.record import AlarmRecord
    from tocsin.engine.lifecycle.commands import CommandEntry, StreamRequest
    from tocsin.runtime.core import Incumbent
    from tocsin.runtime.deployment import Deployment

_LOG = logging.getLogger(__name__)

_SHOWN_CHARACTERS = 500


class AtWork(Protocol):
    """What the desk asks of whoever runs engines and alarms, between two batches."""

    @property
    def records(self) -> Mapping[tuple[str, str], AlarmRecord]:
        """Every alarm that has been up, or that somebody has put aside."""

    @property
    def deployment(self) -> Deployment:
        """What is at work."""

    @property
    def incumbents(self) -> Mapping[str, Incumbent]:
        """By watch, what was at work before, where a new model is not warm yet."""

    def order(self, order: CommandEnvelope[Command]) -> list[Event]:
        """Let an order move alarms, and tell of it."""

    def command(self, order: CommandEnvelope[StreamRequest]) -> list[Event]:
        """Do what is asked of a stream, and tell what that did to alarms."""


class Log(Protocol):
    """What the desk looks up of what has been."""

    def history(self, wanted: AlarmLogQuery) -> list[Event]:
        """Search the alarm log, from any thread."""

    def commands(self, wanted: CommandLogQuery) -> list[CommandEntry]:
        """Search the log of commands for streams, from any thread."""

    def command_marked(self, transaction: str) -> CommandEntry | None:
        """The command for a stream that was carried out under a transaction."""

    def events_numbered(self, ids: Sequence[int]) -> list[Event]:
        """The events with these ids."""


class RequestHandler:
    """Answers requests. A command is one step without a pause, so that no reading comes between its parts."""

    def __init__(self, at_work: AtWork, log: Log | None, answered: Callable[[str], None]) -> None:
        """Open it.

        Args:
            at_work: Who carries out commands.
            log: Of alarms and commands; None where none is kept.
            answered: Told the status of each answer.
        """
        self._at_work = at_work
        self._log = log
        self._answered = answered
        self._transactions = Transactions()

    def answers_at_once(self, asked: Asked) -> bool:
        """Whether the answer is quick; if not, `answer` waits for it in a thread."""
        return not isinstance(asked.what, queries.History | queries.StreamHistory)

    async def answer(self, asked: Asked) -> Reply:
        """Answer any request."""
        if isinstance(asked.what, queries.History | queries.StreamHistory):
            reply = await self._look_up(asked, asked.what)
            self._answered(reply.status)
            return reply
        return self.answer_at_once(asked)

    def answer_at_once(self, asked: Asked) -> Reply:
        """Answer a request for which `answers_at_once` holds."""
        reply = self._answer(asked)
        self._answered(reply.status)
        return reply

    def failed(self, verb: str, transaction: str | None) -> Reply:
        """The answer to a request that met an error of the daemon's own; asked for while that is handled."""
        shown = printable(verb, _SHOWN_CHARACTERS)
        _LOG.exception("%s met an error that Tocsin doesn't know; please report it", shown)
        self._answered("error")
        text = f"{shown}: an error of the daemon's own, told in its log (remedy: report it)"
        return refusal("internal", text, transaction)

    async def _look_up(self, asked: Asked, wanted: queries.History | queries.StreamHistory) -> Reply:
        if self._log is None:
            text = f"no {_LOG_OF[type(wanted)]} is kept here: set store.folder"
            return refusal("no-store", text, asked.transaction)
        data = await asyncio.to_thread(_page, self._log, wanted)
        return Reply(status="ok", transaction=asked.transaction, data=data)

    def _answer(self, asked: Asked) -> Reply:
        try:
            data = self._do(asked)
        except (Refused, StreamRefused) as refused:
            _LOG.info("%s by %s is refused: %s", asked.verb.name, asked.actor or "nobody", refused)
            return refusal(refused.code, str(refused), asked.transaction)
        return Reply(status="ok", transaction=asked.transaction, data=data)

    def _do_to_stream(self, order: CommandEnvelope[StreamRequest]) -> list[Event]:
        """Carry out a command for a stream; one that was carried out before gives what it gave. Alarms see to theirs.

        Raises:
            StreamRefused: It can't be done.
            Refused: Its transaction was another command's.
        """
        before = self._events_before(order)
        if before is not None:
            return before
        events = self._at_work.command(order)
        why = f": {printable(order.comment, _SHOWN_CHARACTERS)}" if order.comment else ""
        who = printable(order.actor, _SHOWN_CHARACTERS)
        _LOG.info("%s by %s%s", printable(f"{order.verb} {order.command!r:.500}", _SHOWN_CHARACTERS), who, why)
        self._transactions.record(order, events)
        return events

    def _events_before(self, order: CommandEnvelope[StreamRequest]) -> list[Event] | None:
        """The events of a command that was carried out before, by this process or, as the log says, an earlier one."""
        events = self._transactions.events_of(order)
        if events is not None or order.transaction is None or self._log is None:
            return events
        entry = self._log.command_marked(order.transaction)
        if entry is None:
            return None
        check_same(order, entry.verb, entry.digest)
        return self._log.events_numbered(entry.events)

    def _do(self, asked: Asked) -> Any:  # noqa: ANN401  (a view, by the verb)
        what = asked.what
        match what:
            case queries.List():
                return AlarmsView(alarms=[alarm_view(record) for record in self._listed(what)])
            case queries.Show():
                return alarm_view(self._record(what))
            case queries.ListStreams():
                return stream_commands.listed(self._at_work.deployment, what, self._at_work.incumbents)
            case queries.ShowStream():
                return stream_commands.shown(self._at_work.deployment, what.stream, self._at_work.incumbents)
            case queries.ExportStream():
                return stream_commands.export(self._at_work.deployment, what.stream)
            case _ if asked.verb.subject is Subject.STREAMS:
                return _events(
                    self._do_to_stream(CommandEnvelope(what, asked.actor or "", asked.comment, asked.transaction))
                )
            case _:
                order = CommandEnvelope(what, asked.actor or "", asked.comment, asked.transaction)
                return _events(self._at_work.order(order))

    def _listed(self, wanted: queries.List) -> list[AlarmRecord]:
        found = [record for record in self._at_work.records.values() if _is_wanted(record, wanted)]
        return sorted(
            found,
            key=lambda r: (not r.status.is_annunciated, -URGENCY[r.status.priority], -(r.status.raised_at or 0), r.key),
        )

    def _record(self, wanted: queries.Show) -> AlarmRecord:
        record = self._at_work.records.get((wanted.stream, wanted.alarm))
        if record is None:
            raise Refused(
                RefusalCode.UNKNOWN_ALARM, f"alarm '{wanted.stream}/{wanted.alarm}' has never been raised (legal: see list)"
            )
        return record


_LOG_OF = {queries.History: "alarm log", queries.StreamHistory: "log of commands"}


def _page(log: Log, wanted: queries.History | queries.StreamHistory) -> HistoryView | StreamHistoryView:
    """Read a page of a log, the newest first."""
    if isinstance(wanted, queries.History):
        events = [event_view(event) for event in reversed(log.history(_search(wanted)))]
        return HistoryView(events=events, before=events[-1].id if len(events) == wanted.limit else None)
    found = log.commands(
        CommandLogQuery(
            since=wanted.since,
            until=wanted.until,
            stream=wanted.stream,
            actor=wanted.actor,
            verb=wanted.verb,
            below_id=wanted.before,
            limit=wanted.limit,
        )
    )
    commands = [command_view(entry) for entry in reversed(found)]
    return StreamHistoryView(commands=commands, before=commands[-1].id if len(commands) == wanted.limit else None)


def _events(events: list[Event]) -> EventsView:
    return EventsView(events=[event_view(event) for event in events])


def _search(wanted: queries.History) -> AlarmLogQuery:
    return AlarmLogQuery(
        since=wanted.since,
        until=wanted.until,
        stream=wanted.stream,
        labels=wanted.labels,
        alarm=wanted.alarm,
        priority=wanted.priority,
        category=wanted.category,
        transition=wanted.transition,
        occurrence=wanted.occurrence,
        actor=wanted.actor,
        verdict=wanted.verdict,
        below_id=wanted.before,
        limit=wanted.limit,
    )


def _is_wanted(record: AlarmRecord, wanted: queries.List) -> bool:
    status = record.status
    put_aside = status.shelved is not None or status.out_of_service
    return (
        (wanted.all or put_aside or status.state is not State.NORMAL)
        and (wanted.stream is None or fnmatchcase(record.stream, wanted.stream))
        and (wanted.alarm is None or fnmatchcase(record.alarm, wanted.alarm))
        and wanted.labels.items() <= record.labels.items()
        and wanted.priority in {None, status.priority}
        and wanted.category in {None, record.category}
        and wanted.state in {None, status.state}
    )
