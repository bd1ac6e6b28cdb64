"""Rows wait, are merged and ordered by stream, and no more of them wait than may."""

from __future__ import annotations

import configurations

from tocsin.config import check
from tocsin.ingest.message import Message
from tocsin.runtime.build import build_runtimes, build_sources
from tocsin.runtime.recorder import Recorder

S = 1_000_000_000
T = 1_767_225_600 * S


def recorder(tmp_path, **more):
    checked = check(configurations.write(tmp_path))
    at = build_sources(checked.config, build_runtimes(checked.config, checked.bundles))
    written = []

    def write(stream, t, _, values):
        written.extend(zip(stream, [(each - T) // S for each in t], values[:, 0].tolist(), strict=True))

    return Recorder(at, write, **more), written


def message(bed, second, hr):
    return Message(f"vitals/icu/{bed}", b'{"t": %d, "hr": %d}' % (T // S + second, hr), T)


def test_what_comes_after_a_later_one_was_written_is_left_out_and_counted(tmp_path):
    made, written = recorder(tmp_path, hold_ns=5 * S)
    made.take([message("a", 2, 72)], T)
    made.pass_time(T + 4 * S)
    assert written == []
    made.take([message("a", 1, 71), message("b", 9, 79)], T + 4 * S)
    made.pass_time(T + 5 * S)  # what stands before the ripe one goes along
    assert written == [("icu/a", 1, 71.0), ("icu/a", 2, 72.0)]
    made.take([message("a", 2, 72), message("a", 3, 73)], T + 5 * S)
    made.finish()
    assert written[2:] == [("icu/a", 3, 73.0), ("icu/b", 9, 79.0)]
    assert (made.written, made.late) == (4, 1)


def test_no_more_wait_than_may(tmp_path):
    made, written = recorder(tmp_path, hold_ns=3600 * S, max_waiting=4)
    for second in range(4):
        made.take([message("a", second, second)], T)
    assert [t for _, t, _ in written] == [0, 1]
