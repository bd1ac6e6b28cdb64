"""A ward of alarms to test with: conditions turn, people ask, time passes."""

from __future__ import annotations

from tocsin.alarm import Order, Plan, Plans, Register
from tocsin.alarm.commands import Acknowledge
from tocsin.engine.changes import Category, Change, Priority, Turn

S = 1_000_000_000
START = 1_764_000_000 * S
WATCH = "ward"


def plan(alarm="hr-high", priority=Priority.MEDIUM, category=Category.PHYSIOLOGICAL, channels=("hr",), **handling):
    return Plan(WATCH, alarm, priority, category, channels, **handling)


class Ward:
    """A register, and the clock of those who use it; seconds since the start everywhere."""

    def __init__(self, *plans, grouping=None, known=()):
        self.plans = {p.alarm: p for p in plans or [plan()]}
        self.register = Register(
            Plans(list(self.plans.values()), grouping, lambda stream: {WATCH: {}} if stream in known else {})
        )
        self.now = 0
        self.events = []

    def _happened(self, events):
        self.events += events
        return [(event.transition.value, event.alarm) for event in events]

    def turn(self, turn, alarm="hr-high", stream="icu/1", *, t=None, labels=None):
        """A condition turns, at `t` or now: what happened."""
        its = self.plans[alarm]
        at = START + round((self.now if t is None else t) * S)
        change = Change(
            watch=WATCH,
            stream=stream,
            labels=labels or {},
            alarm=alarm,
            turn=turn,
            t=at,
            raised_at=self._ns,
            since=at,
            priority=its.priority,
            category=its.category,
            reason=f"{alarm} {turn}",
            score=None,
            evidence=(),
            model=None,
        )
        return self._happened(self.register.take_in([change], self._ns))

    def begins(self, *args, **more):
        return self.turn(Turn.BEGAN, *args, **more)

    def ceases(self, *args, **more):
        return self.turn(Turn.CEASED, *args, **more)

    def orders(self, command, *, by="nurse", why="seen", transaction=None):
        """Somebody asks something: what happened."""
        return self._happened(self.register.carry_out(Order(command, by, why, transaction), self._ns))

    def acknowledge(self, alarm="hr-high", stream="icu/1", **more):
        return self.orders(Acknowledge(stream, alarm, **more))

    def wait(self, seconds):
        """Time passes: what fell due."""
        self.now += seconds
        return self._happened(self.register.pass_time(self._ns))

    @property
    def _ns(self):
        return START + round(self.now * S)

    def status(self, alarm="hr-high", stream="icu/1"):
        return self.register.statuses[stream, alarm]

    def state(self, alarm="hr-high", stream="icu/1"):
        return self.status(alarm, stream).state.value
