"""From a step module to the bytes of `model.onnx`."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import torch

from tocsin.bundle import start
from tocsin.bundle.signature import INPUTS, outputs
from tocsin_training.nets.boosted_trees import Trees

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from torch import nn

    from tocsin_training.export.step import Opening, StepModule

TRACED_ROWS = 3  # with one row the exporter takes N for the constant 1


def to_onnx(step: StepModule) -> bytes:
    """Export with dynamic N; the same weights give the same bytes."""
    widths = (step.channels, step.channels, step.channels, step.state_size)
    model = _exported(step, widths, INPUTS, outputs(step.task))
    for part in step.modules():
        if isinstance(part, Trees):
            part.plant(model)
    return stripped(model)


def opening_to_onnx(opening: Opening) -> bytes:
    """Export what makes a state from a profile, likewise."""
    return stripped(_exported(opening, (len(opening.network.profile),), (start.INPUT,), (start.OUTPUT,)))


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
    """Serialise without what the exporter notes for its makers: source lines, paths and names of the build."""
    model.doc_string = ""
    model.ClearField("metadata_props")
    graph = model.graph
    graph.name = "step"
    graph.doc_string = ""
    graph.ClearField("metadata_props")
    graph.ClearField("value_info")
    for entry in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        entry.doc_string = ""
        entry.ClearField("metadata_props")
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised
