"""Alarms that people work with: from conditions that turn, commands and time to events. Pure."""

from tocsin.alarm.commands import COMMANDS, CommandEnvelope, RefusalCode, Refused, Verdict
from tocsin.alarm.events import Event, Transition
from tocsin.alarm.lifecycle import OnClear
from tocsin.alarm.policy import AlarmPolicies, AlarmPolicy, Escalation, Grouping, Inhibition
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
