"""A ward of alarms for tests: condition events, commands and time in, transitions out."""

from __future__ import annotations

from tocsin.alarm import AlarmPolicies, AlarmPolicy, AlarmRegistry, CommandEnvelope
from tocsin.alarm.commands import Acknowledge
from tocsin.engine.events import Category, ConditionEvent, ConditionEventKind, Priority, Report

S = 1_000_000_000
START = 1_764_000_000 * S
WATCH = "ward"


def policy(alarm="hr-high", priority=Priority.MEDIUM, category=Category.PHYSIOLOGICAL, channels=("hr",), **handling):
    return AlarmPolicy(WATCH, alarm, priority, category, channels, **handling)


class Ward:
    """An alarm registry with its clock, in seconds since the start."""

    def __init__(self, *policies, grouping=None, known=()):
        self.policies = {p.alarm: p for p in policies or [policy()]}
        self.registry = AlarmRegistry(
            AlarmPolicies(list(self.policies.values()), grouping, lambda stream: {WATCH: {}} if stream in known else {})
        )
        self.now = 0
        self.events = []

    def _happened(self, events):
        self.events += events
        return [(event.transition.value, event.alarm) for event in events]

    def kind(self, kind, alarm="hr-high", stream="icu/1", *, t=None, labels=None):
        """Apply a condition event, at `t` or now; the transitions."""
        its = self.policies[alarm]
        at = START + round((self.now if t is None else t) * S)
        change = ConditionEvent(
            watch=WATCH,
            stream=stream,
            labels=labels or {},
            alarm=alarm,
            kind=kind,
            t=at,
            raised_at=self._ns,
            since=at,
            priority=its.priority,
            category=its.category,
            report=Report(f"{alarm} {kind}"),
        )
        return self._happened(self.registry.apply([change], self._ns))

    def begins(self, *args, **more):
        return self.kind(ConditionEventKind.ACTIVE, *args, **more)

    def ceases(self, *args, **more):
        return self.kind(ConditionEventKind.INACTIVE, *args, **more)

    def executes(self, command, *, by="nurse", why="seen", transaction=None):
        """Execute a command; the transitions."""
        return self._happened(self.registry.execute(CommandEnvelope(command, by, why, transaction), self._ns))

    def acknowledge(self, alarm="hr-high", stream="icu/1", **more):
        return self.executes(Acknowledge(stream, alarm, **more))

    def wait(self, seconds):
        """Let time pass; the transitions of expired deadlines."""
        self.now += seconds
        return self._happened(self.registry.expire_deadlines(self._ns))

    @property
    def _ns(self):
        return START + round(self.now * S)

    def status(self, alarm="hr-high", stream="icu/1"):
        return self.registry.statuses[stream, alarm]

    def state(self, alarm="hr-high", stream="icu/1"):
        return self.status(alarm, stream).state.value
