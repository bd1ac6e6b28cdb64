"""View of the daemon's messages."""

import msgspec

import alarm_events
from tocsin.alarm import Transition
from tocsin.engine.changes import Category
from tocsin.mqtt.alarm_messages import alarm_transition, score_message
from tocsin_training.demo import summary
from tocsin_training.demo.scenario import ONSET_S, Scenario, script_ward
from tocsin_training.demo.view import NS_PER_S, BedView, WardView

T0 = 1_764_000_000 * NS_PER_S


def body(message):
    return msgspec.json.decode(message.payload)


def event(transition, at_s, stream="ward/bed-1", alarm="deterioration", category=Category.PHYSIOLOGICAL):
    t = T0 + at_s * NS_PER_S
    told = {"stream": stream, "alarm": alarm, "category": category, "reason": "because", "score": 1.0}
    return alarm_events.event(transition, t=t, raised_at=t, since=t, **told)


def view_of(*streams):
    return WardView(T0, {stream: BedView() for stream in streams})


def test_an_alarm_is_up_until_it_clears():
    view = view_of("ward/bed-1")
    ring = view.on_event(body(alarm_transition("tocsin", event(Transition.RAISE, 52))))
    assert (ring.at_s, ring.transition, ring.category, ring.priority) == (52.0, "raise", "physiological", "high")
    assert list(view.beds["ward/bed-1"].active) == ["deterioration"]
    view.on_event(body(alarm_transition("tocsin", event(Transition.CLEAR, 90))))
    assert not view.beds["ward/bed-1"].active


def test_a_missing_value_and_an_unknown_score_are_not_zero():
    view = view_of("ward/bed-1")
    nan = float("nan")
    message = score_message(
        "tocsin",
        "ward/bed-1",
        t=T0,
        score=nan,
        channels=["hr", "spo2"],
        values=[72.0, nan],
        mean=[nan] * 2,
        scale=[nan] * 2,
    )
    view.on_score("ward/bed-1", body(message))
    assert view.beds["ward/bed-1"].score is None
    assert view.beds["ward/bed-1"].values == {"hr": 72.0}


def test_the_summary_says_when_the_limits_would_have_rung():
    scripted = script_ward(Scenario.DETERIORATION, 1, 8)
    bleeding, off = scripted.script
    view = view_of(*scripted.ward.streams)
    view.on_event(body(alarm_transition("tocsin", event(Transition.RAISE, 50, bleeding.stream))))
    view.on_event(
        body(alarm_transition("tocsin", event(Transition.RAISE, 30, off.stream, "spo2-absent", Category.TECHNICAL)))
    )
    told = "\n".join(summary.lines(scripted, view, 60.0, {"median lead over limits, s": 2.0}))
    assert (
        f"{bleeding.stream}: haemorrhage from {ONSET_S} s; Tocsin alarmed at 50 s; fixed limits would have at" in told
    )
    assert f"{off.stream}: probe-off from {ONSET_S} s; technical alarm spo2-absent at 30 s, no physiological" in told
    assert "6 of 8 beds: no deterioration and no alarm" in told
    assert "median lead over limits, s: 2" in told


def test_the_script_is_the_same_for_the_same_seed():
    for scenario in Scenario:
        assert script_ward(scenario, 3, 8).script == script_ward(scenario, 3, 8).script
        assert script_ward(scenario, 3, 1) is not None
