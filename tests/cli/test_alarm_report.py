"""What `tocsin alarms report` and `labels` make of the alarm log."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import msgspec
import pytest
from alarm_events import event

from tocsin.alarm import Transition, Verdict
from tocsin.alarm.performance import LogRow, report
from tocsin.api.views import event_view
from tocsin.cli.alarms.page import page
from tocsin.cli.alarms.report import label_columns, rows
from tocsin.cli.tables import columns_of, write
from tocsin.engine.events import Priority

S = 1_000_000_000
START = 1_764_000_000 * S
DAY = 86_400 * S


def as_answered(*events):
    """As the HTTP interface gives them."""
    return [msgspec.json.decode(msgspec.json.encode(event_view(e))) for e in events]


def happened(transition, seconds, *, occurrence=1, **more):
    given = {"id": 1, "occurrence": occurrence, "since": START, "labels": {"ward": "icu"}}
    return event(transition, t=START + seconds * S, raised_at=START + seconds * S, **given | more)


def test_events_become_rows_by_group_and_without_tests():
    found = rows(
        as_answered(
            happened(Transition.RAISE, 0),
            happened(Transition.MARK, 60, actor="joy", comment="cold", verdict=Verdict.FALSE),
            happened(Transition.RAISE, 70, occurrence=9, test=True),
        ),
        "ward",
    )
    assert [(r.group, r.transition, r.at, r.occurrence, r.annunciated, r.verdict, r.comment) for r in found] == [
        ("icu", Transition.RAISE, START, 1, True, None, None),
        ("icu", Transition.MARK, START + 60 * S, 1, True, False, "cold"),
    ]
    assert {r.group for r in rows(as_answered(happened(Transition.RAISE, 0)), None)} == {""}


def test_labels_are_one_row_an_occurrence_by_the_last_word():
    labels = label_columns(
        as_answered(
            happened(Transition.RAISE, 0),
            happened(Transition.CLEAR, 40),
            happened(Transition.MARK, 50, actor="joy", verdict=Verdict.TRUE),
            happened(Transition.MARK, 60, actor="sam", comment="cold finger", verdict=Verdict.FALSE),
            happened(Transition.RAISE, 100, occurrence=4),
            happened(Transition.MARK, 110, occurrence=4, actor="sam", verdict=Verdict.TRUE),
            happened(Transition.RAISE, 200, occurrence=7),
        )
    )
    assert labels == {
        "stream": ["icu/1", "icu/1"],
        "begin": [1_764_000_000.0, 1_764_000_000.0],
        "end": [1_764_000_040.0, None],
        "label": [0, 1],
        "verdict": ["false", "true"],
        "alarm": ["desaturation", "desaturation"],
        "occurrence": [1, 4],
        "actor": ["sam", "sam"],
        "comment": ["cold finger", None],
    }


def test_tables_have_a_row_an_event(tmp_path):
    events = as_answered(happened(Transition.RAISE, 0), happened(Transition.CLEAR, 40))
    columns = columns_of(events)
    write(tmp_path / "a.csv", columns, as_parquet=False)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0].startswith("id,t,t_ns,raised_at,")
    assert len(lines) == 3
    pl = pytest.importorskip("polars")
    write(tmp_path / "a.parquet", columns, as_parquet=True)
    table = pl.read_parquet(tmp_path / "a.parquet")
    assert table["transition"].to_list() == ["raise", "clear"]
    assert table["labels"].to_list() == ['{"ward": "icu"}'] * 2


class Tags(HTMLParser):
    """Tags that were opened and not closed, those aside that HTML lets stand open."""

    OPEN = ("meta", "html", "br", "th", "tr", "td", "rect", "line", "polyline")

    def __init__(self):
        super().__init__()
        self.stack = []
        self.text = []

    def handle_starttag(self, tag, _attributes):
        if tag not in self.OPEN:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.OPEN:
            assert self.stack.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def written(*of):
    made = page(report(of, START, START + 2 * DAY), "The <last> days")
    tags = Tags()
    tags.feed(made)
    assert tags.stack == []
    assert not re.search(r"(src|href)=|https?://|nan|inf\b", made)  # it needs nothing beside it
    return made, " ".join(tags.text)


def test_the_page_stands_by_itself():
    raised = LogRow("", "icu/1", "<b>", Transition.RAISE, START + 60 * S, Priority.HIGH, 1, annunciated=True)
    seen = replace(raised, transition=Transition.ACKNOWLEDGE, at=raised.at + 90 * S, actor="joy")
    made, text = written(raised, seen)
    assert "<b>" not in made.replace("<body", "")
    assert "icu/1/<b>" in text
    assert "The <last> days, 2025-11-24 16:00 to 2025-11-26 16:00 UTC. 1 alarms were annunciated" in text
    assert made.count("<svg") == made.count("</svg>") == 6
    assert "1.5 min" in text


def test_a_page_of_nothing():
    _, text = written()
    assert "None was acknowledged." in text
    assert "None." in text
