"""The desk where requests are answered, whatever door they came through: the same verbs, rules and words."""

from __future__ import annotations

import asyncio
import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

from tocsin.alarm.commands import Order, RefusalCode, Refused
from tocsin.alarm.record import URGENCY
from tocsin.alarm.status import State
from tocsin.request import Asked, Reply, questions, refusal
from tocsin.request.views import AlarmsView, EventsView, HistoryView, alarm_view, event_view
from tocsin.store import History

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tocsin.alarm import Event
    from tocsin.alarm.record import Record

_LOG = logging.getLogger(__name__)


class AtWork(Protocol):
    """What the desk asks of whoever runs engines and alarms, between two batches."""

    @property
    def records(self) -> Mapping[tuple[str, str], Record]:
        """Every alarm that has been up, or that somebody has put aside."""

    def order(self, order: Order) -> list[Event]:
        """Let an order move alarms, and tell of it."""


class CommandDesk:
    """Answers requests. A command is one step without a pause, so that no reading comes between its parts."""

    def __init__(self, at_work: AtWork, history: Callable[[History], list[Event]] | None) -> None:
        """Open it.

        Args:
            at_work: Who carries out commands.
            history: Searches the alarm log, from any thread; None where none is kept.
        """
        self._at_work = at_work
        self._history = history

    def answers_at_once(self, asked: Asked) -> bool:
        """Whether the answer is quick; if not, `answer` waits for it in a thread."""
        return not isinstance(asked.what, questions.History)

    async def answer(self, asked: Asked) -> Reply:
        """Answer any request."""
        if isinstance(asked.what, questions.History):
            return await self._read_history(asked, asked.what)
        return self.answer_at_once(asked)

    def answer_at_once(self, asked: Asked) -> Reply:
        """Answer a request for which `answers_at_once` holds."""
        try:
            data = self._do(asked)
        except Refused as refused:
            _LOG.info("%s by %s is refused: %s", asked.verb.name, asked.actor or "nobody", refused)
            return refusal(refused.code, str(refused), asked.transaction)
        return Reply(status="ok", transaction=asked.transaction, data=data)

    def _do(self, asked: Asked) -> Any:  # noqa: ANN401  (a view, by the verb)
        what = asked.what
        match what:
            case questions.List():
                return AlarmsView(alarms=[alarm_view(record) for record in self._listed(what)])
            case questions.Show():
                return alarm_view(self._record(what))
            case _:
                order = Order(what, asked.actor or "", asked.comment, asked.transaction)
                return EventsView(events=[event_view(event) for event in self._at_work.order(order)])

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
