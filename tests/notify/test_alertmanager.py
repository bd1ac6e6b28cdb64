"""What Alertmanager is told."""

from __future__ import annotations

import dataclasses

from alarm_events import event

from tocsin.alarm import Transition
from tocsin.alarm.status import Shelving
from tocsin.engine.events import Priority
from tocsin.notify.alertmanager import Alerts

S = 1_000_000_000
T = 1_764_000_000 * S


def alerts():
    return Alerts({"site": "north"}, resend_s=60)


def raised(**changes):
    told = {"t": T, "raised_at": T + S, "since": T, "labels": {"ward": "icu"}, "reason": "SpO2 81 %"}
    return event(**told | changes)


def test_an_alarm_that_is_up_fires_until_it_is_told_of_no_more():
    told = alerts()
    told.hear(raised())
    assert told.posting(T + 2 * S) == [
        {
            "labels": {
                "site": "north",
                "ward": "icu",
                "alertname": "desaturation",
                "stream": "icu/1",
                "watch": "ward",
                "severity": "high",
                "category": "physiological",
            },
            "annotations": {
                "summary": "icu/1: desaturation",
                "description": "SpO2 81 %",
                "state": "unacknowledged",
                "time": "2025-11-24T16:00:00.000Z",
            },
            "startsAt": "2025-11-24T16:00:00.000Z",
            "endsAt": "2025-11-24T16:04:02.000Z",
        }
    ]
    assert told.posting(T + 3600 * S)[0]["endsAt"] == "2025-11-24T17:04:00.000Z"


def test_what_is_over_is_told_for_a_quarter_of_an_hour():
    told = alerts()
    told.hear(raised())
    told.hear(event(Transition.CLEAR, t=T + 9 * S, raised_at=T + 10 * S, reason="SpO2 95 %", labels={"ward": "icu"}))
    (over,) = told.posting(T + 11 * S)
    assert (over["endsAt"], over["annotations"]["description"]) == ("2025-11-24T16:00:10.000Z", "SpO2 95 %")
    assert len(told.posting(T + 909 * S)) == 1
    assert told.posting(T + 910 * S) == []


def test_an_identity_holds_no_value_and_no_time():
    told = alerts()
    told.hear(raised())
    before = told.posting(T)[0]["labels"]
    told.hear(raised(transition=Transition.UNCERTAIN, reason="not measured now", score=7.5))
    (after,) = told.posting(T)
    assert after["labels"] == before
    assert after["annotations"]["uncertain"] == "its condition is unknown now"


def test_an_escalation_ends_the_milder_alert_as_the_graver_one_begins():
    told = alerts()
    told.hear(raised(priority=Priority.MEDIUM))
    told.hear(raised(priority=Priority.HIGH, raised_at=T + 60 * S))
    assert [(a["labels"]["severity"], a["endsAt"]) for a in told.posting(T + 60 * S)] == [
        ("high", "2025-11-24T16:05:00.000Z"),
        ("medium", "2025-11-24T16:01:00.000Z"),
    ]


def test_a_shelved_alarm_ends_and_fires_again_once_it_is_not():
    told = alerts()
    told.hear(raised())
    up = raised()
    shelved = dataclasses.replace(up.status, shelved=Shelving("anna", "moving the patient", T + 600 * S, once=False))
    told.hear(dataclasses.replace(up, status=shelved, raised_at=T + 5 * S))
    assert [alert["endsAt"] for alert in told.posting(T + 6 * S)] == ["2025-11-24T16:00:05.000Z"]
    told.hear(dataclasses.replace(up, raised_at=T + 600 * S))
    assert [alert["endsAt"] for alert in told.posting(T + 600 * S)] == ["2025-11-24T16:14:00.000Z"]


def test_names_of_labels_are_made_legal():
    told = alerts()
    told.hear(raised(labels={"ward-name": "icu"}))
    assert told.posting(T)[0]["labels"]["ward_name"] == "icu"
