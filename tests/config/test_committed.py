"""The configurations that come with Tocsin are sound, and the schema for editors is the one that is checked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import toy_bundle

from tocsin.bundle import shipped_folder
from tocsin.config import Config, check

FOLDER = Path(__file__).parents[2] / "config"
OF_OTHERS = {"compose.yaml"}
FILES = sorted(file.name for file in FOLDER.glob("*.yaml") if file.name not in OF_OTHERS)
OF_WATCHED_MODELS = {  # what stands in for a bundle that isn't shipped yet
    "ward-vitals/1": {"task": "forecast", "channels": ["hr", "spo2", "rr", "sbp", "dbp", "temp"]},
    "icu-hourly/1": {"task": "alarm", "channels": ["hr", "spo2"]},
}


def test_there_is_something_to_check():
    assert {"tocsin.yaml", "icu-hourly.yaml"} <= set(FILES)


def test_the_schema_is_that_of_the_configuration():
    committed = (FOLDER / "tocsin.schema.json").read_text(encoding="utf-8")
    assert committed == json.dumps(Config.model_json_schema(), indent=2) + "\n", (
        "run: tocsin check --schema > config/tocsin.schema.json"
    )


@pytest.mark.parametrize("name", FILES)
def test_a_configuration_is_sound(tmp_path, name):
    shutil.copy(FOLDER / name, tmp_path)
    for model, like in OF_WATCHED_MODELS.items():
        if not (shipped_folder() / model).is_dir():
            _stand_in(tmp_path / model, **like)
    checked = check(tmp_path / name)
    assert [str(fault) for fault in checked.faults] == []
    assert checked.bundles


@pytest.mark.parametrize("name", ["tocsin.yaml", "icu-hourly.yaml"])
def test_an_editor_finds_the_schema(name):
    first, *_ = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    assert first == "# yaml-language-server: $schema=tocsin.schema.json"


def _stand_in(folder, task, channels):
    c = len(channels)
    graph = (
        toy_bundle.GRAPH.replace("float[N, 2]", f"float[N, {c}]")
        .replace("float[N, 3]", f"float[N, {c + 1}]")
        .replace("float[2, 1] ones = {1, 1}", f"float[{c}, 1] ones = {{{', '.join(['1'] * c)}}}")
    )
    name, version = folder.parts[-2:]
    toy_bundle.write(
        folder,
        toy_bundle.serialised(graph),
        name=name,
        version=version,
        task=task,
        channels=[{"name": channel, "unit": "1", "low": 0, "high": 1000} for channel in channels],
        state_size=c + 1,
    )
