"""Catalogue of the experiments."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

Figures = dict[str, Any]  # what was measured, as it stands in the JSON beside the picture
Progress = Callable[[str], None]  # what is being done now


class Module(Protocol):
    """Protocol of an experiment's module."""

    def measure(self, *, quick: bool, progress: Progress) -> Figures:
        """Run the experiment; quick: within seconds."""

    def table(self, figures: Figures) -> str:
        """Figures as a Markdown table."""

    def draw(self, figures: Figures, path: Path) -> None:
        """Draw the figures."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment.

    Attributes:
        shows: The question it answers.
        minutes: Duration of a full run on an idle core.
    """

    shows: str
    minutes: float


EXPERIMENTS = {
    "adding": Experiment("the adding problem: who can add two numbers that lie T ticks apart?", 5),
    "copying": Experiment("the copy task: who can repeat five letters after a silence?", 1.5),
    "lag": Experiment("how much of a gradient is left after so many ticks, and why a plain RNN forgets", 0.5),
    "gates": Experiment("what the gates of an LSTM do on one stream of the simulated ward", 0.5),
    "by-hand": Experiment("back-propagation through time written by hand, against autograd", 0.1),
    "truncation": Experiment("truncated back-propagation against the lag that it has to bridge", 2),
    "stepwise": Experiment("whole sequences in PyTorch against single steps in ONNX, saved and restored midway", 0.5),
    "units": Experiment("how many weights each cell needs for the same error", 1.5),
}


def module(name: str) -> Module:
    """Import the module of an experiment.

    Raises:
        TrainingError: There is none of this name.
    """
    if name not in EXPERIMENTS:
        raise TrainingError(f"experiment {name!r} is unknown; there are: {', '.join(EXPERIMENTS)}")
    return cast("Module", importlib.import_module(f"tocsin_studies.rnn_memory.{name.replace('-', '_')}"))
