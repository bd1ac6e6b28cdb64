"""What follows from the records of alarms: which of them inhibit, are kept quiet by design, wait, or tell a flood."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.alarm.inhibition import Inhibitors
from tocsin.alarm.record import AlarmKind

if TYPE_CHECKING:
    from tocsin.alarm.policy import AlarmPolicy
    from tocsin.alarm.record import AlarmRecord

_Key = tuple[str, str]  # stream and alarm


class RecordIndexes:
    """Follow each record as it changes.

    Attributes:
        inhibitors: Which keep others quiet.
        blocked: Which are kept quiet by design.
        flood_of: The alarms that tell floods, by name.
    """

    def __init__(self) -> None:
        """Begin with no record."""
        self.inhibitors = Inhibitors()
        self.blocked: set[_Key] = set()
        self.flood_of: dict[str, AlarmRecord] = {}
        self._waiting: dict[str, set[_Key]] = {}  # by stream

    def follow(self, record: AlarmRecord, policy: AlarmPolicy) -> bool:
        """Take in what a record has become; whether that may let others be heard, or keep them quiet."""
        if record.kind is AlarmKind.FLOOD:
            self.flood_of[record.name] = record
        if record.kind is not AlarmKind.WATCHED:
            return False
        _keep(self.blocked, record.key, there=bool(record.status.suppressed_by))
        _keep(self._waiting.setdefault(record.stream, set()), record.key, there=record.status.is_waiting)
        return self.inhibitors.follow(record, policy)

    def unfollow(self, record: AlarmRecord, policy: AlarmPolicy) -> bool:
        """Forget a record; likewise."""
        self.blocked.discard(record.key)
        self._waiting.get(record.stream, set()).discard(record.key)
        self.flood_of.pop(record.name, None)
        return record.kind is AlarmKind.WATCHED and self.inhibitors.follow(record, policy, gone=True)

    def another_waits(self, record: AlarmRecord) -> bool:
        """Whether another alarm of the stream waits for somebody."""
        return bool(self._waiting.get(record.stream, set()) - {record.key})


def _keep(keys: set[_Key], key: _Key, *, there: bool) -> None:
    if there:
        keys.add(key)
    else:
        keys.discard(key)
