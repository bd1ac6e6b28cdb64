"""Stored alarms, events and transactions: their keys, their format, and the migration of other formats."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import replace

import alarm_events
import msgspec
import pytest
from alarm_ward import Ward, policy

from tocsin.alarm import serialization, stored_forms
from tocsin.alarm.commands import Acknowledge, Shelve, Verdict
from tocsin.alarm.serialization import decode_alarms, decode_event, encode_event, stored_event, stored_record
from tocsin.engine.events import Evidence, Explanation, Frames, Report

KEYS = {
    "StoredShelving": "by reason until once",
    "StoredStatus": "active acknowledged latched uncertain priority occurrence since raised_at shelved suppressed_by "
    "out_of_service acknowledged_by acknowledged_at first_up chattering stale",
    "StoredEvidence": "channel unit value mean scale contribution",
    "StoredFrames": "channels period_ns tick x mask delta state mean scale",
    "StoredExplanation": "model sha256 threshold rising_since warm_up_ticks frames_seen state_since gap_ended gap_s "
    "reprocessed frames",
    "StoredReport": "reason score evidence model explanation",
    "StoredEvent": "id stream labels alarm watch category transition status occurrence since t raised_at reason score "
    "evidence model explanation actor comment transaction verdict fleeting announced test",
    "StoredClear": "t off_delay_ns until report",
    "StoredRecord": "stream alarm watch labels priority category kind status report last_occurrence last_since "
    "annunciated_since waiting_since reminded deferred_clear began_t cycles ceased_t changed_at ends_at",
    "StoredTransaction": "transaction verb digest events",
    "StoredAlarms": "format written_by last_id records floods transactions",
}
FRAMES = Frames(("hr",), 10**9, "AAAAAAAAAAA=", "AAAAAA==", "AQ==", "AAAAAA==", "AAAAAA==", "AAAAAA==", "AAAAAA==")
REPORT = Report(
    "score 2, threshold 1",
    score=2.0,
    evidence=(Evidence("hr", "/min", 131.0, 80.0, 1.5, 0.5),),
    model="ward/1 000000000000",
    explanation=Explanation("ward/1", "0" * 64, 1.0, 5, 15, 99, 1, 2, 3.5, 4, FRAMES),
)


def full_event():
    """An event in which no field has its default."""
    event = alarm_events.event(id=7, occurrence=7, labels={"ward": "icu"}, report=REPORT)
    status = replace(
        event.status,
        shelved=alarm_events.shelving(),
        suppressed_by=("icu/1/silent",),
        acknowledged=True,
        acknowledged_by="nurse",
        acknowledged_at=5,
        out_of_service=True,
        first_up=True,
        chattering=True,
        stale=True,
    )
    given = {"actor": "nurse", "comment": "seen", "transaction": "4711", "verdict": Verdict.FALSE, "fleeting": True}
    return replace(event, status=status, test=True, **given)


def ward_with_everything():
    """Alarms of which one has a deferred clear, one is shelved, and a transaction is kept."""
    ward = Ward(policy(chatter_off_delay_ns=60 * 10**9), policy("spo2-low"))
    for second in range(0, 30, 10):
        ward.now = second
        ward.begins()
        ward.now += 5
        ward.ceases()
    ward.begins("spo2-low")
    ward.executes(Shelve("icu/1", "spo2-low", 600), transaction="4711")
    ward.executes(Acknowledge("icu/1", "hr-high"))
    return ward


def forms():
    """The stored forms, by name."""
    return {
        name: form
        for name, form in vars(stored_forms).items()
        if inspect.isclass(form) and issubclass(form, msgspec.Struct) and form is not msgspec.Struct
    }


def test_every_stored_field_has_the_key_that_format_1_gave_it():
    found = {name: " ".join(form.__struct_encode_fields__) for name, form in forms().items()}
    assert found == KEYS
    assert serialization.FORMAT == 1


@pytest.mark.parametrize("name", KEYS)
def test_a_renamed_class_or_attribute_leaves_stored_bytes_as_they_are(name):
    form = forms()[name]
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(form))).body
    tree.name = "Renamed"
    for statement in tree.body:
        if isinstance(statement, ast.AnnAssign):
            statement.target.id += "_renamed"
    scope = dict(vars(stored_forms))
    exec(compile(ast.Module([tree], []), "renamed", "exec"), scope)  # noqa: S102  (our own source)
    count = len(form.__struct_fields__)
    before, after = form(*range(count)), scope["Renamed"](*range(count))
    assert msgspec.json.encode(after) == msgspec.json.encode(before)


def test_an_event_is_read_back_whole():
    event = full_event()
    assert decode_event(encode_event(event)) == event


def test_every_record_is_read_back_whole():
    ward = ward_with_everything()
    kept = Ward(*ward.policies.values()).registry
    kept.restore(ward.registry.export("1.0.0"))
    assert kept.records == ward.registry.records
    assert any(record.deferred_clear is not None for record in kept.records.values())
    assert kept.export("1.0.0") == ward.registry.export("1.0.0")


def test_alarms_of_an_older_format_are_migrated(monkeypatch):
    """A made-up format 0 that called the report `why`, and counted no reminders."""
    ward = ward_with_everything()
    data = msgspec.msgpack.decode(ward.registry.export("1.0.0"))
    data["format"] = 0
    for record in data["records"]:
        record["why"] = record.pop("report")
        del record["reminded"]

    def migrate(old):
        records = [{**record, "report": record["why"], "reminded": 0} for record in old["records"]]
        return {**old, "format": 1, "records": records}

    monkeypatch.setitem(serialization.MIGRATIONS, 0, migrate)
    again = Ward(*ward.policies.values()).registry
    again.restore(msgspec.msgpack.encode(data))
    assert again.records == ward.registry.records


def test_alarms_of_a_newer_format_are_refused_with_the_version_that_wrote_them():
    data = msgspec.msgpack.decode(Ward().registry.export("9.1.0"))
    with pytest.raises(ValueError, match=r"format 2 by Tocsin 9\.1\.0 \(legal: up to 1; remedy: run that version\)"):
        decode_alarms(msgspec.msgpack.encode({**data, "format": 2}))


@pytest.mark.parametrize("found", [0, -1, None, "1"])
def test_alarms_of_an_unknown_format_are_refused(found):
    data = msgspec.msgpack.decode(Ward().registry.export("1.0.0"))
    with pytest.raises(ValueError, match=r"\(legal: 1\)"):
        decode_alarms(msgspec.msgpack.encode({**data, "format": found}))


def test_the_stored_forms_have_the_fields_of_what_they_store():
    """A field that a stored form lacks would be lost without a word."""
    event, ward = full_event(), ward_with_everything()
    record = ward.registry.records["icu/1", "hr-high"]
    assert {*stored_record(record).__struct_fields__} == {*type(record).__slots__}
    flat = {*type(event).__slots__} - {"report"} | {*type(event.report).__slots__}
    assert {*stored_event(event).__struct_fields__} == flat
