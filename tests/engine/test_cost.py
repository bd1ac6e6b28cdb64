"""The memory of a stream equals the figure on the page, and is little more than its state."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tocsin.bundle import load, shipped_folder
from tocsin.engine import Engine, FrameClock, Watch

S = 10**9
PAGE = (Path(__file__).parents[2] / "docs" / "streams.md").read_text(encoding="utf-8")
MAX_BESIDES_STATE = 2000


def bytes_of_a_stream(reprocess_late_ticks):
    model = load(shipped_folder() / "ward-vitals" / "1").model
    table = Engine(Watch(model, [], FrameClock(2 * S, 3 * S, reprocess_late_ticks), 10)).table
    return sum(column.of(table)[0].nbytes for column in table.COLUMNS), 4 * model.state_size


@pytest.mark.parametrize(
    ("row", "reprocess_late_ticks"),
    [("state, frames and clock", 0), ("with `reprocess_late_ticks: 10`", 10), ("with `reprocess_late_ticks: 60`", 60)],
)
def test_a_stream_costs_what_the_page_says(row, reprocess_late_ticks):
    stated = re.search(rf"^\| {re.escape(row)} \| ([\d,]+) \|$", PAGE, re.MULTILINE)
    cost, _ = bytes_of_a_stream(reprocess_late_ticks)
    assert stated is not None
    assert int(stated[1].replace(",", "")) == cost


def test_a_stream_costs_little_besides_its_state():
    cost, state = bytes_of_a_stream(0)
    assert cost - state < MAX_BESIDES_STATE
