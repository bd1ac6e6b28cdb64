"""Indexes of alarm records: which suppress others, are suppressed, wait for a person, or stand for a flood."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.alarm.inhibition import Inhibitors
from tocsin.alarm.record import AlarmKind

if TYPE_CHECKING:
    from tocsin.alarm.policy import AlarmPolicy
    from tocsin.alarm.record import AlarmRecord

_Key = tuple[str, str]  # stream and alarm


class RecordIndexes:
    """Indexes that are updated with every change of a record.

    Attributes:
        inhibitors: The alarms that suppress others.
        suppressed: The alarms that are suppressed by design.
        flood_of: Flood alarms by name.
    """

    def __init__(self) -> None:
        self.inhibitors = Inhibitors()
        self.suppressed: set[_Key] = set()
        self.flood_of: dict[str, AlarmRecord] = {}
        self._waiting: dict[str, set[_Key]] = {}  # by stream

    def update(self, record: AlarmRecord, policy: AlarmPolicy) -> bool:
        """Update the indexes by a record; whether the suppression of other alarms may change."""
        if record.kind is AlarmKind.FLOOD:
            self.flood_of[record.name] = record
        if record.kind is not AlarmKind.WATCHED:
            return False
        _set_member(self.suppressed, record.key, is_member=bool(record.status.suppressed_by))
        waiting = self._waiting.setdefault(record.stream, set())
        _set_member(waiting, record.key, is_member=record.status.is_waiting)
        return self.inhibitors.update(record, policy)

    def remove(self, record: AlarmRecord, policy: AlarmPolicy) -> bool:
        """Remove a record; whether the suppression of other alarms may change."""
        self.suppressed.discard(record.key)
        self._waiting.get(record.stream, set()).discard(record.key)
        self.flood_of.pop(record.name, None)
        return record.kind is AlarmKind.WATCHED and self.inhibitors.update(record, policy, gone=True)

    def another_waits(self, record: AlarmRecord) -> bool:
        """Whether another alarm of the stream is annunciated and unacknowledged."""
        return bool(self._waiting.get(record.stream, set()) - {record.key})


def _set_member(keys: set[_Key], key: _Key, *, is_member: bool) -> None:
    if is_member:
        keys.add(key)
    else:
        keys.discard(key)
