"""The pure middle of Tocsin: from readings to conditions that turn, with no I/O."""

from tocsin.engine.conditions.alarm import Alarm
from tocsin.engine.engine import Engine, Watch
from tocsin.engine.event_clock import EventClock
from tocsin.engine.frames.assembler import FrameClock
from tocsin.engine.readings import Readings
from tocsin.engine.result import EngineResult, ReadingReject

__all__ = ["Alarm", "Engine", "EngineResult", "EventClock", "FrameClock", "ReadingReject", "Readings", "Watch"]
