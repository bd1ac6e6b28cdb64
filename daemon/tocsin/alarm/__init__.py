"""Alarms by ISA-18.2: condition events, commands and time in, alarm events out. Free of clocks, files and sockets."""

from tocsin.alarm.commands import COMMANDS, CommandEnvelope, RefusalCode, Refused, Verdict
from tocsin.alarm.events import Event, Transition
from tocsin.alarm.policy import AlarmPolicies, AlarmPolicy, Escalation, Grouping, Inhibition, OnClear
from tocsin.alarm.registry import AlarmRegistry
from tocsin.alarm.status import AlarmStatus, State

__all__ = [
    "COMMANDS",
    "AlarmPolicies",
    "AlarmPolicy",
    "AlarmRegistry",
    "AlarmStatus",
    "CommandEnvelope",
    "Escalation",
    "Event",
    "Grouping",
    "Inhibition",
    "OnClear",
    "RefusalCode",
    "Refused",
    "State",
    "Transition",
    "Verdict",
]
