"""The dashboards' JSON is that of the code, reads back into the SDK's models, and overlaps nowhere."""

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


def test_what_is_committed_is_what_the_code_makes():
    assert {file.name: file.read_text(encoding="utf-8") for file in FILES} == dashboards.rendered(), (
        "run: make dashboards"
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_sdk_reads_it_back_and_loses_nothing(file):
    register_default_plugins()
    written = read(file)
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(read(file))))
    for annotation in written["annotations"].get("list", []):  # what the plug-in reads, and the SDK doesn't know
        for key in ("titleFormat", "textFormat", "tagKeys", "step"):
            assert annotation.pop(key)
    assert again == written


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_panels_lie_side_by_side(file):
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
def test_rows_are_filled(file):
    """Nothing is drawn over empty ground: each line of panels is as wide as the page, but for one that is repeated."""
    by_line = {}
    for panel in read(file)["panels"]:
        width = WIDTH if panel.get("repeat") else panel["gridPos"]["w"]
        by_line[panel["gridPos"]["y"]] = by_line.get(panel["gridPos"]["y"], 0) + width
    assert set(by_line.values()) == {WIDTH}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_panel_says_what_it_shows_and_where_from(file):
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
def test_queries_name_metrics_and_variables_that_there_are(file):
    text = file.read_text(encoding="utf-8")
    known = set(re.findall(r"^\| `(\w+)` ", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    known |= {f"{name}_{part}" for name in known for part in ("sum", "count", "bucket")}
    assert set(re.findall(r"tocsin_\w+", text)) <= known
    variables = {entry["name"] for entry in read(file)["templating"]["list"]}
    assert set(re.findall(r"\$\{?([a-z]\w*)", text)) - variables == set()


def test_uids_and_titles_are_unique():
    for key in ("uid", "title"):
        assert len({read(file)[key] for file in FILES}) == len(FILES) >= 2
