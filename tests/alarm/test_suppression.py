"""Suppression of alarms, and their status after it."""

from __future__ import annotations

import pytest
from alarm_ward import START, S, Ward, policy

from tocsin.alarm import Grouping, Inhibition, OnClear
from tocsin.alarm.commands import AcknowledgeGroup, RemoveFromService, ReturnToService, Shelve, Unshelve
from tocsin.engine.events import Category, Priority

BED = "icu/1", "hr-high"


def test_a_shelved_alarm_is_not_annunciated_and_keeps_its_acknowledgement():
    ward = Ward()
    ward.begins()
    ward.acknowledge()
    ward.executes(Shelve(*BED, for_s=600), why="physiotherapy")
    status = ward.status()
    assert (status.shelved.by, status.shelved.reason, status.shelved.until) == (
        "nurse",
        "physiotherapy",
        START + 600 * S,
    )
    assert not status.is_annunciated
    assert status.state == "acknowledged"
    assert ward.wait(599) == []
    assert ward.wait(5) == [("unshelve", "hr-high")]
    assert ward.events[-1].t == START + 600 * S  # the deadline, not the time of processing
    assert ward.events[-1].actor is None
    assert ward.status().is_annunciated
    assert ward.state() == "acknowledged"


def test_an_alarm_raised_while_shelved_is_logged_and_annunciated_afterwards():
    ward = Ward(known=["icu/1"])
    ward.executes(Shelve(*BED, for_s=600))
    assert ward.begins() == [("raise", "hr-high")]
    assert not ward.status().is_annunciated
    ward.executes(Unshelve(*BED))
    assert ward.status().is_annunciated


def test_a_shelving_for_once_ends_with_the_next_clear():
    ward = Ward(known=["icu/1"])
    ward.executes(Shelve(*BED, for_s=600, once=True))
    ward.begins()
    assert ward.ceases() == [("clear", "hr-high"), ("unshelve", "hr-high")]
    ward.begins()
    assert ward.status().is_annunciated


def test_an_alarm_stays_out_of_service_until_it_is_returned_even_beyond_the_streams_end():
    ward = Ward(known=["icu/1"])
    ward.executes(RemoveFromService(*BED))
    ward.begins()
    assert ward.wait(10**6) == []
    ward.registry.end_stream("icu/1", START)
    ward.begins()
    assert not ward.status().is_annunciated
    ward.executes(ReturnToService(*BED))
    assert ward.status().is_annunciated


def test_a_shelving_ends_with_the_patients_stay():
    ward = Ward(known=["icu/1"])
    ward.begins()
    ward.executes(Shelve(*BED, for_s=600))
    assert [e.transition for e in ward.registry.end_stream("icu/1", START)] == ["end"]
    ward.begins()
    assert ward.status().is_annunciated


def test_a_shelving_ends_with_the_alarms_configuration():
    ward = Ward(known=["icu/1"])
    ward.executes(Shelve(*BED, for_s=600))
    (event,) = ward.registry.end_stream("icu/1", START)
    assert (event.transition, event.status.shelved) == ("unshelve", None)
    assert ward.registry.statuses == {}


HR = policy()
ABSENT = policy("hr-absent", category=Category.TECHNICAL)
SPO2 = policy("spo2-low", channels=("spo2",))
BOTH = policy("hr-and-spo2", channels=("hr", "spo2"))
ODD = policy("odd", channels=())
SILENT = policy("silent", category=Category.TECHNICAL, channels=())


@pytest.mark.parametrize(
    ("technical", "suppressed"),
    [
        (["hr-absent"], {"hr-high"}),
        (["hr-absent", "spo2-absent"], {"hr-high", "spo2-low", "hr-and-spo2"}),
        (["silent"], {"hr-high", "spo2-low", "hr-and-spo2", "odd"}),
    ],
)
def test_a_technical_alarm_suppresses_the_alarms_of_its_channels(technical, suppressed):
    ward = Ward(
        HR, ABSENT, SPO2, BOTH, ODD, SILENT, policy("spo2-absent", category=Category.TECHNICAL, channels=("spo2",))
    )
    for alarm in technical:
        ward.begins(alarm)
    for alarm in ("hr-high", "spo2-low", "hr-and-spo2", "odd"):
        assert ward.begins(alarm) == [("raise", alarm)]
        assert ward.begins(alarm, "icu/2") == [("raise", alarm)]
        assert ward.status(alarm).is_annunciated is (alarm not in suppressed)
        assert ward.status(alarm, "icu/2").is_annunciated
    if "hr-high" in suppressed:
        assert "icu/1/hr-absent" in ward.status().suppressed_by or "icu/1/silent" in ward.status().suppressed_by
    released = [alarm for name in technical for what, alarm in ward.ceases(name) if what == "unsuppress"]
    assert set(released) == suppressed
    assert all(ward.status(alarm).is_annunciated for alarm in suppressed)


def test_an_alarm_that_was_annunciated_before_stays_so():
    ward = Ward(HR, ABSENT)
    ward.begins()
    assert ward.begins("hr-absent") == [("raise", "hr-absent")]
    assert ward.status().is_annunciated


def test_a_shelved_technical_alarm_suppresses_nothing():
    """Of a technical alarm and those that it suppresses, one is always annunciated."""
    ward = Ward(HR, ABSENT)
    ward.begins("hr-absent")
    ward.begins()
    assert ward.executes(Shelve("icu/1", "hr-absent", 60)) == [("shelve", "hr-absent"), ("unsuppress", "hr-high")]
    assert ward.status().is_annunciated


def test_an_acknowledged_technical_alarm_still_suppresses():
    ward = Ward(HR, ABSENT)
    ward.begins("hr-absent")
    ward.acknowledge("hr-absent")
    ward.begins()
    assert not ward.status().is_annunciated


def test_an_alarm_that_was_suppressed_is_unacknowledged_afterwards():
    ward = Ward(policy(on_clear=OnClear.ACKNOWLEDGE), ABSENT)
    ward.begins("hr-absent")
    ward.begins()
    ward.ceases()
    assert not ward.status().is_annunciated
    ward.ceases("hr-absent")
    assert ward.status().is_annunciated
    assert ward.state() == "returned"


def test_a_named_alarm_suppresses_others_where_labels_are_equal():
    power = policy("power-lost", Priority.HIGH, channels=("mains",), inhibits=(Inhibition("hr-*", ("ward", "room")),))
    ward = Ward(power, policy(), SPO2)
    ward.begins("power-lost", "plant/1", labels={"ward": "icu", "room": "1"})
    for stream, labels, suppressed in (
        ("icu/1", {"ward": "icu", "room": "1"}, True),
        ("icu/2", {"ward": "icu", "room": "2"}, False),
        ("icu/3", {"ward": "icu"}, False),  # what is unknown is equal to nothing
    ):
        ward.begins(stream=stream, labels=labels)
        assert ward.status(stream=stream).is_annunciated is not suppressed
    ward.begins("spo2-low", "icu/1", labels={"ward": "icu", "room": "1"})
    assert ward.status("spo2-low").is_annunciated
    assert ward.status().suppressed_by == ("plant/1/power-lost",)


FLOODS = Grouping(by=("ward",), begin=10, end=5, per_ns=600 * S, except_priorities=frozenset({Priority.HIGH}))


def flooded(beds=12):
    ward = Ward(policy(), policy("asystole", Priority.HIGH), grouping=FLOODS)
    for bed in range(beds):
        ward.now += 10
        ward.begins(stream=f"icu/{bed}", labels={"ward": "icu"})
    return ward


def test_a_flood_is_annunciated_as_one_alarm_and_logged_as_many():
    ward = flooded()
    raised = [(event.stream, event.status.is_annunciated) for event in ward.events if event.transition == "raise"]
    assert raised == [
        *[(f"icu/{bed}", True) for bed in range(10)],
        ("tocsin/groups/icu", True),
        ("icu/10", False),
        ("icu/11", False),
    ]
    flood = ward.events[10]
    assert (flood.alarm, flood.labels, flood.category) == ("flood", {"ward": "icu"}, Category.TECHNICAL)
    assert flood.report.reason == "11 new alarms within 10 min: grouped until fewer than 5"
    assert ward.status(stream="icu/11").suppressed_by == ("tocsin/groups/icu/flood",)


def test_a_flood_leaves_other_groups_and_excepted_priorities_alone():
    ward = flooded()
    ward.begins(stream="er/1", labels={"ward": "er"})
    assert ward.status(stream="er/1").is_annunciated
    ward.begins("asystole", "icu/1", labels={"ward": "icu"})
    assert ward.status("asystole", "icu/1").is_annunciated


def test_a_flood_ends_with_few_new_alarms_and_active_ones_are_annunciated():
    ward = flooded()
    ward.ceases(stream="icu/10", labels={"ward": "icu"})
    # 12 alarms, 10 s apart: fewer than 5 are left in the window 600 s after the eighth.
    assert ward.wait(80 + 600 - 120 - 1) == []
    assert ward.wait(1) == [("clear", "flood"), ("unsuppress", "hr-high")]
    assert ward.events[-2].t == START + 680 * S
    assert ward.status(stream="icu/11").is_annunciated


def test_acknowledging_a_group_reaches_into_its_flood():
    ward = flooded()
    assert len(ward.executes(AcknowledgeGroup({"ward": "icu"}))) == 13
    ward.wait(600)
    assert ward.state(stream="icu/11") == "acknowledged"


def test_shelved_alarms_make_no_flood():
    ward = Ward(grouping=FLOODS, known=[f"icu/{bed}" for bed in range(20)])
    for bed in range(20):
        ward.executes(Shelve(f"icu/{bed}", "hr-high", 60))
        ward.begins(stream=f"icu/{bed}", labels={"ward": "icu"})
    assert not any(event.alarm == "flood" for event in ward.events)
