"""A recipe becomes a bundle that the daemon loads; `make` itself checks parity and bits on the way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tocsin.bundle import load
from tocsin_training import publish, rollout
from tocsin_training import recipe as recipes
from tocsin_training.make import make, read


def _made(path, tmp_path, **options):
    recipe = recipes.read(path)
    return recipe, make(recipe, tmp_path, runs=tmp_path / "runs", device=torch.device("cpu"), **options)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize(
    "changes",
    [
        {"task": "forecast", "score": "nll", "bptt": 8},
        {"task": "forecast", "score": "ewma"},
        {"task": "alarm", "folds": 3},
    ],
    ids=["forecast", "gathered", "alarm"],
)
def test_a_recipe_becomes_a_bundle(toy, tmp_path, monkeypatch, cell, changes):
    monkeypatch.setattr("tocsin_training.parity.STEPS", 60)
    path = toy(cell=cell, **changes)
    recipe, made = _made(path, tmp_path)
    folder = publish.write(tmp_path / "models", made.manifest, made.graph, path)

    bundle = load(folder)
    assert bundle.manifest == made.manifest
    assert "# toy 1" in (folder / "CARD.md").read_text(encoding="utf-8")

    test = read(recipe, "test", tmp_path)
    score = rollout.scores(bundle.model.step, bundle.model.state_size, test)
    assert np.isfinite(score).mean() > 0.8
    first = score[test.start[:-1]]
    assert np.isnan(first).all() == (changes["task"] == "forecast"), "the first frame has no earlier prediction"
