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
    """Extracts the last value of each of three readings, NaN before the first, and its number of measurements."""

    state_size = 6

    def forward(self, x, mask, delta, state, owner=None):  # noqa: ARG002
        n = state.shape[0]
        last, count = (shared(part, owner) for part in state.split(3, dim=1))
        last, count = torch.where(mask[:, :3] > 0, x[:, :3], last), count + mask[:, :3]
        features = torch.cat([torch.where(count > 0, last, torch.nan), count], dim=1)
        return features, torch.cat([last, count], dim=1)[:n]


class Grower:
    """Trains a few small trees on the labels, and records the streams."""

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


def test_a_bundle_with_trees_combines_the_scores_of_both(recipe, tmp_path, monkeypatch):
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
        assert result.score[0] == together[row], "no score depends on later frames or other streams"


def test_trees_score_no_stream_that_they_were_trained_on(recipe, tmp_path):
    read = recipe_file.read(recipe)
    data, valid = (sources.read(read, part, tmp_path) for part in ("train", "valid"))
    fold = members.folds(data, FOLDS, read.training.seed)
    notes = importlib.import_module("test_tree_ensemble").Grower.fitted  # the module that the recipe names
    notes.clear()
    grown, scores = tree_ensemble.train_trees(read, data, valid, fold)
    without = [set(np.flatnonzero(fold != k).tolist()) for k in range(FOLDS)]
    assert notes == [without[0], without[0], without[1], without[1], without[2], without[2]]
    again, _ = tree_ensemble.train_trees(read, data, valid, fold)
    assert attributes(grown.trees.boosters) == attributes(again.trees.boosters), "training is reproducible bit for bit"
    for k in range(FOLDS):
        rows = data.rows(np.flatnonzero(fold == k))
        expected = BoostedTrees(grown.trees.boosters[2 * k : 2 * k + 2]).predict(
            tree_ensemble.extracted_features(Last(), data)[rows]
        )
        np.testing.assert_allclose(scores[rows], expected, rtol=1e-6)
    np.testing.assert_allclose(
        scores[len(data.x) :], grown.trees.predict(tree_ensemble.extracted_features(Last(), valid)), rtol=1e-6
    )


def test_trees_need_folds_and_an_existing_trainer(toy, tmp_path):
    path = toy(task="alarm", folds=1)
    path.write_text(path.read_text(encoding="utf-8") + TREES, encoding="utf-8")
    with pytest.raises(TrainingError, match=r"tree_ensemble needs training\.folds of 3 or more"):
        recipe_file.read(path)
    path = toy(task="alarm", folds=FOLDS)
    path.write_text(path.read_text(encoding="utf-8") + TREES.replace("Grower", "Missing"), encoding="utf-8")
    read = recipe_file.read(path)
    data = sources.read(read, "train", tmp_path)
    with pytest.raises(TrainingError, match=r"tree_ensemble.trainer 'test_tree_ensemble:Missing' cannot be found"):
        tree_ensemble.train_trees(read, data, data, members.folds(data, FOLDS, 1))
