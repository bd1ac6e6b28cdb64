"""What outlives the daemon, in one SQLite file: the alarm log, the journal of inputs, snapshots, pending deliveries.

A shell: it knows alarms' and engines' plain values, and no broker, no web server and no metric.
"""

from tocsin.store.alarm_log import AlarmLogQuery
from tocsin.store.command_log import CommandLogQuery
from tocsin.store.journal import Entry, Input
from tocsin.store.schema import StoreError
from tocsin.store.store import Retention, Store

__all__ = [
    "AlarmLogQuery",
    "CommandLogQuery",
    "Entry",
    "Input",
    "Retention",
    "Store",
    "StoreError",
]
