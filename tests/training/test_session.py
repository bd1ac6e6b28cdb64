"""Output of `tocsin train`."""

from __future__ import annotations

import re

import pytest
import torch

from tocsin_training import recipe_file, session
from tocsin_training.errors import TrainingError


@pytest.fixture
def asked(tmp_path):
    """What `tocsin train` is told if nothing is said."""
    return {
        "out": tmp_path / "models",
        "data": tmp_path,
        "runs": tmp_path / "runs",
        "seed": None,
        "device": "cpu",
        "threads": torch.get_num_threads(),
        "curves": None,
        "resume": False,
    }


def test_a_bundle_s_own_recipe_makes_it_again_to_the_bit(toy, asked, monkeypatch):
    """Also if another seed was asked for, and where the bundle lies itself."""
    monkeypatch.setattr("tocsin_training.export.parity.STEPS", 12)
    folder = session.run(toy(epochs=1), **asked | {"seed": 7})
    first = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert recipe_file.read(folder / "recipe.yaml").training.seed == 7
    again = session.run(folder / "recipe.yaml", **asked)
    assert {file.name: file.read_bytes() for file in again.iterdir()} == first


def test_what_is_there_and_what_goes_is_told(toy, asked, capsys, monkeypatch):
    monkeypatch.setattr("tocsin_training.export.parity.STEPS", 12)
    folder = session.run(toy(epochs=1), **asked | {"resume": True})
    told = capsys.readouterr().err
    assert f"nothing to resume in {asked['runs']}/toy-1-3: from the beginning" in told
    held = r"train: 24 streams, \d+ frames over .* hours, mostly \d+ s apart; there: a [78].* %, .*age 100 %; labelled"
    assert re.search(held, told)
    assert "had another graph" not in told
    session.run(folder / "recipe.yaml", **asked | {"seed": 5})
    assert "toy/1 had another graph: its streams begin anew" in capsys.readouterr().err


def test_a_part_for_the_curve_that_is_none_is_told_before_the_training(toy, asked, monkeypatch):
    monkeypatch.setattr(
        "tocsin_training.train.loop.train", lambda *_given, **_options: pytest.fail("a network was trained")
    )
    path = toy()
    path.write_text(path.read_text().replace("  source: toy:read", "  source: toy:read\n  curve_part: tset"))
    with pytest.raises(TrainingError, match="toys have no part 'tset'"):
        session.run(path, **asked)


@pytest.mark.parametrize("device", ["meta", "banana", "cuda:99"])
def test_a_device_that_computes_nothing_here_is_told(toy, asked, device):
    with pytest.raises(TrainingError, match=rf"device '{device}' cannot be used \(.*\); say cpu, or auto"):
        session.run(toy(), **asked | {"device": device})


@pytest.mark.parametrize(("place", "option"), [("out", "out"), ("runs", "runs"), ("curves", "log")])
def test_a_place_where_nothing_can_be_written_is_told_before_the_training(toy, asked, tmp_path, place, option):
    (tmp_path / "file").write_text("")
    told = rf"--{option} .*/file/here/toy.*: .*/file is no folder; give another place"
    with pytest.raises(TrainingError, match=told):
        session.run(toy(), **asked | {place: tmp_path / "file" / "here", "data": tmp_path / "nowhere"})
