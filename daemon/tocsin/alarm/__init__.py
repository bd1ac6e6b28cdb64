"""Alarms that people work with: from conditions that turn, commands and time to events. Pure."""

from tocsin.alarm.events import Event, Transition
from tocsin.alarm.plan import Plan
from tocsin.alarm.register import Register
from tocsin.alarm.status import State, Status

__all__ = ["Event", "Plan", "Register", "State", "Status", "Transition"]
