"""Request handler: answers requests of every API by the same verbs and rules."""

from __future__ import annotations

import asyncio
import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

from tocsin.alarm.commands import CommandEnvelope, RefusalCode, Refused
from tocsin.alarm.record import URGENCY
from tocsin.alarm.status import State
from tocsin.alarm.transactions import Transactions, check_same
from tocsin.api import ApiRequest, Reply, Subject, error_reply, queries
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
from tocsin.runtime import stream_views
from tocsin.store import AlarmLogQuery, CommandLogQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tocsin.alarm import Event
    from tocsin.alarm.commands import Command
    from tocsin.alarm.record import AlarmRecord
    from tocsin.engine.lifecycle.commands import CommandEntry, StreamRequest
    from tocsin.runtime.shadowed_watch import RunningWatch

_LOG = logging.getLogger(__name__)

_SHOWN_CHARACTERS = 500


class CommandExecutor(Protocol):
    """Carries out commands between two batches, and shows alarms and streams."""

    @property
    def records(self) -> Mapping[tuple[str, str], AlarmRecord]:
        """Every alarm that has been active, or that is shelved or removed from service."""

    @property
    def runtimes(self) -> Mapping[str, RunningWatch]:
        """Running watches by name."""

    def alarm_command(self, envelope: CommandEnvelope[Command]) -> list[Event]:
        """Carry out a command for alarms; its events."""

    def stream_command(self, envelope: CommandEnvelope[StreamRequest]) -> list[Event]:
        """Carry out a command for a stream; the alarm events that it caused."""


class HistoryLog(Protocol):
    """Looks up past events and commands."""

    def history(self, wanted: AlarmLogQuery) -> list[Event]:
        """Search the alarm log, from any thread."""

    def commands(self, wanted: CommandLogQuery) -> list[CommandEntry]:
        """Search the log of commands for streams, from any thread."""

    def command_marked(self, transaction: str) -> CommandEntry | None:
        """The command for a stream that was carried out with a transaction."""

    def events_numbered(self, ids: Sequence[int]) -> list[Event]:
        """The events with these ids."""


class RequestHandler:
    """Answers requests. A command is one step without a pause, so that no reading comes between its parts."""

    def __init__(self, executor: CommandExecutor, log: HistoryLog | None, answered: Callable[[str], None]) -> None:
        """Wire the parts.

        Args:
            executor: Carries out commands.
            log: Log of alarms and commands; None where there is no store.
            answered: Called with the status of each reply.
        """
        self._executor = executor
        self._log = log
        self._answered = answered
        self._transactions = Transactions()

    def answers_at_once(self, request: ApiRequest) -> bool:
        """Whether a request needs no thread; for others `answer` waits for one."""
        return not isinstance(request.operation, queries.History | queries.StreamHistory)

    async def answer(self, request: ApiRequest) -> Reply:
        """Answer any request."""
        if isinstance(request.operation, queries.History | queries.StreamHistory):
            reply = await self._look_up(request, request.operation)
            self._answered(reply.status)
            return reply
        return self.answer_at_once(request)

    def answer_at_once(self, request: ApiRequest) -> Reply:
        """Answer a request for which `answers_at_once` holds."""
        reply = self._answer(request)
        self._answered(reply.status)
        return reply

    def failed(self, verb: str, transaction: str | None) -> Reply:
        """The reply to a request that met an internal error; called while the exception is handled."""
        shown = printable(verb, _SHOWN_CHARACTERS)
        _LOG.exception("%s met an error that Tocsin doesn't know; please report it", shown)
        self._answered("error")
        text = f"{shown}: an internal error; the daemon's log has the details (remedy: report it)"
        return error_reply("internal", text, transaction)

    async def _look_up(self, request: ApiRequest, wanted: queries.History | queries.StreamHistory) -> Reply:
        if self._log is None:
            text = f"no {_LOG_OF[type(wanted)]} is kept here: set store.folder"
            return error_reply("no-store", text, request.transaction)
        data = await asyncio.to_thread(_page, self._log, wanted)
        return Reply(status="ok", transaction=request.transaction, data=data)

    def _answer(self, request: ApiRequest) -> Reply:
        try:
            data = self._do(request)
        except (Refused, StreamRefused) as refused:
            _LOG.info("%s by %s is refused: %s", request.verb.name, request.actor or "an unnamed actor", refused)
            return error_reply(refused.code, str(refused), request.transaction)
        return Reply(status="ok", transaction=request.transaction, data=data)

    def _do_to_stream(self, envelope: CommandEnvelope[StreamRequest]) -> list[Event]:
        """Carry out a command for a stream; a repeated transaction gives the same events again.

        The alarm registry does the same for its own commands.

        Raises:
            StreamRefused: It can't be carried out.
            Refused: Its transaction was another command's.
        """
        before = self._events_before(envelope)
        if before is not None:
            return before
        events = self._executor.stream_command(envelope)
        why = f": {printable(envelope.comment, _SHOWN_CHARACTERS)}" if envelope.comment else ""
        who = printable(envelope.actor, _SHOWN_CHARACTERS)
        _LOG.info("%s by %s%s", printable(f"{envelope.verb} {envelope.command!r:.500}", _SHOWN_CHARACTERS), who, why)
        self._transactions.record(envelope, events)
        return events

    def _events_before(self, envelope: CommandEnvelope[StreamRequest]) -> list[Event] | None:
        """The events of a command that was carried out before, by this process or, by the log, an earlier one."""
        events = self._transactions.events_of(envelope)
        if events is not None or envelope.transaction is None or self._log is None:
            return events
        entry = self._log.command_marked(envelope.transaction)
        if entry is None:
            return None
        check_same(envelope, entry.verb, entry.digest)
        return self._log.events_numbered(entry.events)

    def _do(self, request: ApiRequest) -> Any:  # noqa: ANN401  (a view, by the verb)
        operation = request.operation
        match operation:
            case queries.List():
                return AlarmsView(alarms=[alarm_view(record) for record in self._listed(operation)])
            case queries.Show():
                return alarm_view(self._record(operation))
            case queries.ListStreams():
                return stream_views.list_streams(self._executor.runtimes, operation)
            case queries.ShowStream():
                return stream_views.show_stream(self._executor.runtimes, operation.stream)
            case queries.ExportStream():
                return stream_views.export_stream(self._executor.runtimes, operation.stream)
            case _ if request.verb.subject is Subject.STREAMS:
                return _events(
                    self._do_to_stream(
                        CommandEnvelope(operation, request.actor or "", request.comment, request.transaction)
                    )
                )
            case _:
                envelope = CommandEnvelope(operation, request.actor or "", request.comment, request.transaction)
                return _events(self._executor.alarm_command(envelope))

    def _listed(self, wanted: queries.List) -> list[AlarmRecord]:
        found = [record for record in self._executor.records.values() if _is_wanted(record, wanted)]
        return sorted(
            found,
            key=lambda r: (not r.status.is_annunciated, -URGENCY[r.status.priority], -(r.status.raised_at or 0), r.key),
        )

    def _record(self, wanted: queries.Show) -> AlarmRecord:
        record = self._executor.records.get((wanted.stream, wanted.alarm))
        if record is None:
            raise Refused(
                RefusalCode.UNKNOWN_ALARM,
                f"alarm '{wanted.stream}/{wanted.alarm}' has never been raised (legal: see list)",
            )
        return record


_LOG_OF = {queries.History: "alarm log", queries.StreamHistory: "log of commands"}


def _page(log: HistoryLog, wanted: queries.History | queries.StreamHistory) -> HistoryView | StreamHistoryView:
    """Read a page of a log, the newest entries first."""
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
    set_aside = status.shelved is not None or status.out_of_service
    return (
        (wanted.all or set_aside or status.state is not State.NORMAL)
        and (wanted.stream is None or fnmatchcase(record.stream, wanted.stream))
        and (wanted.alarm is None or fnmatchcase(record.alarm, wanted.alarm))
        and wanted.labels.items() <= record.labels.items()
        and wanted.priority in {None, status.priority}
        and wanted.category in {None, record.category}
        and wanted.state in {None, status.state}
    )
