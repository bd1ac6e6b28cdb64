"""Boosted trees in a graph predict as LightGBM does, at thresholds and for missing values too."""

from __future__ import annotations

import lightgbm
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from tocsin_training.errors import TrainingError
from tocsin_training.nets.boosted_trees import DOMAIN, OPERATOR, VERSION, BoostedTrees, attributes, rounded_down

FEATURES = 5
PLAIN = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, "objective": "binary"}


def _rows(random, count, missing):
    features = random.standard_normal((count, FEATURES)).astype(np.float32)
    features[:, 1] = np.round(features[:, 1] * 3)  # whole numbers, zeros among them
    features[:, :3][random.random((count, 3)) < missing] = np.nan
    return features


@pytest.fixture(scope="module")
def boosters():
    """Two ensembles; features 0 to 2 had missing values in training, the others none."""
    random = np.random.default_rng(3)
    made = []
    for seed in range(2):
        features = _rows(random, 600, 0.3)
        label = (np.nan_to_num(features[:, 0], nan=1.0) + features[:, 3] + np.nan_to_num(features[:, 1]) > 0.2).astype(
            float
        )
        made.append(lightgbm.train(PLAIN | {"seed": seed}, lightgbm.Dataset(features, label), 20))
    return made


def _session(boosters):
    node = helper.make_node(OPERATOR, ["features"], ["score"], domain=DOMAIN)
    graph = helper.make_graph(
        [node],
        "trees",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", FEATURES])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N", 1])],
    )
    imports = [helper.make_opsetid("", 20), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=10)
    BoostedTrees(boosters).embed(model)
    assert {entry.domain: entry.version for entry in model.opset_import}[DOMAIN] == VERSION
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda features: session.run(None, {"features": features})[0][:, 0]


def test_the_graph_predicts_as_lightgbm_does(boosters):
    features = _rows(np.random.default_rng(4), 2000, 0.3)
    features[::7, 3] = np.nan  # missing in a feature that had no missing values in training
    wanted = np.mean([booster.predict(features, raw_score=True) for booster in boosters], axis=0)
    np.testing.assert_allclose(_session(boosters)(features), wanted, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(BoostedTrees(boosters)(torch.from_numpy(features)).numpy(), wanted, rtol=1e-6, atol=1e-6)


def test_a_value_at_a_threshold_or_one_bit_off_takes_the_branch_of_lightgbm(boosters):
    entries = attributes(boosters)
    splits = [
        (feature, np.float32(value))
        for feature, value, mode in zip(
            entries["nodes_featureids"], entries["nodes_values"], entries["nodes_modes"], strict=True
        )
        if mode == "BRANCH_LEQ"
        and abs(value) > 1e-30  # around zero LightGBM separates the signs; the next line tests 0
    ]
    splits += [(1, np.float32(0))]
    features = np.repeat(_rows(np.random.default_rng(5), 1, 0.0), 3 * len(splits), axis=0)
    for number, (feature, value) in enumerate(splits):
        for side, towards in enumerate((-np.inf, None, np.inf)):
            at = value if towards is None else np.nextafter(value, np.float32(towards))
            features[3 * number + side, feature] = at
    wanted = np.mean([booster.predict(features, raw_score=True) for booster in boosters], axis=0)
    assert len(np.unique(wanted)) > 10  # the splits separate the rows
    np.testing.assert_allclose(_session(boosters)(features), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("threshold", [0.1, -0.1, 1e-35, 0.5, 12345.678901])
def test_a_threshold_is_rounded_down(threshold):
    single = rounded_down(threshold)
    assert float(single) <= threshold < float(np.nextafter(single, np.float32(np.inf)))


def test_a_threshold_above_all_single_floats_is_the_greatest():
    assert rounded_down(1e300) == np.finfo(np.float32).max


def test_trees_with_categorical_splits_are_refused():
    random = np.random.default_rng(6)
    kind = random.integers(0, 4, (400, 1)).astype(float)
    data = lightgbm.Dataset(kind, (kind[:, 0] % 2 == 0).astype(float), categorical_feature=[0])
    with pytest.raises(TrainingError, match=r"a split by == .* fit trees on numbers"):
        attributes([lightgbm.train(PLAIN | {"min_data_per_group": 1, "max_cat_to_onehot": 1}, data, 2)])
