from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from alarm_events import event

from tocsin.alarm import Transition
from tocsin.alarm.status import Shelving
from tocsin.engine.events import Evidence
from tocsin.notify.mqtt_messages import alarm_state, alarm_transition, score_message, status_payload, status_topic

FIELDS = {
    "stream": "icu/bed-1",
    "labels": {"ward": "icu"},
    "t": 1_764_000_060_250_000_000,
    "raised_at": 1_764_000_060_300_123_456,
    "since": 1_764_000_060_250_000_000,
    "reason": "SpO2 81 %, expected 95 ± 2",
    "score": float(np.float32(7.5)),
    "evidence": (Evidence("spo2", "%", 81.0, 95.0, 2.0, 6.5), Evidence("hr", "/min", None, math.nan, None, math.inf)),
    "model": "ward/1.0.0 0123456789ab",
}
RAISED = event(**FIELDS)


def after(transition, **changes):
    return event(transition, **FIELDS | changes)


def body(message):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(message.payload, parse_constant=refuse)


def test_the_state_of_an_alarm_that_was_raised():
    message = alarm_state("tocsin", RAISED)
    assert (message.topic, message.qos, message.retain) == ("tocsin/alarm/icu/bed-1/desaturation", 1, True)
    assert body(message) == {
        "state": "unacknowledged",
        "active": True,
        "acknowledged": False,
        "uncertain": False,
        "annunciated": True,
        "shelved": None,
        "suppressed_by": [],
        "out_of_service": False,
        "acknowledged_by": None,
        "acknowledged_at": None,
        "acknowledged_at_ns": None,
        "first_up": False,
        "chattering": False,
        "stale": False,
        "id": 1,
        "stream": "icu/bed-1",
        "labels": {"ward": "icu"},
        "alarm": "desaturation",
        "watch": "ward",
        "occurrence": 1,
        "priority": "high",
        "category": "physiological",
        "reason": "SpO2 81 %, expected 95 ± 2",
        "t": "2025-11-24T16:01:00.250Z",
        "t_ns": 1_764_000_060_250_000_000,
        "since": "2025-11-24T16:01:00.250Z",
        "since_ns": 1_764_000_060_250_000_000,
        "raised_at": "2025-11-24T16:01:00.300Z",
        "raised_at_ns": 1_764_000_060_300_123_456,
        "score": 7.5,
        "model": "ward/1.0.0 0123456789ab",
        "evidence": [
            {"channel": "spo2", "unit": "%", "value": 81.0, "mean": 95.0, "scale": 2.0, "contribution": 6.5},
            {"channel": "hr", "unit": "/min", "value": None, "mean": None, "scale": None, "contribution": None},
        ],
        "explanation": None,
        "actor": None,
        "comment": None,
        "transaction": None,
        "verdict": None,
        "fleeting": False,
        "test": False,
    }


def test_a_shelved_alarm_names_its_actor_and_its_end():
    shelving = Shelving(by="nurse", reason="surgery", until=1_764_003_600_000_000_000, once=True)
    status = dataclasses.replace(RAISED.status, shelved=shelving, acknowledged=True, acknowledged_by="doctor")
    state = body(alarm_state("tocsin", after(Transition.SHELVE, status=status, actor="nurse", comment="surgery")))
    assert state["shelved"] == {
        "by": "nurse",
        "reason": "surgery",
        "until": "2025-11-24T17:00:00.000Z",
        "until_ns": 1_764_003_600_000_000_000,
        "once": True,
    }
    assert (state["state"], state["annunciated"], state["acknowledged_by"]) == ("acknowledged", False, "doctor")
    assert (state["actor"], state["comment"]) == ("nurse", "surgery")


@pytest.mark.parametrize(
    ("transition", "active", "state", "uncertain"),
    [
        (Transition.RAISE, True, "unacknowledged", False),
        (Transition.UNCERTAIN, True, "unacknowledged", True),
        (Transition.CERTAIN, True, "unacknowledged", False),
        (Transition.CLEAR, False, "normal", False),
    ],
)
def test_the_state_after_each_transition(transition, active, state, uncertain):
    message = alarm_state("tocsin", after(transition))
    assert message.retain
    got = body(message)
    assert (got["active"], got["state"], got["uncertain"]) == (active, state, uncertain)


@pytest.mark.parametrize("transition", list(Transition))
def test_a_transition_is_named_and_not_retained(transition):
    message = alarm_transition("a/b", after(transition))
    assert (message.topic, message.qos, message.retain) == ("a/b/event/icu/bed-1/desaturation", 1, False)
    assert body(message)["transition"] == transition
    assert body(message)["since_ns"] == RAISED.since


@pytest.mark.parametrize("score", [None, math.nan, math.inf])
def test_an_unknown_score_is_null(score):
    assert body(alarm_state("tocsin", after(Transition.CLEAR, score=score, model=None, evidence=())))["score"] is None


def test_a_score_with_what_was_expected():
    row = np.array([81.0, np.nan], dtype=np.float32)
    message = score_message(
        "tocsin",
        "icu/bed-1",
        t=1_764_000_000_000_000_000,
        score=np.float32(2.5),
        channels=["spo2", "hr"],
        values=row,
        mean=np.array([95.0, 70.0], dtype=np.float32),
        scale=np.array([2.0, np.nan], dtype=np.float32),
    )
    assert (message.topic, message.qos, message.retain) == ("tocsin/score/icu/bed-1", 0, False)
    assert body(message) == {
        "t": "2025-11-24T16:00:00.000Z",
        "t_ns": 1_764_000_000_000_000_000,
        "score": 2.5,
        "channels": {
            "spo2": {"value": 81.0, "mean": 95.0, "scale": 2.0},
            "hr": {"value": None, "mean": 70.0, "scale": None},
        },
    }


def test_status():
    assert status_topic("a/b") == "a/b/status"
    assert json.loads(status_payload("online", "0.1.0", 1_764_000_000_000_000_000)) == {
        "state": "online",
        "version": "0.1.0",
        "since": "2025-11-24T16:00:00.000Z",
        "since_ns": 1_764_000_000_000_000_000,
    }
    assert json.loads(status_payload("offline", "0.1.0", None))["since"] is None
