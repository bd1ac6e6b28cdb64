"""Validation of recipes: faults name the key, the value and a remedy; shipped recipes are valid."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer import Typer
from typer.testing import CliRunner

from tocsin_training import cli, recipe_file
from tocsin_training.errors import TrainingError

SHIPPED = sorted((Path(__file__).parents[2] / "training" / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipes_are_valid(path):
    assert recipe_file.read(path).name == path.stem


def test_times_in_a_recipe_keep_their_text_and_other_yaml_files_their_types(toy):
    path = toy()
    path.write_text(path.read_text().replace("  source: toy:read", "  source: toy:read\n  options: {from: 2026-03-01}"))
    assert recipe_file.read(path).data.options == {"from": "2026-03-01"}
    assert YAML(typ="safe").load("2026-03-01") == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("width: 8", "width: -8", "network.width: Input should be greater than or equal to 1, found -8"),
        ("width: 8", "wdth: 8", "network.wdth: is not a known key, found 8"),
        ("cell: gru", "cell: cnn", "network.cell: Input should be 'rnn', 'lstm' or 'gru', found 'cnn'"),
        ("decay: none", "decay: c", "network.decay: Input should be 'none', 'inputs', 'state' or 'both', found 'c'"),
        ("bptt: full", "bptt: 1", "say 2 or more"),
        ("folds: 1", "folds: 3", "training.folds 3 fits task alarm only; say 1"),
        ("logarithmic: [c, hours]", "logarithmic: [d]", "network.logarithmic names d, which channels does not list"),
        ("{name: b,", "{name: a,", "channels names a twice; remove one, or give it a name of its own"),
        (
            '{name: c, unit: "1", low: 0,',
            '{name: c, unit: "1", low: -20,',
            "network.logarithmic names c: from low -20 on there is no log(1 + x); remove it",
        ),
        (
            "training:",
            "loss: {teacher: 1}\ntraining:",
            "data.teacher None and loss.teacher 1 go together; give both or none",
        ),
        (
            "  source: toy:read",
            "  {source: toy:read, teacher: toy:read}\nloss: {teacher: 1}",
            "data.teacher needs training.folds of 3 or more",
        ),
        (
            "task: forecast",
            "task: alarm\nloss: {gain: 0}",
            "loss.gain, label and teacher are all 0, so nothing would be learned of the event; raise one",
        ),
        ("seed: 3", "seed: -3", "training.seed: Input should be greater than or equal to 0, found -3"),
        ("task: forecast", "task: [", "not YAML"),
    ],
)
def test_a_faulty_recipe_is_refused_with_a_remedy(toy, old, new, message):
    path = toy()
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(TrainingError) as error:
        recipe_file.read(path)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("toy:read", "nowhere:read", "data.source 'nowhere:read' cannot be found"),
        ("seed: 3", "seed: x", "training.seed"),
    ],
)
def test_the_command_reports_a_faulty_recipe_without_a_traceback(toy, tmp_path, old, new, message):
    path = toy()
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    app = Typer()
    app.command()(cli.train)
    result = CliRunner().invoke(app, [str(path), "--out", str(tmp_path), "--runs", str(tmp_path / "runs")])
    assert result.exit_code == 2
    assert "error: recipe toy" in result.stderr or "error: recipe /" in result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
