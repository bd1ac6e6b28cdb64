from __future__ import annotations

import logging

from tocsin.ingest.reject import Reject, RejectReason
from tocsin.ingest.reject_log import RejectLog

S = 1_000_000_000


def reject(stream="icu/1", reason=RejectReason.NOT_JSON, count=1):
    return Reject(reason, f"vitals/{stream}", stream, "what was wrong", count)


def test_a_reason_and_stream_has_one_line_a_minute_that_says_how_many_more_there_were():
    log = RejectLog()
    assert log.lines([reject()] * 3, 1000 * S) == [
        "rejected (not_json) on vitals/icu/1 (stream icu/1): what was wrong",
    ]
    assert log.lines([reject()] * 5, 1059 * S) == []
    (line,) = log.lines([reject()], 1060 * S)
    assert line.endswith(": what was wrong; 7 more messages like it since the last line")
    (line,) = log.lines([reject(count=3)], 1120 * S)
    assert line.endswith(": what was wrong (3 times in this message)")


def test_other_streams_and_reasons_have_their_own():
    log = RejectLog()
    rejects = [reject(), reject("icu/2"), reject(reason=RejectReason.TIME), reject(None, RejectReason.TOPIC)]
    assert len(log.lines(rejects, S)) == 4
    assert log.lines(rejects, 2 * S) == []


def test_made_up_streams_fill_neither_the_log_nor_the_memory():
    log = RejectLog(max_keys=100, max_lines=20)
    lines = []
    for second in range(600):
        lines += log.lines([reject(f"x/{second * 1000 + i}") for i in range(1000)], second * S)
    assert len(lines) == 10 * 20
    assert len(log._seen) <= 100  # noqa: SLF001  (what it remembers is what this is about)


def test_a_clock_that_is_set_back_does_not_silence_it():
    log = RejectLog()
    assert len(log.lines([reject()], 1000 * S)) == 1
    assert len(log.lines([reject()], 10 * S)) == 1


def test_report_warns(caplog):
    with caplog.at_level(logging.WARNING, logger="tocsin.ingest.reject_log"):
        RejectLog().report([reject()], S)
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "rejected (not_json) on vitals/icu/1 (stream icu/1): what was wrong")
    ]
