"""Events of alarms, for tests of what is made of them."""

from __future__ import annotations

from tocsin.alarm import AlarmStatus, Event, Transition
from tocsin.alarm.status import Shelving
from tocsin.engine.events import Category, Priority, Report

REPORT = ("reason", "score", "evidence", "model", "explanation")
ENDING = (Transition.CLEAR, Transition.END)


def event(transition=Transition.RAISE, *, t=1, raised_at=2, since=1, priority=Priority.HIGH, **changes):
    """An event of icu/1's alarm `desaturation`, in its occurrence 1; fields of the report may be given too."""
    up = transition not in ENDING
    status = AlarmStatus(
        active=up,
        acknowledged=False,
        latched=False,
        uncertain=transition is Transition.UNCERTAIN,
        priority=priority,
        occurrence=1 if up else None,
        since=since if up else None,
        raised_at=raised_at if up else None,
    )
    given = {
        "id": 1,
        "stream": "icu/1",
        "labels": {},
        "alarm": "desaturation",
        "watch": "ward",
        "category": Category.PHYSIOLOGICAL,
        "status": status,
        "occurrence": 1,
        "announced": True,
    }
    report = Report(**{"reason": ""} | {name: changes.pop(name) for name in REPORT if name in changes})
    given |= {"transition": transition, "t": t, "raised_at": raised_at, "since": since, "report": report}
    return Event(**given | changes)


def shelving():
    """A nurse's shelving."""
    return Shelving(by="nurse", reason="physiotherapy", until=99, once=True)
