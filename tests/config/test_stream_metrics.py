"""Series of single streams exist for configured streams alone, and are limited."""

from __future__ import annotations

import configurations
import pytest

from tocsin.config import check


def test_none_by_default(tmp_path):
    config = check(configurations.write(tmp_path)).config
    assert config is not None
    assert config.metrics.streams == []


@pytest.mark.parametrize(
    ("metrics", "fault"),
    [
        ({"max_streams": 101}, "metrics.max_streams: Input should be less than or equal to 100 (found 101)"),
        ({"max_streams": 0}, "metrics.max_streams: Input should be greater than or equal to 1 (found 0)"),
        ({"streams": "*"}, "metrics.streams: should be a list (found '*')"),
        ({"streams": [""]}, "metrics.streams.0: String should have at least 1 character (found '')"),
        ({"stream": ["*"]}, "metrics.stream: is not a known key"),
    ],
)
def test_faults(tmp_path, metrics, fault):
    faults = check(configurations.write(tmp_path, metrics=metrics)).faults
    assert [str(one).partition(": ")[2] for one in faults] == [fault]


def test_the_environment_may_name_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TOCSIN_METRICS__STREAMS", '["icu/*"]')
    checked = check(configurations.write(tmp_path, metrics={"streams": ["ward/*"], "max_streams": 7}))
    assert checked.faults == []
    assert checked.config is not None
    assert (checked.config.metrics.streams, checked.config.metrics.max_streams) == (["icu/*"], 7)
