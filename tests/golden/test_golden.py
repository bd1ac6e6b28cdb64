"""Scenarios reproduce their recordings: events, publications, answers, scores.

`python tests/golden/record.py --repository` updates the recordings after an intended change.
"""

from __future__ import annotations

import json

import pytest
from portable import differences
from record import RECORDED, for_repository
from scenarios import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_reproduces_its_recording(name):
    old = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    new = for_repository(name)
    for section in ("events", "scores", *sorted(old.keys() | new.keys())):
        found = differences(old.get(section), new.get(section), f"{name}/{section}")
        if found:
            pytest.fail("\n".join([*found[:5], f"{len(found)} differences in {section}"]), pytrace=False)
