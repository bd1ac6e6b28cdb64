"""View of the daemon's messages: values, scores, alarms; without I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NS_PER_S = 1_000_000_000
PHYSIOLOGICAL = "physiological"


@dataclass(frozen=True, slots=True)
class AlarmTransition:
    """One transition of an alarm.

    Attributes:
        at_s: Seconds since the ward's first reading.
        stream: Name of the stream.
        alarm: Name of the alarm.
        transition: raise, clear, uncertain or certain.
        category: physiological or technical.
        priority: high, medium or low.
        reason: One line.
    """

    at_s: float
    stream: str
    alarm: str
    transition: str
    category: str
    priority: str
    reason: str

    def line(self) -> str:
        """Formatted in one line."""
        head = f"{self.at_s:7.1f} s  {self.priority:<6}  {self.transition:<9}  {self.stream:<12}"
        return f"{head}  {self.alarm}: {self.reason}"


@dataclass(slots=True)
class BedView:
    """Last known state of one bed.

    Attributes:
        values: Channel → value; a channel that was not measured is absent.
        score: The last; None is unknown.
        active: Alarm → its last transition, for active alarms.
    """

    values: dict[str, float] = field(default_factory=dict)
    score: float | None = None
    active: dict[str, AlarmTransition] = field(default_factory=dict)


@dataclass(slots=True)
class WardView:
    """Last known state of the ward.

    Attributes:
        first_t_ns: `t` of the ward's first reading.
        beds: Stream → bed.
        transitions: Every transition, in the order received.
    """

    first_t_ns: int
    beds: dict[str, BedView]
    transitions: list[AlarmTransition] = field(default_factory=list)

    def on_score(self, stream: str, body: dict[str, Any]) -> None:
        """Apply a message of `tocsin/score/<stream>`."""
        bed = self.beds.setdefault(stream, BedView())
        bed.score = body["score"]
        bed.values = {name: entry["value"] for name, entry in body["channels"].items() if entry["value"] is not None}

    def on_event(self, body: dict[str, Any]) -> AlarmTransition:
        """Apply a message of `tocsin/event/<stream>/<alarm>`."""
        event = AlarmTransition(
            at_s=(body["t_ns"] - self.first_t_ns) / NS_PER_S,
            stream=body["stream"],
            alarm=body["alarm"],
            transition=body["transition"],
            category=body["category"],
            priority=body["priority"],
            reason=body["reason"],
        )
        self.transitions.append(event)
        active = self.beds.setdefault(event.stream, BedView()).active
        if event.transition == "clear":
            active.pop(event.alarm, None)
        else:
            active[event.alarm] = event
        return event

    def raised(self, stream: str, category: str, since_s: float = 0.0) -> list[AlarmTransition]:
        """Alarms of one category that a stream raised since a time."""
        return [
            event
            for event in self.transitions
            if event.stream == stream
            and event.category == category
            and event.transition == "raise"
            and event.at_s >= since_s
        ]
