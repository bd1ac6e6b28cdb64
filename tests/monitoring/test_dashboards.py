"""JSON of the dashboards: up to date, readable by the SDK, and without overlapping panels."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

import dashboards

FOLDER = Path(__file__).parents[2] / "config" / "grafana" / "dashboards"
FILES = sorted(FOLDER.glob("*.json"))
PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
WIDTH = 24


def read(file):
    return json.loads(file.read_text(encoding="utf-8"))


def test_the_committed_dashboards_match_the_code():
    assert {file.name: file.read_text(encoding="utf-8") for file in FILES} == dashboards.rendered(), (
        "run: make dashboards"
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_sdk_reads_a_dashboard_back_without_loss(file):
    register_default_plugins()
    written = read(file)
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(read(file))))
    for annotation in written["annotations"].get("list", []):  # fields of the plug-in that the SDK lacks
        for key in ("titleFormat", "textFormat", "tagKeys", "step"):
            assert annotation.pop(key)
    assert again == written


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_panels_do_not_overlap(file):
    places = {f"{panel['id']} {panel['title']}": panel["gridPos"] for panel in read(file)["panels"]}
    assert len(places) == len(read(file)["panels"])
    for name, at in places.items():
        assert at["w"] > 0, name
        assert at["h"] > 0, name
        assert at["x"] >= 0, name
        assert at["x"] + at["w"] <= WIDTH, name
    for (one, a), (other, b) in combinations(places.items(), 2):
        apart = (
            a["x"] + a["w"] <= b["x"]
            or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"]
            or b["y"] + b["h"] <= a["y"]
        )
        assert apart, f"{one} overlaps {other}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_rows_have_no_gaps(file):
    """Each row of panels has the width of the page, except for repeated panels."""
    by_line = {}
    for panel in read(file)["panels"]:
        width = WIDTH if panel.get("repeat") else panel["gridPos"]["w"]
        by_line[panel["gridPos"]["y"]] = by_line.get(panel["gridPos"]["y"], 0) + width
    assert set(by_line.values()) == {WIDTH}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_panel_has_a_description_and_a_data_source(file):
    for panel in read(file)["panels"]:
        assert panel["title"]
        if panel["type"] == "row":
            continue
        assert panel["description"], panel["title"]
        assert panel["targets"], panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]), panel["title"]
        for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
            assert source == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_queries_name_existing_metrics_and_variables(file):
    text = file.read_text(encoding="utf-8")
    known = set(re.findall(r"^\| `(\w+)` ", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    known |= {f"{name}_{part}" for name in known for part in ("sum", "count", "bucket")}
    assert set(re.findall(r"tocsin_\w+", text)) <= known
    variables = {entry["name"] for entry in read(file)["templating"]["list"]}
    assert set(re.findall(r"\$\{?([a-z]\w*)", text)) - variables == set()


def test_uids_and_titles_are_unique():
    for key in ("uid", "title"):
        assert len({read(file)[key] for file in FILES}) == len(FILES) >= 2
