"""Commands for alarms, and their refusals."""

from __future__ import annotations

import math

import pytest
from alarm_ward import START, Ward, policy

from tocsin.alarm import OnClear, Refused
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
from tocsin.alarm.serialization import decode_alarms
from tocsin.engine.events import Category

BED = "icu/1", "hr-high"


@pytest.fixture
def ward():
    made = Ward(policy(on_clear=OnClear.ACKNOWLEDGE), policy("spo2-low", channels=("spo2",)), known=["icu/1", "icu/2"])
    made.begins()
    return made


def test_an_event_has_the_actor_the_reason_and_the_transaction(ward):
    ward.now += 5
    assert ward.executes(Acknowledge(*BED), by="nurse Joy", why="turned him", transaction="a1") == [
        ("acknowledge", "hr-high")
    ]
    event = ward.events[-1]
    assert (event.actor, event.comment, event.transaction) == ("nurse Joy", "turned him", "a1")
    assert event.t == event.raised_at == START + 5 * 10**9
    assert event.report.reason == "hr-high active"
    assert (event.status.acknowledged_by, event.status.acknowledged_at) == ("nurse Joy", event.t)


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        (Acknowledge("icu/9", "hr-high"), "unknown-alarm", "'icu/9/hr-high': .*no such stream is known"),
        (Acknowledge("icu/1", "hr"), "unknown-alarm", "'icu/1/hr': .*its alarms: hr-high, spo2-low"),
        (Acknowledge(*BED, occurrence=7), "other-occurrence", "occurrence 7 is not the present one .legal: 1"),
        (Reset(*BED), "illegal", "cannot reset while unacknowledged .legal: acknowledge, shelve"),
        (Unshelve(*BED), "illegal", "cannot unshelve as it is not shelved"),
        (ReturnToService(*BED), "illegal", "cannot return-to-service as it is in .*legal: .*remove-from-service"),
        (Shelve(*BED, for_s=0), "illegal-value", "cannot shelve for 0 s .legal: more than 0, at most 86400"),
        (Shelve(*BED, for_s=math.inf), "illegal-value", "for inf s"),
        (Mark(*BED, Verdict.FALSE, occurrence=2), "other-occurrence", "no occurrence 2 .its last one is 1"),
        (Annotate("icu/1", "spo2-low"), "illegal", "cannot annotate as it has never been raised"),
        (AcknowledgeGroup({}), "illegal-value", "no label is given"),
        (Test("a/#"), "illegal-value", "'a/#' can't name a stream"),
    ],
)
def test_an_illegal_command_is_refused_and_changes_nothing(ward, command, code, text):
    before = ward.registry.export("1.0.0")
    with pytest.raises(Refused, match=text) as refused:
        ward.executes(command)
    assert refused.value.code == code
    assert ward.registry.export("1.0.0") == before


@pytest.mark.parametrize("command", [Shelve(*BED, for_s=60), RemoveFromService(*BED), Annotate(*BED)])
@pytest.mark.parametrize("why", [None, "", "  "])
def test_suppressing_an_alarm_takes_a_reason(ward, command, why):
    with pytest.raises(Refused, match="there is no reason") as refused:
        ward.executes(command, why=why)
    assert refused.value.code == "missing-reason"


def test_a_command_without_an_actor_is_refused(ward):
    with pytest.raises(Refused, match="there is no actor"):
        ward.executes(Acknowledge(*BED), by=" ")


def test_acknowledging_an_acknowledged_alarm_changes_nothing(ward):
    ward.acknowledge()
    assert ward.acknowledge() == []
    ward.ceases()
    assert ward.acknowledge() == []
    assert ward.acknowledge(occurrence=1) == []


def test_an_acknowledgement_of_the_last_occurrence_does_not_touch_the_present_one(ward):
    ward.ceases()
    ward.begins()
    with pytest.raises(Refused, match=r"occurrence 1 is not the present one \(legal: 3"):
        ward.acknowledge(occurrence=1)
    assert ward.state() == "unacknowledged"


def test_a_transaction_acts_once(ward):
    first = ward.executes(Acknowledge(*BED), transaction="x")
    ward.ceases()
    ward.begins()
    assert ward.executes(Acknowledge(*BED), transaction="x") == first
    assert ward.state() == "unacknowledged"
    with pytest.raises(Refused, match="'x' was another command") as refused:
        ward.executes(Shelve(*BED, for_s=60), transaction="x")
    assert refused.value.code == "other-command"


def test_a_thousand_transactions_are_kept(ward):
    for i in range(1001):
        ward.executes(Annotate(*BED), transaction=str(i))
    assert len(decode_alarms(ward.registry.export("1.0.0")).transactions) == 1000
    count = len(decode_alarms(ward.registry.export("1.0.0")).records)
    ward.executes(Annotate(*BED), transaction="1000")
    assert len(decode_alarms(ward.registry.export("1.0.0")).records) == count


def test_a_group_is_acknowledged_but_for_alarms_that_are_not_visible(ward):
    for bed, its in (("icu/2", {"ward": "icu"}), ("icu/3", {"ward": "icu"}), ("er/1", {"ward": "er"})):
        ward.begins(stream=bed, labels=its)
    ward.executes(Shelve("icu/3", "hr-high", 60))
    assert ward.executes(AcknowledgeGroup({"ward": "icu"})) == [("acknowledge", "hr-high")]
    assert ward.state(stream="icu/2") == "acknowledged"
    assert ward.state(stream="icu/3") == ward.state(stream="er/1") == "unacknowledged"
    assert ward.executes(AcknowledgeGroup({"stream": "er/1"})) == [("acknowledge", "hr-high")]


def test_remarks_concern_an_occurrence_beyond_its_end(ward):
    ward.acknowledge()
    ward.ceases()
    assert ward.executes(Mark(*BED, Verdict.FALSE), why=None) == [("mark", "hr-high")]
    event = ward.events[-1]
    assert (event.verdict, event.occurrence, event.since) == ("false", 1, START)
    assert event.status.state == "normal"
    ward.executes(Annotate(*BED, occurrence=1), why="probe had slipped")
    assert ward.events[-1].comment == "probe had slipped"


def test_an_alarm_that_was_never_raised_can_be_shelved(ward):
    ward.executes(Shelve("icu/2", "spo2-low", 60))
    assert ward.begins("spo2-low", "icu/2") == [("raise", "spo2-low")]
    assert not ward.status("spo2-low", "icu/2").is_annunciated


def test_a_test_is_raised_and_clears_by_itself_and_counts_nowhere(ward):
    before = ward.registry.counts()
    assert ward.executes(Test()) == [("raise", "tocsin-test")]
    assert ward.registry.counts() == before
    assert sum(ward.registry.alarm_counts().states.values()) == 1
    with pytest.raises(Refused, match="a test is running"):
        ward.executes(Test())
    assert ward.wait(9) == []
    assert ward.wait(1) == [("clear", "tocsin-test")]
    raised, cleared = ward.events[-2:]
    assert raised.test
    assert cleared.test
    assert (raised.actor, cleared.actor) == ("nurse", None)
    assert cleared.occurrence == raised.id
    assert raised.category is Category.TECHNICAL
    assert ("tocsin/test", "tocsin-test") not in ward.registry.statuses


def test_a_test_under_a_beds_name_suppresses_none_of_its_alarms(ward):
    ward.executes(Test("icu/1"))
    ward.begins("spo2-low")
    assert ward.status("spo2-low").is_annunciated
