"""Gradient-boosted trees in a graph: LightGBM's, as ONNX's operator TreeEnsembleRegressor (ai.onnx.ml).

In a graph a split compares single floats. LightGBM's thresholds are doubles, so each is rounded down to a single one:
a feature of single floats then falls on the same side in both. What is missing (NaN) goes where LightGBM sends it: to
the side it learned, or, where training had no missing value at that split, where a zero goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnx.helper
import torch
from torch import Tensor, nn

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import lightgbm
    from numpy.typing import NDArray

DOMAIN, VERSION, OPERATOR = "ai.onnx.ml", 3, "TreeEnsembleRegressor"


class BoostedTrees(nn.Module):
    """Mean of several ensembles' raw scores (before any link function): a logit."""

    def __init__(self, boosters: Sequence[lightgbm.Booster]) -> None:
        """Take ensembles that were fitted on the same features."""
        super().__init__()
        self.boosters = list(boosters)

    def forward(self, features: Tensor) -> Tensor:
        """Logit (M,) of features (M, F), NaN where unknown."""
        if not torch.onnx.is_in_onnx_export():
            return torch.from_numpy(self.predict(features.numpy()).astype(np.float32))
        shape = (features.shape[0], 1)
        raw: Tensor = torch.onnx.ops.symbolic(
            f"{DOMAIN}::{OPERATOR}", (features,), {}, dtype=torch.float32, shape=shape
        )
        return raw[:, 0]

    def embed(self, model: onnx.ModelProto) -> None:
        """Fill in the attributes of the operator that the exporter left bare; it would take minutes over them."""
        (node,) = (node for node in model.graph.node if node.op_type == OPERATOR)
        node.ClearField("attribute")
        node.attribute.extend(
            onnx.helper.make_attribute(name, value) for name, value in attributes(self.boosters).items()
        )
        for entry in model.opset_import:
            if entry.domain == DOMAIN:
                entry.version = VERSION

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logit (M,) as LightGBM computes it."""
        raw = [booster.predict(features, raw_score=True, num_threads=1) for booster in self.boosters]
        mean: NDArray[np.float64] = np.mean(raw, axis=0)
        return mean


def attributes(boosters: Sequence[lightgbm.Booster]) -> dict[str, Any]:
    """Attributes of the operator for the mean of these ensembles."""
    nodes: dict[str, list[Any]] = {"treeids": [], "nodeids": [], **{name: [] for name in _LEAF}}
    leaves: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    roots = [tree["tree_structure"] for booster in boosters for tree in booster.dump_model()["tree_info"]]
    for tree, root in enumerate(roots):
        numbered = [root]  # nodes are numbered breadth first
        for number, node in enumerate(numbered):
            entries: dict[str, Any] = {"treeids": tree, "nodeids": number}
            if "split_feature" in node:
                entries |= _split(node, len(numbered))
                numbered += [node["left_child"], node["right_child"]]
            else:
                entries |= _LEAF
                weight = float(node["leaf_value"]) / len(boosters)
                for column, value in zip(leaves.values(), (tree, number, 0, weight), strict=True):
                    column.append(value)
            for name, value in entries.items():
                nodes[name].append(value)
    return {f"nodes_{name}": values for name, values in nodes.items()} | {
        "post_transform": "NONE",
        "aggregate_function": "SUM",
        "n_targets": 1,
        **{f"target_{name}": values for name, values in leaves.items()},
    }


_LEAF = {
    "modes": "LEAF",
    "featureids": 0,
    "values": 0.0,
    "truenodeids": 0,
    "falsenodeids": 0,
    "missing_value_tracks_true": 0,
}


def _split(node: dict[str, Any], following: int) -> dict[str, Any]:
    """Entries of a split whose children are numbered `following` and `following` + 1."""
    if node["decision_type"] != "<=" or node["missing_type"] == "Zero":
        raise TrainingError(
            f"a split by {node['decision_type']} (missing: {node['missing_type']}) has no place in the graph; "
            "fit trees on numbers alone, with zero_as_missing off"
        )
    threshold = float(node["threshold"])
    return {
        "modes": "BRANCH_LEQ",
        "featureids": int(node["split_feature"]),
        "values": float(rounded_down(threshold)),
        "truenodeids": following,
        "falsenodeids": following + 1,
        "missing_value_tracks_true": int(node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0.0),
    }


def rounded_down(threshold: float) -> np.float32:
    """Greatest float32 not above a float64.

    >>> float(np.float32(0.1)) > 0.1, float(rounded_down(0.1)) <= 0.1
    (True, True)
    """
    with np.errstate(over="ignore"):  # LightGBM writes 1e300 where all known values go left
        single = np.float32(threshold)
    return single if float(single) <= threshold else np.nextafter(single, np.float32(-np.inf))
