"""From a step module to the bytes of `model.onnx`."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import torch

from tocsin_training.step import INPUTS, OUTPUTS

if TYPE_CHECKING:
    import onnx

    from tocsin_training.step import StepModule

TRACED_ROWS = 3  # with one row the exporter takes N for the constant 1


def to_onnx(step: StepModule) -> bytes:
    """Export with dynamic N; the same weights give the same bytes."""
    step = step.cpu().eval()
    widths = (step.channels, step.channels, step.channels, step.state_size)
    example = tuple(torch.zeros(TRACED_ROWS, width) for width in widths)  # one tensor given twice becomes one input
    n = torch.export.Dim("N")
    exporters = [logging.getLogger(name) for name in ("onnxscript", "torch.onnx")]
    levels = [logger.level for logger in exporters]
    try:
        for logger in exporters:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter warns of its own deprecations; parity judges its work
            program = torch.onnx.export(
                step,
                example,
                dynamo=True,
                input_names=INPUTS,
                output_names=OUTPUTS,
                dynamic_shapes={name: {0: n} for name in INPUTS},
                verbose=False,
            )
    finally:
        for logger, level in zip(exporters, levels, strict=True):
            logger.setLevel(level)
    if program is None:
        raise AssertionError  # only without dynamo does the exporter give nothing back
    return stripped(program.model_proto)


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
