"""Comparison of two recordings, with listed renames."""

from __future__ import annotations

import json

import pytest
from portable import differences
from record import Renames, compared


def differs(old, new, *renames):
    return compared(old, new, Renames(list(renames)), "ward")


def test_equal_recordings_have_no_difference():
    assert differs({"events": [{"score": 1.5, "reason": "high"}]}, {"events": [{"score": 1.5, "reason": "high"}]}) == []


def test_each_difference_is_shown_with_its_place():
    assert differs({"events": [{"score": 1.5}, {"id": 2}]}, {"events": [{"score": 1.25}, {"id": 3}]}) == [
        "ward/events/0/score: 1.5 is now 1.25",
        "ward/events/1/id: 2 is now 3",
    ]
    assert differs({"events": [1, 2]}, {"events": [1]}) == ["ward/events: 2 entries are now 1"]
    assert differs({"a": 1}, {"b": 1}) == ["ward/a: only in the old one: 1", "ward/b: only in the new one: 1"]


@pytest.mark.parametrize(
    ("old", "new", "rename"),
    [
        ({"sbp": 1}, {"systolic": 1}, {"from": "sbp", "to": "systolic"}),
        ({"channel": "sbp"}, {"channel": "systolic"}, {"from": "sbp", "to": "systolic"}),
        ({"e": {"report": {"score": 1}}}, {"e": {"report": {}, "score": 1}}, {"from": "report/score", "to": "score"}),
        ({"e": {"score": 1}}, {"e": {"report": {"score": 1}}}, {"from": "score", "to": "report/score"}),
        ({"topic": "t/alarm/x"}, {"topic": "t/alarms/x"}, {"from": "/alarm/", "to": "/alarms/", "part": True}),
        ({"old_a": 1}, {"new_a": 1}, {"from": "^old_", "to": "new_", "pattern": True}),
        ({"a": 1, "gone": 2}, {"a": 1}, {"from": "gone", "to": None}),
        ({"payload": '{"a": 1, "b": "x"}'}, {"payload": '{"c": 1, "b": "x"}'}, {"from": "a", "to": "c"}),
    ],
)
def test_listed_renames_are_not_differences(old, new, rename):
    assert differs(old, new) != []
    assert differs(old, new, rename) == []
    assert differs(old, new, {**rename, "scope": "icu/*"}) != []


def test_the_order_of_keys_in_a_payload_counts():
    assert differs({"payload": '{"a": 1, "b": 2}'}, {"payload": '{"b": 2, "a": 1}'}) == [
        "ward/payload: the same JSON with its keys in another order"
    ]


def test_a_portable_recording_allows_for_another_processor():
    old = json.loads('{"scores": [0.12345, null], "events": [{"id": 1, "score": 2.0}]}')
    assert differences(old, json.loads('{"scores": [0.12349, null], "events": [{"id": 1, "score": 2.0001}]}')) == []
    (difference,) = differences(old, json.loads('{"scores": [0.12345, null], "events": [{"id": 2, "score": 2.0}]}'))
    assert difference.startswith("/events/0/id: 1 is now 2")
