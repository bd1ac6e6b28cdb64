"""A table whose streams have classes becomes a classifier, and judges one, without a line of Python."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.bundle import load
from tocsin_training import recipe_file, session
from tocsin_training.errors import TrainingError
from tocsin_training.evaluation.records import RecordSelection, baseline_data, evaluation_data

RECIPE = """\
name: motors
version: "1"
summary: Motors.
task: classify
classes: [fine, hot]
channels: [{name: temp, unit: Cel, low: 0, high: 150}]
data:
  source: tocsin_training.data.tables:table
  options: {files: motors.csv, stream: motor, kind: found, split: {by: stream, valid: 0.3, test: 0.3}}
network: {cell: gru, width: 6}
training: {epochs: 8, batch: 8, learning_rate: 0.05, seed: 1}
serving: {period_s: 60, delta_cap_s: 3600, warm_up_ticks: 1, max_gap_ticks: 60}
sources: [{name: ours, licence: ours, citation: none, part: all}]
"""

HOW = {"seed": None, "device": "cpu", "threads": 1, "curves": None, "resume": False}


def places(folder):
    return {"out": folder / "models", "data": folder, "runs": folder / "runs"}


@pytest.fixture
def folder(tmp_path):
    """Forty motors, every second one hot; what was found stands in the last row of each."""
    random = np.random.default_rng(1)
    rows = ["motor,t,temp,found"]
    for motor in range(40):
        hot = motor % 2
        temps = 50 + 30 * hot + random.standard_normal(20)
        rows += [f"m{motor},{60 * k},{temp:.1f}," for k, temp in enumerate(temps)]
        rows[-1] += ("fine", "hot")[hot]
    (tmp_path / "motors.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "motors.yaml").write_text(RECIPE)
    return tmp_path


def test_from_a_table_of_classes_to_an_evaluation(folder, monkeypatch):
    monkeypatch.setattr("tocsin_training.export.parity.STEPS", 12)
    bundle = load(session.run(folder / "motors.yaml", **places(folder), **HOW))
    assert bundle.manifest.figures["held-out AUROC, end of stream"] == 1.0

    recipe = recipe_file.read(bundle.folder / "recipe.yaml")
    asked = RecordSelection(folder, "test", None, None, {}, folder / "runs", None, 0)
    hot = {f"m{motor}" for motor in range(1, 40, 2)}
    parts = [evaluation_data(asked, bundle, recipe)[0], *baseline_data(asked, bundle, recipe)]
    for data in parts:
        said = {name: data.label[data.start[b] : data.start[b + 1]] for b, name in enumerate(data.streams)}
        assert all((label == (name in hot)).all() for name, label in said.items())
    columns = {"stream": "motor", "kind": "found"}
    table = RecordSelection(folder / "motors.csv", "test", None, None, columns, folder / "runs", None, 0)
    assert set(evaluation_data(table, bundle, recipe)[0].streams) == {f"m{motor}" for motor in range(40)}


def test_streams_that_end_within_the_burn_in_are_told(folder, monkeypatch):
    monkeypatch.setattr(
        "tocsin_training.train.loop.train", lambda *_given, **_options: pytest.fail("a network was trained")
    )
    (folder / "motors.yaml").write_text(RECIPE + "loss: {burn_in: 20}\n")
    told = "no validation stream of class fine, hot outlasts loss.burn_in 20; give longer streams, or a shorter burn-in"
    with pytest.raises(TrainingError, match=told):
        session.run(folder / "motors.yaml", **places(folder), **HOW)


def test_a_class_that_no_training_stream_is_of_is_told_before_the_training(folder, monkeypatch):
    monkeypatch.setattr(
        "tocsin_training.train.loop.train", lambda *_given, **_options: pytest.fail("a network was trained")
    )
    path = folder / "motors.yaml"
    path.write_text(RECIPE.replace("[fine, hot]", "[fine, hot, wet]"))
    told = "no stream of part train is of class wet; give streams of every class, or split them otherwise"
    with pytest.raises(TrainingError, match=told):
        session.run(path, **places(folder), **HOW)
