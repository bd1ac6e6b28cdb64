"""The pure middle of Tocsin: from readings to conditions that turn, with no I/O."""

from tocsin.engine.delays import Alarm
from tocsin.engine.engine import Engine, Watch
from tocsin.engine.event_clock import EventClock
from tocsin.engine.frames import FrameClock
from tocsin.engine.outcome import Outcome, Refusal
from tocsin.engine.readings import Readings

__all__ = ["Alarm", "Engine", "EventClock", "FrameClock", "Outcome", "Readings", "Refusal", "Watch"]
