"""Vanishing gradients: norm of a gradient by lag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tocsin_studies.rnn_memory.learner import Learner, fit
from tocsin_studies.rnn_memory.plots import CELL_COLOURS, canvas, save
from tocsin_studies.rnn_memory.streams import adding

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin_studies.rnn_memory.catalogue import Figures, Progress
    from tocsin_training.nets.cells import Cell

WIDTH, STREAMS = 32, 64
TICKS = 100
SHRUNK_OR_BLOWN_UP = (0.5, 0.8, 1.0, 1.5, 2.0)  # what a plain cell's matrix for the past, orthogonal, is multiplied by
LEARNED_TICKS = 50  # of the adding problem
LEARNED: dict[Cell, tuple[int, float]] = {
    "rnn": (1500, 1e-3),
    "lstm": (1500, 3e-3),
    "gru": (1500, 1e-2),
}  # updates, learning rate
FADED = 1e-20  # what is smaller is drawn here
FAR_LAGS = (1, 10, 50, 100)


def measure(*, quick: bool, progress: Progress) -> Figures:
    """Measure gradients of untrained and of trained networks; quick: untrained ones alone."""
    runs: list[Figures] = []
    progress("new networks")
    for scale in SHRUNK_OR_BLOWN_UP:
        learner = _learner("rnn")
        with torch.no_grad():
            learner.recurrence.fused.weight_hh_l0 *= scale
        runs.append({"panel": "matrix", "name": f"× {scale:g}", "left": _left(learner)})
    runs += [{"panel": "new", "name": cell, "left": _left(_learner(cell))} for cell in LEARNED]
    for cell, (updates, learning_rate) in LEARNED.items():
        if quick:
            break
        progress(f"{cell}, learning")
        learner, generator = _learner(cell), torch.Generator().manual_seed(1)

        def misfit(learner: Learner, generator: torch.Generator = generator) -> Tensor:
            x, target = adding(STREAMS, LEARNED_TICKS, generator)
            loss: Tensor = (learner(x)[0][:, -1, 0] - target).square().mean()
            return loss

        curve = fit(learner, misfit, updates=updates, learning_rate=learning_rate, enough=0.0025)
        runs.append({"panel": "learned", "name": cell, "left": _left(learner), "error": round(curve[-1], 4)})
    return {"ticks": TICKS, "width": WIDTH, "learned_ticks": LEARNED_TICKS, "runs": runs}


def _learner(cell: Cell) -> Learner:
    torch.manual_seed(1)
    return Learner(cell, 2, WIDTH, 1)


def _left(learner: Learner) -> list[float]:
    """Norm of ∂h(T) / ∂s(T - k) along a random direction, by k, relative to k = 0; medians over streams."""
    generator = torch.Generator().manual_seed(2)
    x, _ = adding(STREAMS, TICKS, generator)
    state = torch.zeros(STREAMS, learner.recurrence.state_size, requires_grad=True)
    states = [state]
    for t in range(TICKS):
        h, state = learner.recurrence.step(x[:, t], states[-1])
        states.append(state)
    direction = torch.randn(h.shape, generator=generator)
    gradients = torch.autograd.grad((h * direction).sum(), states[:-1])
    norms = torch.stack([gradient.norm(dim=1).median() for gradient in reversed(gradients)])
    return [float(f"{share:.4g}") for share in (norms / direction.norm(dim=1).median()).tolist()]


def table(figures: Figures) -> str:
    """Relative norms at some lags, as a Markdown table."""
    lines = ["| network | " + " | ".join(f"{lag} ticks back" for lag in FAR_LAGS) + " |", "|---|---|---|---|---|"]
    for run in figures["runs"]:
        named = {
            "matrix": f"rnn, new, matrix {run['name']}",
            "new": f"{run['name']}, new",
            "learned": f"{run['name']}, after learning (error {run.get('error', 0):.4f})",
        }[run["panel"]]
        lines.append(f"| {named} | " + " | ".join(f"{run['left'][lag - 1]:.1e}" for lag in FAR_LAGS) + " |")
    return "\n".join(lines)


def draw(figures: Figures, path: Path) -> None:
    """Draw three panels: a plain cell with scaled matrix, untrained cells, trained cells."""
    titles = {
        "matrix": "plain cell, its matrix scaled",
        "new": "cells as drawn",
        "learned": f"after the adding problem, T = {figures['learned_ticks']}",
    }
    panels = list(dict.fromkeys(run["panel"] for run in figures["runs"]))
    figure, axes = canvas(columns=len(panels), width=3.4, share_y=True)
    for axis, panel in zip(axes, panels, strict=True):
        for order, run in enumerate(run for run in figures["runs"] if run["panel"] == panel):
            colour = CELL_COLOURS.get(run["name"], f"C{order}")
            label = run["name"].upper() if run["name"] in CELL_COLOURS else run["name"]
            lags = range(1, len(run["left"]) + 1)
            axis.plot(lags, [max(share, FADED) for share in run["left"]], color=colour, label=label)
        axis.set(title=titles[panel], xlabel="ticks back", yscale="log", ylim=(1e-12, 1e10))
        axis.legend(loc="upper left", ncols=3)
    axes[0].set_ylabel("gradient, of that at the end")
    save(figure, path)
