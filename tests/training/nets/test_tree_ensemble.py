"""Tree ensembles: in the graph, in the score, in the state, and cross-fitted."""

from __future__ import annotations

import importlib

import lightgbm
import numpy as np
import pytest
import torch

from tocsin.bundle import load
from tocsin_training import pipeline, recipe_file
from tocsin_training.backtest import rollout
from tocsin_training.data import sources
from tocsin_training.errors import TrainingError
from tocsin_training.export import bundle_folder
from tocsin_training.nets import tree_ensemble
from tocsin_training.nets.boosted_trees import BoostedTrees, attributes
from tocsin_training.nets.cells import shared
from tocsin_training.train import members

FOLDS = 3
TREES = "tree_ensemble: {trainer: 'test_tree_ensemble:Grower', weight: 0.5, ensembles_per_fold: 2}\n"


class Last(torch.nn.Module):
    """Tells the last values of the three readings, NaN before there is one, and how often each was measured."""

    state_size = 6

    def forward(self, x, mask, delta, state, owner=None):  # noqa: ARG002
        n = state.shape[0]
        last, count = (shared(part, owner) for part in state.split(3, dim=1))
        last, count = torch.where(mask[:, :3] > 0, x[:, :3], last), count + mask[:, :3]
        told = torch.cat([torch.where(count > 0, last, torch.nan), count], dim=1)
        return told, torch.cat([last, count], dim=1)[:n]


class Grower:
    """Grows a few small trees on the labels, and notes on what."""

    fitted: list[set[int]] = []  # noqa: RUF012

    def __init__(self, data, period_s):  # noqa: ARG002
        self.data, self.extractor = data, Last()
        self.features = tree_ensemble.extracted_features(self.extractor, data)

    def fit(self, fitted, seed):
        self.fitted.append(set(fitted.tolist()))
        rows = self.data.rows(fitted)
        knobs = {"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 4, "min_data_in_leaf": 5}
        data = lightgbm.Dataset(self.features[rows], self.data.label[rows])
        return lightgbm.train(knobs | {"seed": seed, "feature_fraction": 0.5}, data, 5)


@pytest.fixture
def recipe(toy):
    path = toy(task="alarm", folds=FOLDS, epochs=4)
    path.write_text(path.read_text(encoding="utf-8") + TREES, encoding="utf-8")
    return path


def test_a_bundle_with_trees_scores_as_both_together(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("tocsin_training.export.parity.STEPS", 30)
    read = recipe_file.read(recipe)
    made = pipeline.train_bundle(read, tmp_path, runs=tmp_path / "runs", device=torch.device("cpu"))
    bundle = load(bundle_folder.write(tmp_path / "models", made.manifest, made.graph, recipe))

    plain = read.model_copy(update={"tree_ensemble": None})
    alone = pipeline.train_bundle(plain, tmp_path, runs=tmp_path / "plain", device=torch.device("cpu"))
    assert made.manifest.state_size == alone.manifest.state_size + Last.state_size
    test = sources.read(read, "test", tmp_path)
    together = rollout.scores(bundle.model.step, bundle.model.state_size, test)
    other = load(bundle_folder.write(tmp_path / "alone", alone.manifest, alone.graph, recipe))
    networks = rollout.scores(other.model.step, other.model.state_size, test)
    assert np.abs(together - networks).max() > 0.01

    state = np.zeros((1, bundle.model.state_size), dtype=np.float32)
    for row in range(10):
        result = bundle.model.step(*(part[row : row + 1] for part in (test.x, test.mask, test.delta)), state)
        state = result.state
        assert result.score[0] == together[row], "no score knows of later frames or of other streams"


def test_trees_judge_no_stream_that_they_were_grown_on(recipe, tmp_path):
    read = recipe_file.read(recipe)
    data, valid = (sources.read(read, part, tmp_path) for part in ("train", "valid"))
    fold = members.folds(data, FOLDS, read.training.seed)
    notes = importlib.import_module("test_tree_ensemble").Grower.fitted  # as the recipe names it
    notes.clear()
    grown, said = tree_ensemble.train_trees(read, data, valid, fold)
    without = [set(np.flatnonzero(fold != k).tolist()) for k in range(FOLDS)]
    assert notes == [without[0], without[0], without[1], without[1], without[2], without[2]]
    again, _ = tree_ensemble.train_trees(read, data, valid, fold)
    assert attributes(grown.trees.boosters) == attributes(again.trees.boosters), "they grow again to the bit"
    for k in range(FOLDS):
        rows = data.rows(np.flatnonzero(fold == k))
        theirs = BoostedTrees(grown.trees.boosters[2 * k : 2 * k + 2]).predict(
            tree_ensemble.extracted_features(Last(), data)[rows]
        )
        np.testing.assert_allclose(said[rows], theirs, rtol=1e-6)
    np.testing.assert_allclose(
        said[len(data.x) :], grown.trees.predict(tree_ensemble.extracted_features(Last(), valid)), rtol=1e-6
    )


def test_trees_need_folds_and_a_class_that_is_there(toy, tmp_path):
    path = toy(task="alarm", folds=1)
    path.write_text(path.read_text(encoding="utf-8") + TREES, encoding="utf-8")
    with pytest.raises(TrainingError, match=r"tree_ensemble needs training\.folds of 3 or more"):
        recipe_file.read(path)
    path = toy(task="alarm", folds=FOLDS)
    path.write_text(path.read_text(encoding="utf-8") + TREES.replace("Grower", "Nobody"), encoding="utf-8")
    read = recipe_file.read(path)
    data = sources.read(read, "train", tmp_path)
    with pytest.raises(TrainingError, match=r"tree_ensemble.trainer 'test_tree_ensemble:Nobody' cannot be found"):
        tree_ensemble.train_trees(read, data, data, members.folds(data, FOLDS, 1))
