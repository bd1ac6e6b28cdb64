"""Recurrent cells: whole sequences against single steps, and decay while channels are missing."""

from __future__ import annotations

import math

import pytest
import torch

from tocsin.bundle.graph import Graph
from tocsin_training import recipe_file
from tocsin_training.data.sources import read
from tocsin_training.export import onnx_graph, parity
from tocsin_training.nets.cells import Recurrence, vectors
from tocsin_training.nets.decay import SPAN_TICKS, InputDecay, StateDecay
from tocsin_training.tasks.registry import network_of, task_of

CELLS = ["rnn", "lstm", "gru"]


def _stepped(recurrence, inputs, state, delta):
    shown = []
    for t in range(inputs.shape[1]):
        h, state = recurrence.step(inputs[:, t], state, delta=delta[:, t])
        shown.append(h)
    return torch.stack(shown, dim=1), state


@pytest.mark.parametrize("cell", CELLS)
def test_a_single_step_equals_the_fused_kernel(cell):
    torch.manual_seed(0)
    recurrence = Recurrence(cell, 3, 5, 2)
    inputs, state, delta = torch.randn(4, 7, 3), torch.randn(4, recurrence.state_size), torch.zeros(4, 7, 3)
    for actual, expected in zip(
        _stepped(recurrence, inputs, state, delta), recurrence(inputs, state, delta), strict=True
    ):
        torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("cell", CELLS)
def test_a_state_without_decay_equals_that_of_the_fused_kernel(cell):
    torch.manual_seed(0)
    fading = StateDecay(3, 10, vectors(cell), period_s=1.0)
    recurrence = Recurrence(cell, 3, 5, 2, state_decay=fading)
    inputs, state, delta = torch.randn(4, 7, 3), torch.randn(4, recurrence.state_size), torch.rand(4, 7, 3) * 100
    faded, _ = recurrence(inputs, state, delta)
    torch.nn.init.zeros_(fading.rate.weight)
    fused, after = recurrence(inputs, state)
    assert not torch.allclose(faded, fused, atol=1e-3)
    for actual, expected in zip(recurrence(inputs, state, delta), (fused, after), strict=True):
        torch.testing.assert_close(actual, expected)


def test_a_last_value_decays_towards_the_mean_while_its_channel_is_missing():
    fading = InputDecay(2, period_s=60.0)
    last, mask = torch.tensor([[3.0, -2.0]]), torch.tensor([[0.0, 1.0]])
    taken = fading(last, mask, torch.tensor([[2 * SPAN_TICKS * 60.0, 2 * SPAN_TICKS * 60.0]]))
    assert taken.tolist() == [pytest.approx([3.0 * math.exp(-2.0), -2.0])]


def test_both_state_vectors_of_an_lstm_decay_alike():
    fading = StateDecay(1, 2, vectors("lstm"), period_s=1.0)
    with torch.no_grad():
        fading.rate.weight.copy_(torch.tensor([[1.0], [-1.0]]))  # the second unit's γ stays 1, never above
    faded = fading(torch.ones(1, 4), torch.tensor([[SPAN_TICKS]]))
    assert faded.tolist() == [pytest.approx([math.exp(-1.0), 1.0, math.exp(-1.0), 1.0])]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("changes", [{"decay": "both"}, {"decay": "both", "task": "alarm"}], ids=["forecast", "alarm"])
def test_an_exported_graph_with_decay_computes_what_was_trained(toy, tmp_path, cell, changes):
    recipe = recipe_file.read(toy(cell=cell, **changes))
    torch.manual_seed(0)
    network = network_of(recipe)
    data = read(recipe, "train", tmp_path)
    network.channel_features.fit(data.x, data.mask)
    torch.nn.init.normal_(network.head.forecast.weight)
    torch.nn.init.uniform_(network.recurrence.state_decay.rate.weight, 0.0, 0.5)
    module = task_of(recipe).step_module([network.eval()], recipe, None)
    parity.check(Graph(onnx_graph.to_onnx(module)), module, [network], recipe, steps=30)


def test_decay_rates_are_learned(toy):
    recipe = recipe_file.read(toy(decay="both"))
    network = network_of(recipe)
    data = parity.simulated(recipe, 4, 10)
    torch.nn.init.normal_(network.head.forecast.weight)
    output, _ = network(*(torch.from_numpy(part.reshape(4, 10, -1)) for part in (data.x, data.mask, data.delta)))
    output.mean.square().sum().backward()
    for fading in (network.input_decay, network.recurrence.state_decay):
        for name, parameter in fading.named_parameters():
            assert parameter.grad.abs().sum() > 0, name
