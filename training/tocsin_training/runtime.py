"""ONNX Runtime as a step function, called the way the daemon calls it: padded to 16 rows, on one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort

from tocsin.engine.model import StepResult
from tocsin_training.step import INPUTS, OUTPUTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

PADDED_TO = 16


class OnnxStep:
    """A graph's bytes as a `tocsin.engine.model.StepFunction`."""

    def __init__(self, graph: bytes) -> None:
        """Make the session."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def __call__(
        self,
        x: NDArray[np.float32],
        mask: NDArray[np.float32],
        delta: NDArray[np.float32],
        state: NDArray[np.float32],
    ) -> StepResult:
        """Step N rows."""
        rows = len(x)
        padding = ((0, -rows % PADDED_TO), (0, 0))
        feeds = {name: np.pad(part, padding) for name, part in zip(INPUTS, (x, mask, delta, state), strict=True)}
        score, contribution, mean, scale, after = (part[:rows] for part in self._session.run(OUTPUTS, feeds))
        return StepResult(score, contribution, mean, scale, after)
