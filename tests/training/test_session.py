"""What `tocsin train` leaves behind."""

from __future__ import annotations

import torch

from tocsin_training import recipe as recipes
from tocsin_training import session


def test_a_bundle_s_own_recipe_makes_it_again_to_the_bit(toy, tmp_path, monkeypatch):
    """Also if another seed was asked for, and where the bundle lies itself."""
    monkeypatch.setattr("tocsin_training.parity.STEPS", 12)
    asked = {
        "out": tmp_path / "models",
        "data": tmp_path,
        "runs": tmp_path / "runs",
        "device": "cpu",
        "threads": torch.get_num_threads(),
        "curves": None,
        "resume": False,
    }
    folder = session.run(toy(epochs=1), seed=7, **asked)
    first = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert recipes.read(folder / "recipe.yaml").training.seed == 7
    again = session.run(folder / "recipe.yaml", seed=None, **asked)
    assert {file.name: file.read_bytes() for file in again.iterdir()} == first
