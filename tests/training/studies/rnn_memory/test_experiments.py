"""Short runs of the experiments give the results of the page; its tables are those of its figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from tocsin_studies.rnn_memory import catalogue, cli
from tocsin_studies.rnn_memory.run import run, with_table
from tocsin_training.errors import TrainingError
from tocsin_training.export import parity

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "docs" / "memory.md"


@pytest.fixture
def figures(tmp_path):
    """Run a short experiment."""

    def measure(name):
        table = run(name, tmp_path, None, quick=True, progress=lambda _what: None)
        assert (tmp_path / f"{name}.svg").read_text(encoding="utf-8").rstrip().endswith("</svg>")
        found = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
        assert catalogue.module(name).table(found) == table
        return found

    return measure


@pytest.mark.parametrize("name", catalogue.EXPERIMENTS)
def test_the_page_shows_the_measured_figures(name):
    found = json.loads((PAGE.parent / "memory" / f"{name}.json").read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page, name, catalogue.module(name).table(found)) == page
    assert f"](memory/{name}.svg)" in page
    assert (PAGE.parent / "memory" / f"{name}.svg").exists()


def test_the_adding_problem_is_learned(figures):
    found = figures("adding")
    errors = {learned["cell"]: learned["error"] for learned in found["runs"]}
    assert errors["gru"] < found["trivial"] / 10
    assert errors["lstm"] < found["trivial"]


def test_letters_are_copied(figures):
    found = figures("copying")
    assert all(learned["right"] > 4 * found["chance"] for learned in found["runs"])


def test_gradients_vanish_or_explode_with_the_matrix(figures):
    left = {new["name"]: new["left"] for new in figures("lag")["runs"] if new["panel"] == "matrix"}
    assert left["× 0.5"][49] < 1e-10
    assert 0.01 < left["× 1"][49] < 1
    assert left["× 2"][49] > 100


def test_gates_stay_between_0_and_1_and_react_to_a_lost_probe(figures):
    found = figures("gates")
    forget = [value for unit in found["bands"]["forget"] for value in unit]
    assert 0 <= min(forget) < max(forget) <= 1
    assert abs(found["means"]["probe off"]["input"] - found["means"]["quiet"]["input"]) > 0.01


def test_gradients_by_hand_are_those_of_autograd(figures):
    for errors in figures("by-hand")["runs"]:
        assert max(errors[name] for name in ("w", "u", "b", "x")) < 1e-6


def test_learning_the_coin_needs_a_gradient_that_reaches_it(figures):
    right = {learned["window"]: learned["right"] for learned in figures("truncation")["runs"]}
    assert right[2] < 0.75
    assert right[16] > 0.95


def test_single_steps_equal_the_sequence_also_after_a_restart(figures):
    for compared in figures("stepwise")["runs"]:
        assert compared["largest"] < parity.RELATIVE
        assert compared["restored_equal"]


def test_gates_hold_values_that_a_plain_cell_of_more_units_does_not(figures):
    errors = {learned["cell"]: learned["error"] for learned in figures("units")["runs"]}
    assert max(errors["lstm"], errors["gru"]) < errors["rnn"]


def test_the_command_lists_experiments_and_refuses_unknown_ones():
    app = Typer()
    app.command()(cli.experiment)
    listed = CliRunner().invoke(app, ["--list"])
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(catalogue.EXPERIMENTS)
    refused = CliRunner().invoke(app, ["sorting"])
    assert refused.exit_code == 2
    assert "error: experiment 'sorting' is unknown; there are: adding, copying" in refused.stderr


def test_without_pytorch_the_command_names_the_remedy(monkeypatch):
    for module in [name for name in sys.modules if name.startswith("tocsin_studies.rnn_memory.")]:
        if module != "tocsin_studies.rnn_memory.cli":
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torch", None)
    app = Typer()
    app.command()(cli.experiment)
    result = CliRunner().invoke(app, ["by-hand", "--quick"])
    assert result.exit_code == 2
    assert "remedy: pip install 'tocsin[training]'" in result.stderr


def test_a_page_without_a_marker_is_refused():
    with pytest.raises(TrainingError, match="no place for 'adding'; put <!-- adding --> and <!-- end --> into it"):
        with_table("nothing\n", "adding", "| |")
