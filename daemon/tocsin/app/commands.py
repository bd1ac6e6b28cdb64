"""The desk where requests are answered, whatever door they came through: the same verbs, rules and words."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

from tocsin.alarm.commands import Order, RefusalCode, Refused
from tocsin.alarm.record import URGENCY
from tocsin.alarm.status import State
from tocsin.app import stream_requests
from tocsin.codec.reject import printable
from tocsin.engine.commands import StreamRefused
from tocsin.request import Asked, Reply, Subject, questions, refusal
from tocsin.request.views import AlarmsView, EventsView, HistoryView, alarm_view, event_view
from tocsin.store import History

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tocsin.alarm import Event
    from tocsin.alarm.record import Record
    from tocsin.app.build import Setup
    from tocsin.app.stream_requests import OfStream

_LOG = logging.getLogger(__name__)

_REMEMBERED = 1000  # transactions
_SHOWN_CHARACTERS = 500


class AtWork(Protocol):
    """What the desk asks of whoever runs engines and alarms, between two batches."""

    @property
    def records(self) -> Mapping[tuple[str, str], Record]:
        """Every alarm that has been up, or that somebody has put aside."""

    @property
    def setup(self) -> Setup:
        """What is at work."""

    def order(self, order: Order) -> list[Event]:
        """Let an order move alarms, and tell of it."""

    def command(self, command: OfStream) -> list[Event]:
        """Do what is asked of a stream, and tell what that did to alarms."""


class CommandDesk:
    """Answers requests. A command is one step without a pause, so that no reading comes between its parts."""

    def __init__(
        self, at_work: AtWork, history: Callable[[History], list[Event]] | None, answered: Callable[[str], None]
    ) -> None:
        """Open it.

        Args:
            at_work: Who carries out commands.
            history: Searches the alarm log, from any thread; None where none is kept.
            answered: Told the status of each answer.
        """
        self._at_work = at_work
        self._history = history
        self._answered = answered
        self._done: OrderedDict[str, tuple[str, bytes, Reply]] = OrderedDict()  # of streams, by transaction

    def answers_at_once(self, asked: Asked) -> bool:
        """Whether the answer is quick; if not, `answer` waits for it in a thread."""
        return not isinstance(asked.what, questions.History)

    async def answer(self, asked: Asked) -> Reply:
        """Answer any request."""
        if isinstance(asked.what, questions.History):
            reply = await self._read_history(asked, asked.what)
            self._answered(reply.status)
            return reply
        return self.answer_at_once(asked)

    def answer_at_once(self, asked: Asked) -> Reply:
        """Answer a request for which `answers_at_once` holds."""
        reply = self._answer(asked)
        self._answered(reply.status)
        return reply

    def _answer(self, asked: Asked) -> Reply:
        is_of_stream = asked.verb.changes and asked.verb.subject is Subject.STREAMS
        if is_of_stream and asked.transaction is not None and asked.transaction in self._done:
            return self._answer_again(asked, asked.transaction)
        try:
            data = self._do(asked)
        except (Refused, StreamRefused) as refused:
            _LOG.info("%s by %s is refused: %s", asked.verb.name, asked.actor or "nobody", refused)
            return refusal(refused.code, str(refused), asked.transaction)
        reply = Reply(status="ok", transaction=asked.transaction, data=data)
        if is_of_stream:
            self._note(asked, reply)
        return reply

    def _answer_again(self, asked: Asked, transaction: str) -> Reply:
        """Answer a command for a stream that was carried out before, as before; alarms remember their own."""
        before, digest, reply = self._done[transaction]
        if digest != _digest(asked):
            text = f"transaction {transaction!r} was another command, {before} (legal: a new transaction)"
            return refusal(RefusalCode.OTHER_COMMAND, text, transaction)
        return reply

    def _note(self, asked: Asked, reply: Reply) -> None:
        """Keep who did what to a stream, and why."""
        why = f": {printable(asked.comment, _SHOWN_CHARACTERS)}" if asked.comment else ""
        who = printable(asked.actor or "", _SHOWN_CHARACTERS)
        _LOG.info("%s by %s%s", printable(_told(asked), _SHOWN_CHARACTERS), who, why)
        if asked.transaction is not None:
            self._done[asked.transaction] = _told(asked), _digest(asked), reply
            if len(self._done) > _REMEMBERED:
                self._done.popitem(last=False)

    def _do(self, asked: Asked) -> Any:  # noqa: ANN401  (a view, by the verb)
        what = asked.what
        match what:
            case questions.List():
                return AlarmsView(alarms=[alarm_view(record) for record in self._listed(what)])
            case questions.Show():
                return alarm_view(self._record(what))
            case questions.ListStreams():
                return stream_requests.listed(self._at_work.setup, what)
            case questions.ShowStream():
                return stream_requests.shown(self._at_work.setup, what.stream)
            case questions.ExportStream():
                return stream_requests.export(self._at_work.setup, what.stream)
            case _ if asked.verb.subject is Subject.STREAMS:
                return _events(self._at_work.command(what))
            case _:
                order = Order(what, asked.actor or "", asked.comment, asked.transaction)
                return _events(self._at_work.order(order))

    def _listed(self, wanted: questions.List) -> list[Record]:
        found = [record for record in self._at_work.records.values() if _is_wanted(record, wanted)]
        return sorted(
            found,
            key=lambda r: (not r.status.is_annunciated, -URGENCY[r.status.priority], -(r.status.raised_at or 0), r.key),
        )

    def _record(self, wanted: questions.Show) -> Record:
        record = self._at_work.records.get((wanted.stream, wanted.alarm))
        if record is None:
            raise Refused(
                RefusalCode.UNKNOWN_ALARM, f"alarm '{wanted.stream}/{wanted.alarm}' has never been up (legal: see list)"
            )
        return record

    async def _read_history(self, asked: Asked, wanted: questions.History) -> Reply:
        if self._history is None:
            return refusal("no-store", "no alarm log is kept here: set store.folder", asked.transaction)
        found = await asyncio.to_thread(self._history, _search(wanted))
        events = [event_view(event) for event in reversed(found)]
        before = events[-1].id if len(events) == wanted.limit else None
        return Reply(status="ok", transaction=asked.transaction, data=HistoryView(events=events, before=before))


def _told(asked: Asked) -> str:
    """A command in so many words."""
    return f"{asked.verb.name} {asked.what!r:.500}"


def _digest(asked: Asked) -> bytes:
    """What tells a command from another one, however long it is."""
    return hashlib.sha256(f"{asked.verb.name} {asked.what!r}".encode()).digest()


def _events(events: list[Event]) -> EventsView:
    return EventsView(events=[event_view(event) for event in events])


def _search(wanted: questions.History) -> History:
    return History(
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


def _is_wanted(record: Record, wanted: questions.List) -> bool:
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
