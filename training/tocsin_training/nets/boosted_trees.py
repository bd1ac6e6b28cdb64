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


class Trees(nn.Module):
    """The mean of what several ensembles say, before any link function: a logit."""

    def __init__(self, boosters: Sequence[lightgbm.Booster]) -> None:
        """Take ensembles that were fitted on the same features."""
        super().__init__()
        self.boosters = list(boosters)

    def forward(self, told: Tensor) -> Tensor:
        """(M, F) features, NaN where unknown, to (M,)."""
        if not torch.onnx.is_in_onnx_export():
            return torch.from_numpy(self.of(told.numpy()).astype(np.float32))
        shape = (told.shape[0], 1)
        said: Tensor = torch.onnx.ops.symbolic(f"{DOMAIN}::{OPERATOR}", (told,), {}, dtype=torch.float32, shape=shape)
        return said[:, 0]

    def plant(self, model: onnx.ModelProto) -> None:
        """Fill in the operator that the exporter left bare: it takes minutes over so many attributes."""
        (node,) = (node for node in model.graph.node if node.op_type == OPERATOR)
        node.ClearField("attribute")
        node.attribute.extend(
            onnx.helper.make_attribute(name, value) for name, value in attributes(self.boosters).items()
        )
        for entry in model.opset_import:
            if entry.domain == DOMAIN:
                entry.version = VERSION

    def of(self, told: NDArray[np.float32]) -> NDArray[np.float64]:
        """(M,) LightGBM's own answer."""
        said = [booster.predict(told, raw_score=True, num_threads=1) for booster in self.boosters]
        mean: NDArray[np.float64] = np.mean(said, axis=0)
        return mean


def attributes(boosters: Sequence[lightgbm.Booster]) -> dict[str, Any]:
    """The operator's, for the mean of these ensembles."""
    nodes: dict[str, list[Any]] = {"treeids": [], "nodeids": [], **{name: [] for name in _LEAF}}
    leaves: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    roots = [tree["tree_structure"] for booster in boosters for tree in booster.dump_model()["tree_info"]]
    for tree, root in enumerate(roots):
        met = [root]  # nodes are numbered in the order in which they are met
        for number, node in enumerate(met):
            entries: dict[str, Any] = {"treeids": tree, "nodeids": number}
            if "split_feature" in node:
                entries |= _split(node, len(met))
                met += [node["left_child"], node["right_child"]]
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
    """The entries of a split whose children will be numbered `following` and the one after."""
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
    """The greatest single float that is not above a double.

    >>> float(np.float32(0.1)) > 0.1, float(rounded_down(0.1)) <= 0.1
    (True, True)
    """
    with np.errstate(over="ignore"):  # LightGBM writes 1e300 where all that is known goes left
        single = np.float32(threshold)
    return single if float(single) <= threshold else np.nextafter(single, np.float32(-np.inf))
