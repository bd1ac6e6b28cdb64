"""The alerts that Alertmanager gets."""

from __future__ import annotations

import dataclasses

from alarm_events import event

from tocsin.alarm import Transition
from tocsin.alarm.status import Shelving
from tocsin.engine.events import Priority
from tocsin.notify.alerts import Alert, Alerts, alerts_from_json, alerts_to_json

S = 1_000_000_000
T = 1_764_000_000 * S


def alerts():
    return Alerts({"site": "north"}, resend_s=60)


def raised(**changes):
    given = {"t": T, "raised_at": T + S, "since": T, "labels": {"ward": "icu"}, "reason": "SpO2 81 %"}
    return event(**given | changes)


def test_a_raised_alarm_fires_until_it_ends():
    posted = alerts()
    posted.update(raised())
    assert posted.current(T + 2 * S) == [
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
    assert posted.current(T + 3600 * S)[0]["endsAt"] == "2025-11-24T17:04:00.000Z"


def test_an_ended_alert_is_posted_for_a_quarter_of_an_hour():
    posted = alerts()
    posted.update(raised())
    posted.update(
        event(Transition.CLEAR, t=T + 9 * S, raised_at=T + 10 * S, reason="SpO2 95 %", labels={"ward": "icu"})
    )
    (over,) = posted.current(T + 11 * S)
    assert (over["endsAt"], over["annotations"]["description"]) == ("2025-11-24T16:00:10.000Z", "SpO2 95 %")
    assert len(posted.current(T + 909 * S)) == 1
    assert posted.current(T + 910 * S) == []


def test_an_identity_holds_no_value_and_no_time():
    posted = alerts()
    posted.update(raised())
    before = posted.current(T)[0]["labels"]
    posted.update(raised(transition=Transition.UNCERTAIN, reason="not measured now", score=7.5))
    (after,) = posted.current(T)
    assert after["labels"] == before
    assert after["annotations"]["uncertain"] == "its condition is unknown now"


def test_an_escalation_ends_the_milder_alert_as_the_graver_one_begins():
    posted = alerts()
    posted.update(raised(priority=Priority.MEDIUM))
    posted.update(raised(priority=Priority.HIGH, raised_at=T + 60 * S))
    assert [(a["labels"]["severity"], a["endsAt"]) for a in posted.current(T + 60 * S)] == [
        ("high", "2025-11-24T16:05:00.000Z"),
        ("medium", "2025-11-24T16:01:00.000Z"),
    ]


def test_a_shelved_alarm_ends_and_fires_again_once_it_is_not():
    posted = alerts()
    posted.update(raised())
    up = raised()
    shelved = dataclasses.replace(up.status, shelved=Shelving("anna", "moving the patient", T + 600 * S, once=False))
    posted.update(dataclasses.replace(up, status=shelved, raised_at=T + 5 * S))
    assert [alert["endsAt"] for alert in posted.current(T + 6 * S)] == ["2025-11-24T16:00:05.000Z"]
    posted.update(dataclasses.replace(up, raised_at=T + 600 * S))
    assert [alert["endsAt"] for alert in posted.current(T + 600 * S)] == ["2025-11-24T16:14:00.000Z"]


def test_names_of_labels_are_made_legal():
    posted = alerts()
    posted.update(raised(labels={"ward-name": "icu"}))
    assert posted.current(T)[0]["labels"]["ward_name"] == "icu"


def test_a_pending_alert_keeps_its_bytes_whatever_its_class_is_called():
    class Renamed(Alert):
        pass

    stored = b'[{"labels":{"alertname":"a"},"annotations":{"state":"normal"},"starts_at":1,"ended_at":2}]'
    alert = Alert({"alertname": "a"}, {"state": "normal"}, 1, 2)
    assert alerts_to_json([alert]) == alerts_to_json([Renamed(*dataclasses.astuple(alert))]) == stored
    assert alerts_from_json(stored) == [alert]
