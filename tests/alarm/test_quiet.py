"""What keeps an alarm quiet, and what it is when it isn't kept quiet any more."""

from __future__ import annotations

import pytest
from alarm_ward import START, S, Ward, policy

from tocsin.alarm import Grouping, Inhibition, OnClear
from tocsin.alarm.commands import AcknowledgeGroup, RemoveFromService, ReturnToService, Shelve, Unshelve
from tocsin.engine.events import Category, Priority

BED = "icu/1", "hr-high"


def test_a_shelf_is_quiet_keeps_the_acknowledgement_and_ends():
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
    assert ward.events[-1].t == START + 600 * S  # when it fell due, not when somebody looked
    assert ward.events[-1].actor is None
    assert ward.status().is_annunciated
    assert ward.state() == "acknowledged"


def test_what_happens_on_a_shelf_is_told_in_the_log_and_rings_afterwards():
    ward = Ward(known=["icu/1"])
    ward.executes(Shelve(*BED, for_s=600))
    assert ward.begins() == [("raise", "hr-high")]
    assert not ward.status().is_annunciated
    ward.executes(Unshelve(*BED))
    assert ward.status().is_annunciated


def test_a_shelf_for_once_ends_with_the_next_clear():
    ward = Ward(known=["icu/1"])
    ward.executes(Shelve(*BED, for_s=600, once=True))
    ward.begins()
    assert ward.ceases() == [("clear", "hr-high"), ("unshelve", "hr-high")]
    ward.begins()
    assert ward.status().is_annunciated


def test_out_of_service_until_it_is_put_back_also_over_the_end_of_the_stream():
    ward = Ward(known=["icu/1"])
    ward.executes(RemoveFromService(*BED))
    ward.begins()
    assert ward.wait(10**6) == []
    ward.registry.end_stream("icu/1", START)
    ward.begins()
    assert not ward.status().is_annunciated
    ward.executes(ReturnToService(*BED))
    assert ward.status().is_annunciated


def test_what_somebody_shelved_is_forgotten_with_the_patient():
    ward = Ward(known=["icu/1"])
    ward.begins()
    ward.executes(Shelve(*BED, for_s=600))
    assert [e.transition for e in ward.registry.end_stream("icu/1", START)] == ["end"]
    ward.begins()
    assert ward.status().is_annunciated


def test_what_nobody_watches_any_more_is_taken_from_the_shelf():
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
    ("technical", "quiet"),
    [
        (["hr-absent"], {"hr-high"}),
        (["hr-absent", "spo2-absent"], {"hr-high", "spo2-low", "hr-and-spo2"}),
        (["silent"], {"hr-high", "spo2-low", "hr-and-spo2", "odd"}),
    ],
)
def test_a_technical_alarm_keeps_its_channels_others_quiet(technical, quiet):
    ward = Ward(
        HR, ABSENT, SPO2, BOTH, ODD, SILENT, policy("spo2-absent", category=Category.TECHNICAL, channels=("spo2",))
    )
    for alarm in technical:
        ward.begins(alarm)
    for alarm in ("hr-high", "spo2-low", "hr-and-spo2", "odd"):
        assert ward.begins(alarm) == [("raise", alarm)]
        assert ward.begins(alarm, "icu/2") == [("raise", alarm)]
        assert ward.status(alarm).is_annunciated is (alarm not in quiet)
        assert ward.status(alarm, "icu/2").is_annunciated
    if "hr-high" in quiet:
        assert "icu/1/hr-absent" in ward.status().suppressed_by or "icu/1/silent" in ward.status().suppressed_by
    released = [alarm for name in technical for what, alarm in ward.ceases(name) if what == "unsuppress"]
    assert set(released) == quiet
    assert all(ward.status(alarm).is_annunciated for alarm in quiet)


def test_what_was_up_before_stays_up():
    ward = Ward(HR, ABSENT)
    ward.begins()
    assert ward.begins("hr-absent") == [("raise", "hr-absent")]
    assert ward.status().is_annunciated


def test_somebody_is_told_of_something():
    """A technical alarm that is put aside keeps nothing else quiet."""
    ward = Ward(HR, ABSENT)
    ward.begins("hr-absent")
    ward.begins()
    assert ward.executes(Shelve("icu/1", "hr-absent", 60)) == [("shelve", "hr-absent"), ("unsuppress", "hr-high")]
    assert ward.status().is_annunciated


def test_an_acknowledged_technical_alarm_still_keeps_quiet():
    ward = Ward(HR, ABSENT)
    ward.begins("hr-absent")
    ward.acknowledge("hr-absent")
    ward.begins()
    assert not ward.status().is_annunciated


def test_nobody_saw_what_was_kept_quiet_so_it_waits():
    ward = Ward(policy(on_clear=OnClear.ACKNOWLEDGE), ABSENT)
    ward.begins("hr-absent")
    ward.begins()
    ward.ceases()
    assert not ward.status().is_annunciated
    ward.ceases("hr-absent")
    assert ward.status().is_annunciated
    assert ward.state() == "returned"


def test_a_named_alarm_keeps_others_quiet_where_labels_are_equal():
    power = policy("power-lost", Priority.HIGH, channels=("mains",), inhibits=(Inhibition("hr-*", ("ward", "room")),))
    ward = Ward(power, policy(), SPO2)
    ward.begins("power-lost", "plant/1", labels={"ward": "icu", "room": "1"})
    for stream, labels, quiet in (
        ("icu/1", {"ward": "icu", "room": "1"}, True),
        ("icu/2", {"ward": "icu", "room": "2"}, False),
        ("icu/3", {"ward": "icu"}, False),  # what is unknown is equal to nothing
    ):
        ward.begins(stream=stream, labels=labels)
        assert ward.status(stream=stream).is_annunciated is not quiet
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


def test_a_flood_is_told_as_one_and_logged_as_many():
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


def test_a_flood_spares_other_groups_and_what_is_to_be_spared():
    ward = flooded()
    ward.begins(stream="er/1", labels={"ward": "er"})
    assert ward.status(stream="er/1").is_annunciated
    ward.begins("asystole", "icu/1", labels={"ward": "icu"})
    assert ward.status("asystole", "icu/1").is_annunciated


def test_a_flood_ends_when_it_has_become_quiet_and_tells_what_is_still_there():
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


def test_what_is_shelved_makes_no_flood():
    ward = Ward(grouping=FLOODS, known=[f"icu/{bed}" for bed in range(20)])
    for bed in range(20):
        ward.executes(Shelve(f"icu/{bed}", "hr-high", 60))
        ward.begins(stream=f"icu/{bed}", labels={"ward": "icu"})
    assert not any(event.alarm == "flood" for event in ward.events)
