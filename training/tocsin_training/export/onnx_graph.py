"""ONNX graphs: export of step modules to the bytes of `model.onnx`, and of initial states to `init.onnx`."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import torch

from tocsin.bundle import initial_state
from tocsin.bundle.signature import INPUTS, outputs
from tocsin_training.nets.boosted_trees import BoostedTrees

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from torch import nn

    from tocsin_training.export.step import InitialStateModule, StepModule

TRACED_ROWS = 3  # with one row the exporter takes N for the constant 1

GRAPH_NAMES = {
    "channel_features": "memory",
    "extractor": "teller",
    "head": "",
    "initial_state": "opening",
    "input_decay": "fading",
    "score_module": "weigh",
    "state_decay": "fading",
    "tree_ensemble": "beside",
}
"""Attribute of a module → its part of the names of weights in a graph; "" is left out.

These names are part of the file format: a graph trained again from its recipe has the same bytes, and the same hash in
its manifest, whatever attributes are called.
"""


def to_onnx(step: StepModule) -> bytes:
    """Export a step module with dynamic N; the same weights give the same bytes."""
    widths = (step.channels, step.channels, step.channels, step.state_size)
    model = _exported(step, widths, INPUTS, outputs(step.task))
    for part in step.modules():
        if isinstance(part, BoostedTrees):
            part.embed(model)
    return stripped(model)


def initial_state_to_onnx(module: InitialStateModule) -> bytes:
    """Export the module that makes a state from a profile."""
    return stripped(_exported(module, (len(module.network.profile),), (initial_state.INPUT,), (initial_state.OUTPUT,)))


def _exported(
    module: nn.Module, widths: Sequence[int], inputs: Sequence[str], named_outputs: Sequence[str]
) -> onnx.ModelProto:
    module = module.cpu().eval()
    example = tuple(torch.zeros(TRACED_ROWS, width) for width in widths)  # one tensor given twice becomes one input
    n = torch.export.Dim("N")
    exporters = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir", "torch.onnx")]
    levels = [logger.level for logger in exporters]
    try:
        for logger in exporters:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter warns of its own deprecations; parity judges its work
            program = torch.onnx.export(
                module,
                example,
                dynamo=True,
                input_names=inputs,
                output_names=named_outputs,
                dynamic_shapes=[{0: n} for _ in inputs],
                verbose=False,
            )
    finally:
        for logger, level in zip(exporters, levels, strict=True):
            logger.setLevel(level)
    if program is None:
        raise AssertionError  # only without dynamo does the exporter give nothing back
    return program.model_proto


def stripped(model: onnx.ModelProto) -> bytes:
    """Serialise with the names of `GRAPH_NAMES`, and without the exporter's source lines, paths and build names."""
    model.doc_string = ""
    model.ClearField("metadata_props")
    graph = model.graph
    graph.name = "step"
    graph.doc_string = ""
    graph.ClearField("metadata_props")
    graph.ClearField("value_info")
    names = {entry.name: graph_name(entry.name) for entry in graph.initializer}
    for entry in graph.initializer:
        entry.name = names[entry.name]
    for node in graph.node:
        for number, name in enumerate(node.input):
            node.input[number] = names.get(name, name)
    for entry in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        entry.doc_string = ""
        entry.ClearField("metadata_props")
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised


def graph_name(weight: str) -> str:
    """Name of a weight in a graph.

    >>> graph_name("network.channel_features.mean"), graph_name("members.0.head.event.bias"), graph_name("val_13")
    ('network.memory.mean', 'members.0.event.bias', 'val_13')
    """
    parts = (GRAPH_NAMES.get(part, part) for part in weight.split("."))
    return ".".join(part for part in parts if part)
