"""Signature of a graph: names and shapes of inputs and outputs, by task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tocsin.engine.model import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

INPUTS: Final = ("x", "mask", "delta", "state")

# ONNX lets no output share an input's name, so the state comes out as `state_out`.
_EVERY_TASK: Final = ("score", "contribution", "mean", "scale", "state_out")
_BY_TASK: Final[Mapping[Task, tuple[str, ...]]] = {Task.CLASSIFY: ("class",), Task.SEQ2SEQ: ("low", "high")}
_FIELD: Final = {"state_out": "state", "class": "classes"}  # `class` is a keyword


def outputs(task: Task) -> tuple[str, ...]:
    """Names of a graph's outputs, in order.

    >>> outputs(Task.CLASSIFY)
    ('score', 'contribution', 'mean', 'scale', 'state_out', 'class')
    """
    return _EVERY_TASK + _BY_TASK.get(task, ())


def field(output: str) -> str:
    """Field of `StepResult` that holds an output."""
    return _FIELD.get(output, output)


@dataclass(frozen=True, slots=True)
class Signature:
    """Shapes of a step.

    Attributes:
        task: Task of the model.
        channels: Number of channels, C.
        state_size: Size of the state, S.
        horizon_ticks: seq2seq: length of the horizon, K; 0 for other tasks.
        classes: classify: number of classes, K; 0 for other tasks.
        quantiles: seq2seq: number of quantile levels, Q; 0 for other tasks.
    """

    task: Task
    channels: int
    state_size: int
    horizon_ticks: int = 0
    classes: int = 0
    quantiles: int = 0

    def shapes(self, n: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the outputs by name, for N = n rows."""
        c, k = self.channels, self.horizon_ticks
        expected = (n, k, c) if self.task is Task.SEQ2SEQ else (n, c)
        every: dict[str, tuple[int, ...]] = {
            "score": (n,),
            "contribution": (n, c),
            "mean": expected,
            "scale": expected,
            "state_out": (n, self.state_size),
            "class": (n, self.classes),
            "low": (n, c, self.quantiles),
            "high": (n, c, self.quantiles),
        }
        return {name: every[name] for name in outputs(self.task)}
