"""Parity check of an exported graph with its network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tocsin.bundle.graph import Graph
from tocsin_training import recipe_file
from tocsin_training.data.sources import read
from tocsin_training.errors import TrainingError
from tocsin_training.export import onnx_graph, parity
from tocsin_training.tasks.registry import network_of, task_of


@pytest.fixture
def exported(toy, tmp_path):
    """A network with random weights, its step module and its graph."""
    recipe = recipe_file.read(toy(task="alarm"))
    torch.manual_seed(0)
    network = network_of(recipe).eval()
    data = read(recipe, "train", tmp_path)
    network.channel_features.fit(data.x, data.mask)
    module = task_of(recipe).step_module([network], recipe, None)
    return recipe, network, module, onnx_graph.to_onnx(module)


def test_the_same_weights_give_the_same_bytes(exported):
    _, _, module, serialised = exported
    assert onnx_graph.to_onnx(module) == serialised
    assert b"tocsin_training" not in serialised
    assert b".py" not in serialised


def test_a_graph_with_other_weights_is_refused(exported):
    recipe, network, module, serialised = exported
    graph = Graph(serialised)
    parity.check(graph, module, [network], recipe, steps=20)
    with torch.no_grad():
        network.head.event.bias += 1e-3
    with pytest.raises(TrainingError, match=r"score of step 0, N = 1: the graph gives .* the bundle was not written"):
        parity.check(graph, module, [network], recipe, steps=20)


def test_a_steep_calibration_is_no_parity_failure(exported):
    """A steep calibration amplifies small differences of logits."""
    recipe, network, module, _ = exported
    module.slope.fill_(138.0)
    serialised = onnx_graph.to_onnx(module)
    parity.check(Graph(serialised), module, [network], recipe, steps=100)
    with torch.no_grad():
        module.offset += 0.01
    text = r"score of step \d+, N = 1: the graph .* may differ by .*Install the versions of torch, .*report the recipe"
    with pytest.raises(TrainingError, match=text):
        parity.check(Graph(serialised), module, [network], recipe, steps=20)


def test_the_tolerance_for_a_calibration_is_bounded(exported):
    recipe, network, module, _ = exported
    module.slope.fill_(1e6)
    module.offset.fill_(-1e6 * 0.4)
    serialised = onnx_graph.to_onnx(module)
    with torch.no_grad():
        module.offset += 0.1
    with pytest.raises(TrainingError, match=r"(score|contribution) of step"):
        parity.check(Graph(serialised), module, [network], recipe, steps=100)


def test_a_state_that_amplifies_rounding_errors_is_reported(exported):
    recipe, network, module, _ = exported
    with torch.no_grad():
        for name, weights in network.recurrence.named_parameters():
            if "weight_hh" in name:
                weights.mul_(10.0)
    serialised = onnx_graph.to_onnx(module)
    text = r"over the whole sequence, .*Single steps agree, so .*lower training\.learning_rate"
    with pytest.raises(TrainingError, match=text):
        parity.check(Graph(serialised), module, [network], recipe, steps=300)


def test_contribution_is_the_drop_in_the_logit(exported):
    """A channel's contribution equals the drop of the logit when it is masked."""
    recipe, _, module, serialised = exported
    graph = Graph(serialised)
    data = parity.simulated(recipe, 4, 3)
    x, mask, delta = (part.reshape(4, 3, -1) for part in (data.x, data.mask, data.delta))
    state = np.zeros((4, module.state_size), dtype=np.float32)
    for t in range(3):
        result = graph(x[:, t], mask[:, t], delta[:, t], state)
        for channel in range(x.shape[2]):
            keep = np.ones(x.shape[2], dtype=np.float32)
            keep[channel] = 0
            without = graph(x[:, t] * keep, mask[:, t] * keep, delta[:, t], state)
            drop = _logit(result.score) - _logit(without.score)
            np.testing.assert_allclose(result.contribution[:, channel], drop, atol=1e-4)
        assert (result.contribution[mask[:, t] == 0] == 0).all()
        state = result.state


def _logit(chance):
    return np.log(chance.astype(float)) - np.log1p(-chance.astype(float))
