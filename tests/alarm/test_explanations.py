"""The frames of an explanation: once an occurrence, in the event that raises it."""

from __future__ import annotations

from dataclasses import replace

from tocsin.alarm import AlarmPolicies, AlarmPolicy, AlarmRegistry
from tocsin.alarm.commands import Acknowledge, CommandEnvelope
from tocsin.alarm.serialization import decode_event, encode_event
from tocsin.engine.events import Category, ConditionEvent, ConditionEventKind, Explanation, Frames, Priority, Report

S = 1_000_000_000
FRAMES = Frames(("hr",), S, "AAAAAAAAAAA=", "AAAAAA==", "AQ==", "AAAAAA==", "AAAAAA==", "AAAAAA==", "AAAAAA==")
EXPLANATION = Explanation("ward/1", "0" * 64, 1.0, 5 * S, 15, 99, 0, None, None, None, FRAMES)
CHANGE = ConditionEvent(
    watch="ward",
    stream="icu/1",
    labels={},
    alarm="odd",
    kind=ConditionEventKind.ACTIVE,
    t=9 * S,
    raised_at=9 * S,
    since=9 * S,
    priority=Priority.HIGH,
    category=Category.PHYSIOLOGICAL,
    report=Report("score 2, threshold 1", score=2.0, model="ward/1 000000000000", explanation=EXPLANATION),
)


def registry():
    return AlarmRegistry(AlarmPolicies([AlarmPolicy("ward", "odd", Priority.HIGH, Category.PHYSIOLOGICAL, ())]))


def test_the_event_that_raises_an_alarm_has_the_frames_and_no_later_one_has():
    alarms = registry()
    (raised,) = alarms.apply([CHANGE], 9 * S)
    assert raised.report.explanation == EXPLANATION
    (seen,) = alarms.execute(CommandEnvelope(Acknowledge("icu/1", "odd"), "nurse", "seen"), 10 * S)
    assert seen.report.explanation == replace(EXPLANATION, frames=None)


def test_a_restored_alarm_has_its_explanation_without_the_frames():
    alarms = registry()
    alarms.apply([CHANGE], 9 * S)
    again = registry()
    again.restore(alarms.export("1.0.0"))
    (seen,) = again.execute(CommandEnvelope(Acknowledge("icu/1", "odd"), "nurse", "seen"), 10 * S)
    assert seen.report.explanation == replace(EXPLANATION, frames=None)


def test_the_alarm_log_keeps_the_frames():
    (raised,) = registry().apply([CHANGE], 9 * S)
    assert decode_event(encode_event(raised)) == raised
