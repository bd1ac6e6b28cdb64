"""Engine: from readings to condition events, without I/O."""

from tocsin.engine.conditions.alarm import Alarm
from tocsin.engine.engine import Engine
from tocsin.engine.event_clock import EventClock
from tocsin.engine.frames.assembler import FrameClock
from tocsin.engine.readings import Readings
from tocsin.engine.result import EngineResult, ReadingReject
from tocsin.engine.watch import Watch

__all__ = ["Alarm", "Engine", "EngineResult", "EventClock", "FrameClock", "ReadingReject", "Readings", "Watch"]
