"""Parsing of requests by the dataclasses of commands and queries."""

from __future__ import annotations

import dataclasses
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.alarm.commands import COMMANDS, Shelve
from tocsin.api import VERBS, RequestError, read, read_text
from tocsin.api.queries import History
from tocsin.engine.lifecycle.commands import Standby

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def test_every_command_of_alarms_has_a_verb_with_its_fields():
    for name, command in COMMANDS.items():
        fields = {field.name for field in dataclasses.fields(command)}
        assert set(VERBS[name].body.__struct_fields__) == fields | {"actor", "comment", "transaction"}
        assert VERBS[name].summary.endswith(".")


def test_a_request_becomes_its_command():
    request = read(VERBS["shelve"], b'{"stream": "a/b", "alarm": "c", "for_s": 60, "actor": "joy", "transaction": "7"}')
    assert request.operation == Shelve("a/b", "c", for_s=60.0, once=False)
    assert (request.actor, request.comment, request.transaction) == ("joy", None, "7")


def test_times_are_iso_8601_outside_and_exact_inside():
    request = read(VERBS["standby"], b'{"stream": "a", "until": "2026-01-01T02:00:00.000001+02:00", "actor": "joy"}')
    assert request.operation == Standby("a", until=1_767_225_600_000_001_000)
    for wrong in (b'"2026-01-01T00:00:00"', b"1767225600", b'"soon"'):
        with pytest.raises(RequestError, match=r"^standby: .*until"):
            read(VERBS["standby"], b'{"stream": "a", "actor": "joy", "until": ' + wrong + b"}")


@pytest.mark.parametrize("year", ["0001", "1969", "2200", "9999"])
def test_a_time_out_of_range_is_refused(year):
    for verb, rest in (("standby", b'"stream": "a", "actor": "joy", "until"'), ("history", b'"since"')):
        body = b"{" + rest + b': "' + year.encode() + b'-06-01T00:00:00Z"}'
        with pytest.raises(RequestError, match=rf"{year}-06-01.* is out of range \(legal: from 1970, before 2200\)"):
            read(VERBS[verb], body)


@pytest.mark.parametrize("number", [-1, 2**63, 10**30])
def test_a_number_that_no_event_can_have_is_refused(number):
    fields = b'"stream": "a", "alarm": "b", "actor": "joy", "occurrence"'
    for verb, rest in (("acknowledge", fields), ("history", b'"before"'), ("stream-history", b'"before"')):
        with pytest.raises(RequestError, match=r"Expected `int`|out of range"):
            read(VERBS[verb], b"{" + rest + b": %d}" % number)


def test_a_query_string_gives_the_same_request():
    values = {"limit": "5", "since": "2026-01-01T00:00:00Z", "priority": "high", "labels": {"ward": "icu"}}
    assert read_text(VERBS["history"], values).operation == History(
        limit=5, since=1_767_225_600 * 10**9, priority="high", labels={"ward": "icu"}
    )


def test_an_error_names_the_field_the_legal_ones_and_the_transaction():
    with pytest.raises(RequestError) as raised:
        read(VERBS["reset"], b'{"stream": "a", "alarm": "b", "actor": "joy", "force": true, "transaction": "7"}')
    assert str(raised.value) == "reset: there is no field `force` (fields: stream, alarm, actor, comment, transaction)"
    assert (raised.value.code, raised.value.transaction) == ("malformed", "7")


@pytest.mark.parametrize(
    "name", ["", "/", "a/", "/a", "a//b", "+", "a/#", "a\n", "a\u0000", "\ud7ff\ufdd0", "x" * 257, "a/" * 600]
)
def test_a_name_that_nothing_can_be_published_under_is_refused(name):
    body = msgspec.json.encode({"stream": name, "actor": "joy"})
    with pytest.raises(RequestError, match="can't be a stream's name"):
        read(VERBS["admit"], body)


@given(st.sampled_from(sorted(VERBS)), st.dictionaries(st.text(max_size=12), anything, max_size=6))
def test_every_json_object_is_parsed_or_refused(name, body):
    known = {field: body.pop(field) for field in list(body) if field not in VERBS[name].body.__struct_fields__}
    for content in (body, body | known, {**body, "stream": "a", "alarm": "b", "actor": "joy"}):
        try:
            request = read(VERBS[name], msgspec.json.encode(content))
        except RequestError:
            continue
        assert type(request.operation) is VERBS[name].operation


@given(st.binary(max_size=64))
def test_all_bytes_are_parsed_or_refused(body):
    for verb in (VERBS["list"], VERBS["acknowledge"]):
        with suppress(RequestError):
            read(verb, body)


ENVELOPE = {"actor", "comment", "transaction"}
FIELDS = {
    "acknowledge": "stream alarm occurrence",
    "acknowledge-group": "labels",
    "reset": "stream alarm",
    "shelve": "stream alarm for_s once",
    "unshelve": "stream alarm",
    "remove-from-service": "stream alarm",
    "return-to-service": "stream alarm",
    "annotate": "stream alarm occurrence",
    "mark": "stream alarm verdict occurrence",
    "test": "stream",
    "admit": "stream labels profile",
    "discharge": "stream",
    "transfer": "stream to",
    "standby": "stream until",
    "resume": "stream",
    "reset-stream": "stream",
    "set-limit": "stream alarm limit",
    "set-profile": "stream values",
    "import-stream": "stream memory",
}


def test_every_command_has_the_fields_that_clients_send_and_the_log_keeps():
    """The log of commands and the digests of transactions hold them too: a renamed attribute is a change of the API."""
    found = {
        verb.name: " ".join(name for name in verb.body.__struct_fields__ if name not in ENVELOPE)
        for verb in VERBS.values()
        if verb.changes
    }
    assert found == FIELDS
