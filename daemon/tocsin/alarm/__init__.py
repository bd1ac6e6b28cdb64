"""Alarms that people work with: from conditions that turn, commands and time to events. Pure."""

from tocsin.alarm.commands import COMMANDS, Order, RefusalCode, Refused, Verdict
from tocsin.alarm.events import Event, Transition
from tocsin.alarm.lifecycle import OnClear
from tocsin.alarm.plan import Escalation, Grouping, Inhibition, Plan, Plans
from tocsin.alarm.register import Register
from tocsin.alarm.status import State, Status

__all__ = [
    "COMMANDS",
    "Escalation",
    "Event",
    "Grouping",
    "Inhibition",
    "OnClear",
    "Order",
    "Plan",
    "Plans",
    "RefusalCode",
    "Refused",
    "Register",
    "State",
    "Status",
    "Transition",
    "Verdict",
]
