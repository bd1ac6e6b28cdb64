"""Store in one SQLite file: alarm log, command log, journal, snapshots, evicted streams, pending deliveries.

An adapter: it takes plain values of alarms and engines, and imports no broker, no web server and no metric.
"""

from tocsin.store.alarm_log import AlarmLogQuery
from tocsin.store.command_log import CommandLogQuery
from tocsin.store.journal import JournalCommit
from tocsin.store.schema import FORMAT, StoreError
from tocsin.store.store import Retention, Store

__all__ = [
    "FORMAT",
    "AlarmLogQuery",
    "CommandLogQuery",
    "JournalCommit",
    "Retention",
    "Store",
    "StoreError",
]
