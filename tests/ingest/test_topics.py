from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest.topics import NameTemplate, StreamPattern, TopicTemplate


@pytest.mark.parametrize(
    ("template", "topic", "captures"),
    [
        ("vitals/{ward}/{bed}", "vitals/icu/bed-1", {"ward": "icu", "bed": "bed-1"}),
        ("{site}/pump/{n}/state", "berlin/pump/7/state", {"site": "berlin", "n": "7"}),
        ("plain", "plain", {}),
        ("vitals/{bed}", "vitals/bed 1", {"bed": "bed 1"}),
        ("vitals/{bed}", "vitals/Zimmer-ä", {"bed": "Zimmer-ä"}),
        ("vitals/{ward}/{bed}", "vitals/icu", None),
        ("vitals/{ward}/{bed}", "vitals/icu/bed-1/x", None),
        ("vitals/{ward}/{bed}", "Vitals/icu/bed-1", None),
        ("vitals/{bed}", "vitals/", None),
        ("vitals/{bed}", "vitals/a\x00b", None),
        ("vitals/{bed}", "vitals/a\nb", None),
        ("vitals/{bed}", "vitals/a+b", None),
        ("vitals/{bed}", "", None),
        ("vitals/{bed}", "vitals/" + "x" * 257, None),
    ],
)
def test_match(template, topic, captures):
    assert TopicTemplate(template).match(topic) == captures


def test_filter():
    assert TopicTemplate("a/{b}/c/{d}").filter == "a/+/c/+"
    assert TopicTemplate("a/b").filter == "a/b"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("", "is empty"),
        ("a//b", "has an empty level"),
        ("/a", "has an empty level"),
        ("a/+/b", r"level '\+' has a wildcard: write \{name\}"),
        ("a/#", "level '#' has a wildcard"),
        ("a/bed-{n}", "level 'bed-{n}' must be plain text or one whole"),
        ("a/{n", "must be plain text or one whole"),
        ("a/{}", "'' is no name"),
        ("a/{1n}", "'1n' is no name"),
        ("a/{n}/{n}", "{n} stands there 2 times"),
        ("a/b\x00", "has a control character"),
    ],
)
def test_a_wrong_template_is_refused_and_named(template, says):
    with pytest.raises(ValueError, match=says) as error:
        TopicTemplate(template)
    assert repr(template) in str(error.value)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("", "has an empty level"),
        ("{ward}/", "has an empty level"),
        ("{ward}/{room}", r"\{room\} is not in topic template 'vitals/\{ward\}/\{bed\}' \(it has: \{ward\}, \{bed\}\)"),
        ("{ward}+", "can't be in a stream's name"),
        ("{ward", "lone braces"),
        ("{ward}\n", "control characters"),
    ],
)
def test_a_wrong_pattern_is_refused_and_named(pattern, says):
    with pytest.raises(ValueError, match=says):
        StreamPattern(pattern, TopicTemplate("vitals/{ward}/{bed}"))


@pytest.mark.parametrize(
    ("pattern", "stream"),
    [("{ward}/{bed}", "icu/7"), ("{bed}", "7"), ("ward-{ward}.{bed}", "ward-icu.7"), ("all", "all")],
)
def test_stream(pattern, stream):
    assert StreamPattern(pattern, TopicTemplate("vitals/{ward}/{bed}")).stream({"ward": "icu", "bed": "7"}) == stream


@given(st.text())
def test_whatever_matches_can_be_part_of_a_topic_and_a_log(topic):
    captures = TopicTemplate("{a}/{b}").match(topic)
    if captures is not None:
        stream = StreamPattern("{b}/{a}", TopicTemplate("{a}/{b}")).stream(captures)
        assert stream.isprintable()
        assert not set("+#") & set(stream)
        assert all(stream.split("/"))
        assert stream.count("/") == 1


@pytest.mark.parametrize(
    ("template", "name", "captures"),
    [
        ("{channel}", "room/temp", {"channel": "room/temp"}),
        ("{room}/{channel}", "a/b", {"room": "a", "channel": "b"}),
        ("{room}/{channel}", "a/b/c", None),
        ("{room}/{channel}", "a", None),
        ("urn:{device}:{channel}", "urn:7:a:b", {"device": "7", "channel": "a:b"}),
        ("x.{channel}.value", "x.hr.value", {"channel": "hr"}),
        ("x.{channel}.value", "xxhr.value", None),
        ("{a}-{b}-{c}", "1-2-3", {"a": "1", "b": "2", "c": "3"}),
    ],
)
def test_names_inside_payloads(template, name, captures):
    assert NameTemplate(template).match(name) == captures


def test_a_long_name_takes_no_longer_than_it_has_characters():
    assert NameTemplate("{a}:{b}:{c}:{d};").match(":" * 60_000) is None
    assert NameTemplate("{a}:{b}:{c}:{d};").match("a:" * 30_000) is None
