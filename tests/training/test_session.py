"""Output of `tocsin train`."""

from __future__ import annotations

import re

import pytest
import torch

from tocsin_training import recipe_file, session
from tocsin_training.errors import TrainingError


@pytest.fixture
def asked(tmp_path):
    """Default options of `tocsin train`."""
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


def test_a_bundle_s_own_recipe_reproduces_it_bit_for_bit(toy, asked, monkeypatch):
    """Also with another seed, and in the folder of the bundle itself."""
    monkeypatch.setattr("tocsin_training.export.parity.STEPS", 12)
    folder = session.run(toy(epochs=1), **asked | {"seed": 7})
    first = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert recipe_file.read(folder / "recipe.yaml").training.seed == 7
    again = session.run(folder / "recipe.yaml", **asked)
    assert {file.name: file.read_bytes() for file in again.iterdir()} == first


def test_the_log_names_the_data_and_a_replaced_graph(toy, asked, capsys, monkeypatch):
    monkeypatch.setattr("tocsin_training.export.parity.STEPS", 12)
    folder = session.run(toy(epochs=1), **asked | {"resume": True})
    message = capsys.readouterr().err
    assert f"nothing to resume in {asked['runs']}/toy-1-3: from the beginning" in message
    held = r"train: 24 streams, \d+ frames over .* hours, mostly \d+ s apart; there: a [78].* %, .*age 100 %; labelled"
    assert re.search(held, message)
    assert "had another graph" not in message
    session.run(folder / "recipe.yaml", **asked | {"seed": 5})
    assert "toy/1 had another graph: its streams begin anew" in capsys.readouterr().err


def test_an_unknown_part_for_the_curve_is_refused_before_training(toy, asked, monkeypatch):
    monkeypatch.setattr(
        "tocsin_training.train.loop.train", lambda *_given, **_options: pytest.fail("a network was trained")
    )
    path = toy()
    path.write_text(path.read_text().replace("  source: toy:read", "  source: toy:read\n  curve_part: tset"))
    with pytest.raises(TrainingError, match="toys have no part 'tset'"):
        session.run(path, **asked)


@pytest.mark.parametrize("device", ["meta", "banana", "cuda:99"])
def test_an_unusable_device_is_refused(toy, asked, device):
    with pytest.raises(TrainingError, match=rf"device '{device}' cannot be used \(.*\); say cpu, or auto"):
        session.run(toy(), **asked | {"device": device})


@pytest.mark.parametrize(("place", "option"), [("out", "out"), ("runs", "runs"), ("curves", "log")])
def test_an_unwritable_folder_is_refused_before_training(toy, asked, tmp_path, place, option):
    (tmp_path / "file").write_text("")
    message = rf"--{option} .*/file/here/toy.*: .*/file is no folder; give another place"
    with pytest.raises(TrainingError, match=message):
        session.run(toy(), **asked | {place: tmp_path / "file" / "here", "data": tmp_path / "nowhere"})
