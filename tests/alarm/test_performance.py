"""Figures of an alarm system, on logs small enough to count by hand."""

from __future__ import annotations

import pytest

from tocsin.alarm import Transition
from tocsin.alarm.performance import LogRow, report
from tocsin.engine.events import Priority

S = 1_000_000_000
MIN = 60 * S
DAY = 86_400 * S
BEGIN = 1_764_000_000 * S


class Log:
    """Rows as the register would log them; times in seconds from the beginning."""

    def __init__(self):
        self.rows = []
        self.occurrences = 0

    def add(self, at, transition, occurrence, *, annunciated=True, alarm="hr-high", stream="icu/1", **more):
        given = {"group": "", "priority": Priority.MEDIUM}
        at = BEGIN + round(at * S)
        self.rows.append(
            LogRow(
                stream=stream,
                alarm=alarm,
                transition=transition,
                at=at,
                occurrence=occurrence,
                annunciated=annunciated,
                **given | more,
            )
        )  # fmt: skip

    def up(self, at, until=None, *, annunciated=True, acknowledged=None, **more):
        """An occurrence; its number."""
        self.occurrences += 1
        number = self.occurrences
        self.add(at, Transition.RAISE, number, annunciated=annunciated, **more)
        if acknowledged is not None:
            self.add(acknowledged, Transition.ACKNOWLEDGE, number, annunciated=annunciated, actor="joy", **more)
        if until is not None:
            self.add(until, Transition.CLEAR, number, annunciated=False, **more)
        return number

    def figures(self, days=1.0, operators=1):
        rows = sorted(self.rows, key=lambda row: row.at)
        self.report = report(rows, BEGIN, BEGIN + round(days * DAY), operators)
        return {figure.name: figure for figure in self.report.figures}


def test_an_empty_log_has_no_shares_and_meets_what_it_can():
    log = Log()
    figures = log.figures()
    assert figures["alarms per operator and 10 minutes"].value == 0
    assert figures["priority high"].value is None
    assert figures["priority high"].is_met is None
    assert not [name for name, figure in figures.items() if figure.is_met is False]
    assert log.report.periods == {0: 144}


def test_rate_and_periods_are_counted_in_whole_ten_minutes():
    log = Log()
    for i in range(12):
        log.up(60 + i, 70 + i)
    log.up(1300, 1310)
    figures = log.figures()
    rate = figures["alarms per operator and 10 minutes"]
    assert (rate.value, rate.is_met, rate.target) == (pytest.approx(13 / 144), True, "1, at most 2")
    assert log.report.periods == {0: 142, 1: 1, 12: 1}
    crowded = figures["10-minute periods with more than 10"]
    assert (crowded.value, crowded.is_met) == (pytest.approx(100 / 144), True)
    assert (figures["most in any 10 minutes"].value, figures["most in any 10 minutes"].is_met) == (12, False)
    # Two share the load: six each, and no period is too much.
    figures = log.figures(operators=2)
    assert figures["10-minute periods with more than 10"].value == 0
    assert figures["most in any 10 minutes"].value == 6


def test_a_flood_begins_with_the_eleventh_and_ends_when_fewer_than_five_are_left():
    log = Log()
    for i in range(12):  # at 0, 10, …, 110 s
        log.up(10 * i, 10 * i + 5, alarm=f"a{i}")
    log.up(650, 660)  # the first seven have left the ten minutes by then
    log.figures()
    (flood,) = log.report.floods
    assert flood.begin == BEGIN + 100 * S
    # At 650 s there are 60…110 s and this one: 7. 90 s leaves at 690 s: 100, 110, 650 s are left. 80 s: at 680 s, 4.
    assert flood.end == BEGIN + 680 * S
    assert flood.alarms == 13


def test_a_flood_at_the_end_ends_with_the_report():
    log = Log()
    for i in range(11):
        log.up(86_400 - 60 + i)
    figures = log.figures()
    (flood,) = log.report.floods
    assert flood.end == BEGIN + DAY
    assert figures["time in a flood"].value == pytest.approx(100 * 50 / 86_400)


def test_an_alarm_is_no_load_until_it_is_annunciated():
    log = Log()
    shelved = log.up(0, annunciated=False)
    log.figures()
    assert log.report.alarms == 0
    log.add(500, Transition.UNSHELVE, shelved, annunciated=True)
    log.figures()
    assert log.report.alarms == 1


def test_groups_have_loads_of_their_own():
    log = Log()
    for i in range(8):
        log.up(i, i + 1, group="icu")
        log.up(i, i + 1, group="ward")
    figures = log.figures()
    assert log.report.groups == ["icu", "ward"]
    assert log.report.periods == {0: 286, 8: 2}
    assert figures["10-minute periods with more than 10"].value == 0
    assert log.report.floods == []


def test_top_ten_and_priorities():
    log = Log()
    for i in range(10):
        log.up(i * 700, i * 700 + 60, priority=Priority.LOW, alarm="often")
    for i in range(10):
        log.up(i * 700 + 100, i * 700 + 160, priority=Priority.LOW, alarm=f"a{i}")
    log.up(10_000, 10_060, priority=Priority.HIGH, alarm="rare", stream="icu/2")
    figures = log.figures()
    assert log.report.top[0] == ("icu/1", "often", 10)
    assert len(log.report.top) == 10
    assert figures["load of the ten most frequent alarms"].value == pytest.approx(100 * 19 / 21)
    assert figures["load of the ten most frequent alarms"].is_met is False
    assert figures["priority high"].value == pytest.approx(100 / 21)
    assert (figures["priority high"].is_met, figures["priority low"].is_met) == (True, None)


def test_stale_is_what_stands_for_more_than_a_day_counted_by_day():
    log = Log()
    log.up(-3600, alarm="since-before")  # stale from 23 h on, and to the end
    log.up(100, 90_000, alarm="a-day-and-an-hour")  # stale from 100 s of the second day on
    log.up(100, 86_000, alarm="not-quite")
    figures = log.figures(days=3)
    assert figures["stale alarms, most on a day"].value == 2
    assert log.report.stale == [("icu/1", "since-before"), ("icu/1", "a-day-and-an-hour")]
    assert log.report.alarms == 2  # the one from before is no load of these days


def test_chattering_fleeting_and_reasons_are_counted_as_logged():
    log = Log()
    one = log.up(0, alarm="a")
    log.add(5, Transition.CLEAR, one, annunciated=False, alarm="a", fleeting=True)
    for at in (20, 9000):
        log.add(at, Transition.CHATTER, None, alarm="b")
    log.add(30, Transition.SHELVE, None, actor="joy", comment="washing")
    log.add(40, Transition.SHELVE, None)  # the configuration's doing
    figures = log.figures()
    assert (figures["fleeting alarms"].value, figures["fleeting alarms"].is_met) == (1, False)
    assert (figures["chattering alarms"].value, figures["chattering alarms"].detail) == (1, "icu/1/b 2 times")
    assert figures["people's suppressions without a reason"].value == 0
    log.add(50, Transition.REMOVE_FROM_SERVICE, None, actor="joy")
    assert log.figures()["people's suppressions without a reason"].is_met is False


def test_time_to_acknowledge_and_what_was_marked():
    log = Log()
    for seconds in (10, 20, 30):
        log.up(seconds * 100, seconds * 100 + 500, acknowledged=seconds * 100 + seconds)
    never = log.up(50_000, 50_010)
    log.add(60_000, Transition.MARK, never, annunciated=False, actor="joy", verdict=True)
    log.add(60_001, Transition.MARK, never, annunciated=False, actor="joy", verdict=False)  # the last word counts
    log.add(60_002, Transition.MARK, 1, annunciated=False, actor="joy", verdict=True)
    figures = log.figures()
    assert log.report.response_s[Priority.MEDIUM] == [10, 20, 30]
    assert figures["time to acknowledge, medium, median"].value == 20
    assert figures["time to acknowledge, high, median"].value is None
    assert figures["acknowledged"].value == 75
    assert figures["marked false, of what was marked"].value == 50
    assert log.report.alarms == 4  # a later mark is no annunciation


def test_a_time_without_length_is_refused():
    with pytest.raises(ValueError, match="the end must come after the beginning"):
        report([], BEGIN, BEGIN)
