"""Invariants of alarms under random condition events, commands, time and restarts."""

from __future__ import annotations

from alarm_ward import START, WATCH, S, policy
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tocsin.alarm import (
    AlarmPolicies,
    AlarmRegistry,
    CommandEnvelope,
    Escalation,
    Grouping,
    Inhibition,
    OnClear,
    Refused,
    State,
    Transition,
)
from tocsin.alarm.commands import (
    Acknowledge,
    AcknowledgeGroup,
    Annotate,
    Mark,
    RemoveFromService,
    Reset,
    ReturnToService,
    Shelve,
    Test,
    Unshelve,
    Verdict,
)
from tocsin.engine.events import Category, ConditionEvent, ConditionEventKind, Priority, Report

PLANS = [
    policy("hr-high", on_clear=OnClear.LATCH, re_alarm_ns=300 * S, escalate=(Escalation(60 * S, Priority.HIGH),)),
    policy("hr-low", on_clear=OnClear.ACKNOWLEDGE, remind_ns=45 * S, chatter_off_delay_ns=20 * S),
    policy("spo2-low", Priority.HIGH, channels=("spo2",), chatter_shelve_ns=120 * S),
    policy("worse", channels=(), inhibits=(Inhibition("hr-*", ("ward",)), Inhibition("worse", ("ward",)))),
    policy("hr-absent", Priority.LOW, Category.TECHNICAL),
    policy("silent", category=Category.TECHNICAL, channels=()),
]
BY_NAME = {p.alarm: p for p in PLANS}
LABELS = {"a/1": {"ward": "a"}, "b/1": {"ward": "b"}}
GROUPING = Grouping(by=("ward",), begin=3, end=2, per_ns=90 * S, except_priorities=frozenset({Priority.HIGH}))

streams = st.sampled_from(["a/1", "a/1", "b/1"])  # most of what happens, happens to one: it meets itself there
alarms = st.sampled_from(sorted(BY_NAME))


def registry():
    return AlarmRegistry(
        AlarmPolicies(PLANS, GROUPING, lambda stream: {WATCH: LABELS[stream]} if stream in LABELS else {})
    )


class Alarms(RuleBasedStateMachine):
    """Two registries get the same input; one of them restarts now and then, without a difference."""

    def __init__(self):
        super().__init__()
        self.registries = [registry(), registry()]
        self.now = 0
        self.events = []
        self.up = {}  # (stream, alarm) -> is its condition known to hold, of those that hold
        self.last = {}  # (stream, alarm) -> status of the last event
        self.seen = set()  # acknowledged occurrences
        self.transactions = []

    @property
    def at(self):
        return START + round(self.now * S)

    def happens(self, call):
        """Let both do the same; None if they refuse."""
        results = []
        for one in self.registries:
            before = one.export("1.0.0")
            try:
                results.append(call(one))
            except Refused as refused:
                results.append((refused.code, str(refused)))
                assert one.export("1.0.0") == before, "what was refused changed something"
        assert results[0] == results[1]
        if isinstance(results[0], tuple):
            return None
        for event in results[0]:
            self.check_event(event)
        return results[0]

    def check_event(self, event):
        key = event.stream, event.alarm
        before = self.last.get(key)
        assert event.id == len(self.events) + 1
        self.events.append(event)
        match event.transition:
            case Transition.RAISE:
                assert event.occurrence == event.id
            case Transition.ACKNOWLEDGE:
                assert before.occurrence == event.occurrence < event.id
                assert event.actor == "nurse"
                self.seen.add(event.occurrence)
            case (
                Transition.SHELVE | Transition.UNSHELVE | Transition.REMOVE_FROM_SERVICE | Transition.RETURN_TO_SERVICE
            ):
                if before is not None and before.occurrence == event.status.occurrence:
                    assert event.status.state is before.state
                    assert event.status.acknowledged_by == before.acknowledged_by
            case Transition.UNCERTAIN:
                assert event.status.active
        if before is not None and before.occurrence is not None and event.status.state is State.NORMAL:
            its = BY_NAME.get(event.alarm)
            assert event.transition in {Transition.CLEAR, Transition.ACKNOWLEDGE, Transition.RESET, Transition.END}
            if its is not None and its.on_clear is not OnClear.END and event.transition is not Transition.END:
                assert before.occurrence in self.seen, "ended, and unacknowledged"
        self.last[key] = event.status

    # Condition events as engines give them.

    def kind(self, stream, alarm, kind):
        its = BY_NAME[alarm]
        change = ConditionEvent(
            watch=WATCH,
            stream=stream,
            labels=LABELS[stream],
            alarm=alarm,
            kind=kind,
            t=self.at,
            raised_at=self.at,
            since=self.at,
            priority=its.priority,
            category=its.category,
            report=Report(f"{alarm} {kind}", score=0.5),
        )
        self.happens(lambda one: one.apply([change], self.at))

    @rule(stream=streams, alarm=alarms)
    def begins(self, stream, alarm):
        if (stream, alarm) not in self.up:
            self.up[stream, alarm] = True
            self.kind(stream, alarm, ConditionEventKind.ACTIVE)

    @precondition(lambda self: self.up)
    @rule(
        data=st.data(),
        kind=st.sampled_from(
            [
                ConditionEventKind.INACTIVE,
                ConditionEventKind.INACTIVE,
                ConditionEventKind.UNCERTAIN,
                ConditionEventKind.CERTAIN,
                ConditionEventKind.REMOVED,
            ]
        ),
    )
    def goes_on(self, data, kind):
        stream, alarm = data.draw(st.sampled_from(sorted(self.up)))
        if kind in {ConditionEventKind.INACTIVE, ConditionEventKind.REMOVED}:
            del self.up[stream, alarm]
        elif self.up[stream, alarm] is (kind is ConditionEventKind.CERTAIN):
            return
        else:
            self.up[stream, alarm] = kind is ConditionEventKind.CERTAIN
        self.kind(stream, alarm, kind)
        if kind is ConditionEventKind.REMOVED:
            self.last.pop((stream, alarm))

    # People ask.

    def asks(self, command, *, why="seen", transaction=None):
        return self.happens(lambda one: one.execute(CommandEnvelope(command, "nurse", why, transaction), self.at))

    def one(self, data):
        """The alarm of a command: mostly an active one."""
        any_of = [(stream, alarm) for stream in LABELS for alarm in BY_NAME]
        return data.draw(st.sampled_from(sorted(self.up) * 4 + any_of))

    @rule(data=st.data(), occurrence=st.none() | st.integers(1, 40))
    def acknowledges(self, data, occurrence):
        stream, alarm = self.one(data)
        present = self.last[stream, alarm].occurrence if (stream, alarm) in self.last else None
        events = self.asks(Acknowledge(stream, alarm, occurrence))
        assert (events is None) == (occurrence not in {None, present} and present is not None)
        if events:
            acknowledged = [event for event in events if event.transition is Transition.ACKNOWLEDGE]
            assert [event.occurrence for event in acknowledged] == [present]

    @rule(labels=st.sampled_from([{"ward": "a"}, {"stream": "b/1"}]))
    def acknowledges_a_group(self, labels):
        shown = {
            status.occurrence
            for (stream, _), status in self.last.items()
            if status.is_waiting
            and labels.items() <= {"stream": stream, **LABELS.get(stream, {"ward": stream[-1]})}.items()
        }
        events = self.asks(AcknowledgeGroup(labels))
        acknowledged = {e.occurrence for e in events if e.transition is Transition.ACKNOWLEDGE}
        assert shown <= acknowledged
        assert not any(event.status.is_waiting for event in events if event.occurrence in acknowledged)

    @rule(
        stream=streams,
        alarm=alarms,
        kind=st.sampled_from([Reset, Unshelve, RemoveFromService, ReturnToService, Annotate]),
    )
    def asks_something(self, stream, alarm, kind):
        self.asks(kind(stream, alarm))

    @rule(data=st.data(), for_s=st.sampled_from([10, 100]), once=st.booleans())
    def shelves(self, data, for_s, once):
        stream, alarm = self.one(data)
        events = self.asks(Shelve(stream, alarm, for_s, once))
        assert events[0].status.shelved.until == self.at + for_s * S

    @rule(stream=streams, alarm=alarms, verdict=st.sampled_from(Verdict))
    def marks(self, stream, alarm, verdict):
        self.asks(Mark(stream, alarm, verdict))

    @rule()
    def tests(self):
        self.asks(Test())

    @rule(stream=streams, alarm=alarms, name=st.sampled_from("xyz"))
    def asks_twice(self, stream, alarm, name):
        """The second time answers as the first, whatever has happened since, and changes nothing."""
        transaction = f"{name}{len(self.transactions)}"
        shelve = Shelve(stream, alarm, 50.0)
        events = self.asks(shelve, transaction=transaction)
        self.transactions.append((shelve, transaction, events))

    @precondition(lambda self: self.transactions)
    @rule(data=st.data())
    def asks_again(self, data):
        command, transaction, events = data.draw(st.sampled_from(self.transactions))
        for one in self.registries:
            before = one.export("1.0.0")
            assert one.execute(CommandEnvelope(command, "nurse", "seen", transaction), self.at) == events
            assert one.export("1.0.0") == before

    @rule(stream=streams)
    def stream_ends(self, stream):
        self.happens(lambda one: one.end_stream(stream, self.at))
        for key in [key for key in self.last if key[0] == stream]:
            del self.last[key]
            self.up.pop(key, None)

    # Time passes, and the daemon restarts.

    @rule(seconds=st.sampled_from([0, 1, 5, 15, 40, 200, 700]))
    def waits(self, seconds):
        self.now += seconds
        events = self.happens(lambda one: one.expire_deadlines(self.at))
        assert all(event.t <= self.at for event in events)

    @rule()
    def restarts(self):
        kept = self.registries[1].export("1.0.0")
        self.registries[1] = registry()
        self.registries[1].restore(kept)

    # What holds.

    @invariant()
    def the_last_event_of_an_alarm_has_its_status(self):
        statuses = self.registries[0].statuses
        assert statuses == self.registries[1].statuses
        for key, status in self.last.items():
            if key in statuses:
                assert statuses[key] == status
            else:
                assert status.state is State.NORMAL

    @invariant()
    def an_active_alarm_is_annunciated_unless_it_is_suppressed(self):
        statuses = self.registries[0].statuses
        annunciated = {f"{stream}/{alarm}" for (stream, alarm), status in statuses.items() if status.is_annunciated}
        for key in self.up:
            status = statuses[key]
            assert status.active
            is_suppressed = status.shelved is not None or status.out_of_service or status.suppressed_by
            assert status.is_annunciated or is_suppressed
            assert annunciated.issuperset(status.suppressed_by), "suppressed by an alarm that is not annunciated"
            assert status.uncertain is not self.up[key]

    @invariant()
    def what_does_not_hold_is_not_active(self):
        held_back = "hr-low"  # while it chatters
        for key, status in self.registries[0].statuses.items():
            if status.active and key not in self.up and key[1] in BY_NAME:
                assert key[1] == held_back
                assert status.chattering


TestAlarms = Alarms.TestCase
TestAlarms.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much]
)
