"""Training of a bundle from a recipe, including its parity checks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tocsin.bundle import load
from tocsin_training import pipeline as make_module
from tocsin_training import recipe_file
from tocsin_training.backtest import rollout
from tocsin_training.errors import TrainingError
from tocsin_training.export import bundle_folder
from tocsin_training.pipeline import read, train_bundle
from tocsin_training.train import loop


def _made(path, tmp_path, **options):
    recipe = recipe_file.read(path)
    return recipe, train_bundle(recipe, tmp_path, runs=tmp_path / "runs", device=torch.device("cpu"), **options)


@pytest.mark.parametrize(
    ("weight", "bias", "message"),
    [
        (0.0, 0.0, r"gives all frames the same logit, between 0 and 0; train longer, raise"),
        (-1.0, None, r"would turn the network's answer round \(slope -.*train longer, raise training.learning_rate"),
    ],
)
def test_a_network_that_did_not_learn_the_event_is_refused(toy, tmp_path, monkeypatch, weight, bias, message):
    trained = loop.train

    def train_and_damage(*given, **options):
        network = trained(*given, **options)
        with torch.no_grad():
            network.head.event.weight *= weight
            network.head.event.bias *= weight if bias is None else bias
        return network

    monkeypatch.setattr(loop, "train", train_and_damage)
    with pytest.raises(TrainingError, match=message):
        _made(toy(task="alarm", epochs=6), tmp_path)


def test_without_normal_streams_longer_than_the_warm_up_the_threshold_is_chosen_on_all(toy, tmp_path, monkeypatch):
    monkeypatch.setattr("tocsin_training.export.parity.STEPS", 12)
    path = toy()
    path.write_text(path.read_text().replace("warm_up_ticks: 1", "warm_up_ticks: 25"))
    read = make_module.read

    def short(recipe, part, *where):
        data = read(recipe, part, *where)
        keep = data.eventful & (data.lengths > 25) | (data.lengths <= 25)
        return data.pick(np.flatnonzero(keep)) if part == "valid" else data

    monkeypatch.setattr(make_module, "read", short)
    _, made = _made(path, tmp_path)
    assert "normal" not in made.manifest.calibration.chosen_by


def test_a_forecast_s_threshold_is_chosen_on_normal_streams(toy, tmp_path, monkeypatch):
    monkeypatch.setattr("tocsin_training.export.parity.STEPS", 12)
    _, made = _made(toy(), tmp_path)  # half of the streams have the event
    assert made.manifest.calibration.chosen_by.endswith("days of 6 normal validation streams")


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
    monkeypatch.setattr("tocsin_training.export.parity.STEPS", 60)
    path = toy(cell=cell, **changes)
    recipe, made = _made(path, tmp_path)
    folder = bundle_folder.write(tmp_path / "models", made.manifest, made.graph, path)

    bundle = load(folder)
    assert bundle.manifest == made.manifest
    assert "# toy 1" in (folder / "CARD.md").read_text(encoding="utf-8")

    test = read(recipe, "test", tmp_path)
    score = rollout.scores(bundle.model.step, bundle.model.state_size, test)
    assert np.isfinite(score).mean() > 0.8
    first = score[test.start[:-1]]
    assert np.isnan(first).all() == (changes["task"] == "forecast"), "the first frame has no earlier prediction"
