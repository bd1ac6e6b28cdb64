"""docs/metrics.md says what the daemon serves, by names that Prometheus' users expect."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROWS = re.findall(r"^\| `(\S+)` \| (\w+) \| (.*?) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_page_is_that_of_the_code():
    made = subprocess.run([sys.executable, "-m", "tocsin.metrics"], capture_output=True, text=True, check=True).stdout
    assert PAGE.read_text(encoding="utf-8") == made, "run: python -m tocsin.metrics > docs/metrics.md"


def test_there_are_metrics_on_it():
    names = [name for name, *_ in ROWS]
    assert {"tocsin_alarms_active", "tocsin_rejects_total", "tocsin_stream_score"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "kind", "labels", "meaning"), ROWS)
def test_names_follow_the_conventions(name, kind, labels, meaning):
    assert re.fullmatch(r"tocsin_[a-z][a-z_]*[a-z]", name)
    assert (kind == "counter") == name.endswith("_total")
    assert kind in {"counter", "gauge", "histogram"}
    if kind == "histogram":
        assert name.endswith(("_seconds", "_messages")), "a histogram's name ends with its unit"
    assert labels == "–" or re.fullmatch(r"`[a-z0-9]+`(, `[a-z0-9]+`)*", labels)
    assert meaning.endswith(".")
