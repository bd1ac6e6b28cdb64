"""An alarm's page: what a reader sees of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape

import alarm_events
import msgspec
import pytest
import toy_bundle
from counting_watch import START, S, alarm

from tocsin.alarm import Transition
from tocsin.bundle import load
from tocsin.cli.explain.page import page
from tocsin.cli.explain.record import ExplainedEvent
from tocsin.engine import Engine, FrameClock, Readings, Watch
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.frames.history import rescore
from tocsin.engine.model import Channel, ChannelKind
from tocsin.notify.mqtt_messages import alarm_transition

RED, YELLOW, GREY, VIOLET = "#c62828", "#fdf1cf", "#e2e2e2", "#8e24aa"
CALM = {"hr": 80.0, "spo2": 97.0}
ODD = {"hr": 141.0, "spo2": 97.0}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load(toy_bundle.write(tmp_path_factory.mktemp("toy") / "1", warm_up_ticks=8)).model


def written(model, readings, *, threshold=110, **changes):
    """The page of the alarm that the last of these readings, (seconds, values) each, raises."""
    clock = FrameClock(lateness_ns=0, frame_timeout_ns=0, reprocess_late_ticks=5)
    engine = Engine(Watch(model, [alarm("odd", ScoreAbove(threshold))], clock, 10, explain_ticks=20))
    for seconds, values in readings:
        t = START + seconds * S
        began = [c for c in engine.apply(Readings.of([("icu/1", t, values)]), t).events if c.kind == "active"]
    (change,) = began
    event = alarm_events.event(Transition.RAISE, stream="icu/1", alarm="odd", t=change.t, report=change.report)
    record = msgspec.convert(json.loads(alarm_transition("tocsin", event).payload) | changes, ExplainedEvent)
    return page(record, model, rescore(model, record.frames))


def pictures(made):
    """By heading, what stands below it."""
    _, *parts = re.split(r"<h2>(.*?)</h2>", made)
    return dict(zip(map(unescape, parts[::2]), parts[1::2], strict=True))


def boxes(picture, colour):
    """Where boxes of a colour are: from, to."""
    found = re.findall(rf"<rect x='([\d.]+)' y='[\d.]+' width='([\d.]+)' height='[\d.]+' fill='{colour}'", picture)
    return [(float(x), round(float(x) + float(width), 1)) for x, width in found]


def dots(picture):
    return [float(x) for x in re.findall(rf"<circle cx='([\d.]+)' cy='[\d.]+' r=[\d.]+ fill='{RED}'", picture)]


def test_channels_stand_by_what_they_added_each_inside_its_band(model):
    readings = [*((k, {"hr": 96.0, "spo2": 95.0}) for k in range(9)), (9, {"hr": 97.0, "spo2": 100.0})]
    made = written(model, readings, threshold=98)
    shown = pictures(made)
    assert list(shown) == [
        *("The last frame", "Legend"),
        *("score 98.5, threshold 98", "spo2, %", "hr, /min"),
    ]
    assert re.findall(r"<tr><td>(\w+)</td><td class='?([a-z ]+)'?>(.*?)</td>", shown["The last frame"]) == [
        ("spo2", "n missed", "100 %"),
        ("hr", "n", "97 /min"),
    ]
    assert "95 ± 1 %" in shown["The last frame"]
    assert shown["spo2, %"].count("<polygon") == shown["hr, /min"].count("<polygon") == 1
    assert (dots(shown["spo2, %"]), dots(shown["hr, /min"])) == ([710.0], [])


def test_the_score_is_drawn_against_its_threshold(model):
    score = pictures(written(model, [(k, CALM) for k in range(9)] + [(9, ODD)]))["score 119, threshold 110"]
    (at,) = re.findall(rf"<line x1=44 x2=720 y1='([\d.]+)' y2='\1' stroke='{RED}'", score)
    (line,) = re.findall(r"<polyline points='(.*?)'", score)
    *before, last = [float(point.split(",")[1]) for point in line.split()]
    assert min(before) > float(at) > last  # y grows downwards
    assert "threshold 110</text>" in score
    assert dots(score) == [710.0]


def test_it_says_which_alarm_why_by_which_model_and_when(model):
    made = written(model, [(k, CALM) for k in range(9)] + [(9, ODD)], reason="it is <odd>")
    assert "<h1>icu/1/odd  2023-11-14T22:13:29.000Z</h1><p>it is &lt;odd&gt;</p>" in made
    assert f"model toy/1, graph {model.sha256[:12]}" in made
    assert "score 119.0: equal to the bit" in made
    assert re.findall(r"<text x='[\d.]+' y=\d+ text-anchor=\w+>(−\d s|alarm)</text>", made)[:3] == [
        "alarm",
        "−2 s",
        "−4 s",
    ]
    assert not re.search(r"(src|href)=|https?://|nan|inf\b", made)  # it needs nothing beside it


def test_what_touched_the_state_is_marked(model):
    """A late reading for second 3, seconds 7 to 9 missing, eight frames of warm-up."""
    calm = {k: dict(CALM) for k in (0, 1, 2, 3, 4, 5, 6, 10, 11)}
    late = {"spo2": calm[3].pop("spo2")}
    readings = list(calm.items())
    made = written(model, [*readings[:5], (3, late), *readings[5:], (12, ODD)])
    shown = pictures(made)
    # The frames begin with the one that the late reading changed: seconds 3 to 12, from 44 to 710 across.
    for name in ("hr, /min", "spo2, %", "score 119, threshold 110"):
        assert boxes(shown[name], GREY) == [(303.0, 525.0)]  # 6.5 to 9.5
        assert boxes(shown[name], YELLOW) == [(44.0, 599.0)]  # 3 to 10.5
        assert f"<line x1='118.0' x2='118.0' y1=12 y2=174 stroke='{VIOLET}'" in shown[name]  # 4
        assert len(re.findall("<polyline [^>]*#1b1f24", shown[name])) == 2  # the line is broken
    legend = shown["Legend"]
    assert re.findall(r"<text[^>]*>(.*?)</text>", legend)[3:] == [
        "nothing was measured",
        "warm-up: the score is unknown",
        "the last frame that a late reading changed",
    ]
    assert "a late reading was put in at 2023-11-14T22:13:24.000Z" in made
    assert "last gap: 3 s, until 2023-11-14T22:13:30.000Z" in made


def test_a_page_of_an_undisturbed_stream_has_no_such_marks(model):
    made = written(model, [(k, CALM) for k in range(60)] + [(60, ODD)])
    assert not [colour for colour in (YELLOW, GREY, VIOLET) if colour in made]
    assert "warm-up: the score" not in made


def test_a_score_that_is_another_one_stands_out(model):
    made = written(model, [(k, CALM) for k in range(9)] + [(9, ODD)], score=150.0)
    assert "<p class=missed>score 119.0, but the alarm&#x27;s was 150.0; the computed score differs</p>" in made


def test_channels_that_were_not_measured_have_a_row_and_no_picture(model):
    shown = pictures(written(model, [(k, {"hr": 80.0}) for k in range(9)] + [(9, {"hr": 141.0})]))
    assert "<td>spo2</td><td class=n>not measured</td>" in shown["The last frame"]
    assert list(shown)[2:] == ["score 141, threshold 110", "hr, /min"]


def test_what_is_given_once_has_a_row_and_no_picture(model):
    age = Channel("spo2", "a", 0, 200, ChannelKind.STATIC)
    known = replace(model, channels=(model.channels[0], age))
    shown = pictures(written(known, [(k, CALM) for k in range(9)] + [(9, ODD)]))
    assert "<td>spo2</td><td class=n>97 a</td><td class=n></td>" in shown["The last frame"]
    assert list(shown)[2:] == ["score 119, threshold 110", "hr, /min"]
