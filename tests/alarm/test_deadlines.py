"""Deadlines of alarms: escalation, reminders, re-alarm, deferred clears, chattering, stale alarms."""

from __future__ import annotations

from alarm_ward import START, S, Ward, policy

from tocsin.alarm import AlarmPolicies, Escalation, OnClear
from tocsin.alarm.commands import Shelve, Unshelve
from tocsin.engine.events import Priority

DAY = 86_400


def at(events):
    return [(event.transition.value, (event.t - START) // S) for event in events]


def test_the_priority_rises_while_an_alarm_is_unacknowledged():
    steps = (Escalation(60 * S, Priority.MEDIUM), Escalation(120 * S, Priority.HIGH))
    ward = Ward(policy(priority=Priority.LOW, escalate=steps))
    ward.begins()
    assert ward.wait(59) == []
    ward.wait(10)
    assert ward.status().priority == "medium"
    ward.acknowledge()
    assert ward.wait(600) == []
    ward.ceases()
    assert ward.status().priority == "low"
    ward.begins()
    ward.wait(130)
    assert at(ward.events[-2:]) == [("escalate", 669 + 60), ("escalate", 669 + 120)]
    assert ward.status().priority == "high"


def test_an_alarm_that_is_not_annunciated_does_not_escalate():
    ward = Ward(policy(escalate=(Escalation(60 * S, Priority.HIGH),)))
    ward.begins()
    ward.wait(50)
    ward.executes(Shelve("icu/1", "hr-high", 1000))
    ward.wait(500)
    ward.executes(Unshelve("icu/1", "hr-high"))
    assert ward.wait(59) == []
    assert ward.wait(1) == [("escalate", "hr-high")]


def test_reminders_come_until_the_alarm_is_acknowledged():
    ward = Ward(policy(remind_ns=30 * S, on_clear=OnClear.ACKNOWLEDGE))
    ward.begins()
    ward.wait(30)
    ward.ceases()
    ward.wait(95)  # three have fallen due: one is enough
    assert at(ward.events[-1:]) == [("remind", 120)]
    ward.acknowledge()
    assert ward.wait(600) == []


def test_an_acknowledged_alarm_that_stays_active_becomes_unacknowledged_again():
    ward = Ward(policy(re_alarm_ns=600 * S))
    ward.begins()
    ward.wait(100)
    ward.acknowledge()
    assert ward.wait(599) == []
    assert ward.wait(1) == [("re-alarm", "hr-high")]
    status = ward.status()
    assert (status.state, status.acknowledged_by) == ("unacknowledged", None)
    assert status.occurrence == 1


def test_a_shelving_keeps_the_acknowledgement_however_long():
    ward = Ward(policy(re_alarm_ns=600 * S))
    ward.begins()
    ward.acknowledge()
    ward.executes(Shelve("icu/1", "hr-high", 3600))
    ward.wait(3600)
    assert ward.state() == "acknowledged"
    assert ward.wait(599) == []
    assert ward.wait(1) == [("re-alarm", "hr-high")]


def test_a_day_old_alarm_is_stale():
    ward = Ward()
    ward.begins()
    ward.acknowledge()
    assert ward.wait(DAY - 1) == []
    assert ward.wait(1) == [("stale", "hr-high")]
    assert ward.status().stale
    assert ward.wait(DAY) == []
    ward.ceases()
    assert not ward.status().stale


def cycles(ward, count, *, every=20):
    found = []
    for _ in range(count):
        found += ward.begins()
        ward.now += every / 2
        found += ward.ceases()
        ward.now += every / 2
    return [transition for transition, _ in found]


def test_three_cycles_in_a_minute_are_chattering_and_only_marked_by_default():
    ward = Ward()
    assert cycles(ward, 3) == ["raise", "clear", "raise", "clear", "raise", "chatter", "clear"]
    assert ward.status().chattering
    assert ward.wait(500) == []
    assert ward.wait(100) == [("calm", "hr-high")]
    assert not ward.status().chattering


def test_slower_cycles_are_none():
    assert "chatter" not in cycles(Ward(), 6, every=31)


def test_a_chattering_alarm_is_shelved():
    ward = Ward(policy(chatter_shelve_ns=300 * S))
    assert cycles(ward, 3)[-3:] == ["chatter", "shelve", "clear"]
    ward.begins()
    status = ward.status()
    assert not status.is_annunciated
    assert status.shelved.by == "tocsin"
    ward.wait(300)
    assert ward.status().is_annunciated


def test_a_chattering_alarms_clears_are_deferred():
    ward = Ward(policy(chatter_off_delay_ns=30 * S))
    assert cycles(ward, 8) == ["raise", "clear", "raise", "clear", "raise", "chatter"]
    occurrence = ward.status().occurrence
    assert ward.status().active
    assert ward.wait(19) == []
    assert ward.wait(1) == [("clear", "hr-high")]
    cleared = ward.events[-1]
    assert cleared.occurrence == occurrence
    assert at([cleared]) == [("clear", 8 * 20 - 10 + 30)]


def test_a_deferred_clear_takes_effect_by_the_readings_clock_if_that_is_sooner():
    ward = Ward(policy(chatter_off_delay_ns=30 * S))
    cycles(ward, 3)
    assert ward.begins(t=50 + 30) == [("clear", "hr-high"), ("raise", "hr-high")]
    assert at(ward.events[-2:]) == [("clear", 80), ("raise", 80)]


def test_an_alarm_that_is_active_for_seconds_is_fleeting():
    ward = Ward()
    ward.begins()
    ward.now += 5
    ward.ceases()
    assert ward.events[-1].fleeting
    ward.now += 30
    ward.begins()
    ward.now += 5
    ward.ceases()
    assert not ward.events[-1].fleeting  # it repeats
    ward.now += 300
    ward.begins()
    ward.now += 10
    ward.ceases()
    assert not ward.events[-1].fleeting


def test_the_first_of_a_burst_is_marked():
    ward = Ward(policy(), policy("spo2-low"), policy("odd"))
    ward.begins("spo2-low")
    ward.begins("hr-high")
    ward.begins("odd", "icu/2")
    assert [event.status.first_up for event in ward.events] == [True, False, True]
    ward.acknowledge("spo2-low")
    ward.acknowledge("hr-high")
    ward.begins("odd")
    assert ward.status("odd").first_up  # nothing was waiting any more


def test_a_link_that_drops_never_clears():
    ward = Ward(policy(on_clear=OnClear.LATCH))
    ward.begins()
    ward.kind("uncertain")
    assert ward.status().uncertain
    assert ward.status().is_annunciated
    ward.acknowledge()
    assert ward.state() == "acknowledged"
    assert ward.status().uncertain
    ward.kind("certain")
    assert not ward.status().uncertain


def test_a_restart_raises_no_alarm_again_and_loses_none():
    ward = Ward(policy(escalate=(Escalation(60 * S, Priority.HIGH),)), policy("spo2-low"))
    ward.begins()
    ward.begins("spo2-low")
    ward.acknowledge("spo2-low")
    kept = ward.registry.export("1.0.0")
    again = Ward(*ward.policies.values())
    again.registry.restore(kept)
    assert again.registry.statuses == ward.registry.statuses
    again.now = 30
    assert again.begins() == []  # the engine has started anew
    assert again.begins("spo2-low") == []
    assert again.state("spo2-low") == "acknowledged"
    assert again.wait(30) == [("escalate", "hr-high")]
    assert again.events[-1].id == ward.events[-1].id + 1


def test_a_new_configuration_keeps_alarms_and_ends_those_that_it_lacks():
    ward = Ward(policy(), policy("spo2-low", on_clear=OnClear.LATCH))
    ward.begins()
    ward.acknowledge()
    ward.begins("spo2-low")
    ward.ceases("spo2-low")
    events = ward.registry.reconfigure(AlarmPolicies([policy(re_alarm_ns=60 * S)]), START)
    assert [(e.transition, e.alarm) for e in events] == [("end", "spo2-low")]
    assert "configuration" in events[0].report.reason
    assert ward.state() == "acknowledged"
    assert ward.wait(60) == [("re-alarm", "hr-high")]
