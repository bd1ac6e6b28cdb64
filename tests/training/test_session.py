"""What `tocsin train` leaves behind."""

from __future__ import annotations

import pytest
import torch

from tocsin_training import recipe as recipes
from tocsin_training import session
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
    monkeypatch.setattr("tocsin_training.parity.STEPS", 12)
    folder = session.run(toy(epochs=1), **asked | {"seed": 7})
    first = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert recipes.read(folder / "recipe.yaml").training.seed == 7
    again = session.run(folder / "recipe.yaml", **asked)
    assert {file.name: file.read_bytes() for file in again.iterdir()} == first


@pytest.mark.parametrize("option", ["out", "runs"])
def test_a_place_where_nothing_can_be_written_is_told_before_the_training(toy, asked, tmp_path, option):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match=rf"--{option} .*/file/here: .*/file is no folder; give another folder"):
        session.run(toy(), **asked | {option: tmp_path / "file" / "here", "data": tmp_path / "nowhere"})
