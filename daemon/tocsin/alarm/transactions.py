"""Idempotent commands: the transactions that were carried out, each with the events that came of it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from tocsin.alarm.commands import RefusalCode, Refused
from tocsin.alarm.serialization import event_of, stored_event
from tocsin.alarm.stored_forms import StoredTransaction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.alarm.commands import CommandEnvelope
    from tocsin.alarm.events import Event

CAPACITY = 1000


class Transactions:
    """The last `CAPACITY` commands that were carried out under a transaction."""

    def __init__(self) -> None:
        self._done: OrderedDict[str, tuple[str, str, list[Event]]] = OrderedDict()  # verb, digest, events

    def events_of(self, envelope: CommandEnvelope[Any]) -> list[Event] | None:
        """The events of a command that was carried out before; None if it was not.

        Raises:
            Refused: Its transaction was another command's.
        """
        if envelope.transaction is None or envelope.transaction not in self._done:
            return None
        verb, digest, events = self._done[envelope.transaction]
        check_same(envelope, verb, digest)
        return list(events)

    def record(self, envelope: CommandEnvelope[Any], events: list[Event]) -> None:
        """Record a command that was carried out, if it has a transaction."""
        if envelope.transaction is not None:
            self._done[envelope.transaction] = envelope.verb, envelope.digest, events
            if len(self._done) > CAPACITY:
                self._done.popitem(last=False)

    def export(self) -> tuple[StoredTransaction, ...]:
        """The stored form of all of them, the oldest first."""
        return tuple(
            StoredTransaction(transaction, verb, digest, tuple(stored_event(event) for event in events))
            for transaction, (verb, digest, events) in self._done.items()
        )

    def restore(self, stored: Iterable[StoredTransaction]) -> None:
        """Replace all of them by those that `export` gave."""
        self._done = OrderedDict(
            (one.transaction, (one.verb, one.digest, [event_of(event) for event in one.events])) for one in stored
        )


def check_same(envelope: CommandEnvelope[Any], verb: str, digest: str) -> None:
    """Check that a command is the one that was carried out under its transaction.

    Raises:
        Refused: It is another one.
    """
    if digest != envelope.digest:
        raise Refused(
            RefusalCode.OTHER_COMMAND,
            f"transaction {envelope.transaction!r} was another command, {verb} (legal: a new transaction)",
        )
