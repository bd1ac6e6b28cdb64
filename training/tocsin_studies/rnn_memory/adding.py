"""Adding problem: two numbers, far apart, are to be added (Hochreiter and Schmidhuber 1997)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tocsin_studies.rnn_memory.learner import EVERY, Learner, fit
from tocsin_studies.rnn_memory.plots import CELL_COLOURS, canvas, save
from tocsin_studies.rnn_memory.streams import TRIVIAL_ADDING, adding

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from tocsin_studies.rnn_memory.catalogue import Figures, Progress
    from tocsin_training.nets.cells import Cell

CELLS: tuple[Cell, ...] = ("rnn", "lstm", "gru")
TICKS = (50, 100, 200, 400)
WIDTH, STREAMS = 32, 64
LEARNING_RATE = {"rnn": 1e-3, "lstm": 3e-3, "gru": 1e-2}  # chosen in trials at T = 50 and 100
UPDATES = {50: 1500, 100: 2500, 200: 1500, 400: 600}  # a tick costs time: the longest get fewer
SOLVED = 0.01  # of an error whose trivial value is 1/6
TESTED = 1000  # streams


def measure(*, quick: bool, progress: Progress) -> Figures:
    """Train every cell at every length; quick: the gated ones at T = 20."""
    runs = []
    for ticks in (20,) if quick else TICKS:
        for cell in CELLS[1:] if quick else CELLS:
            progress(f"{cell}, T = {ticks}")
            runs.append(_run(cell, ticks, 400 if quick else UPDATES[ticks], 1e-2 if quick else LEARNING_RATE[cell]))
    return {"trivial": TRIVIAL_ADDING, "every": EVERY, "width": WIDTH, "streams": STREAMS, "runs": runs}


def _run(cell: Cell, ticks: int, updates: int, learning_rate: float) -> Figures:
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(ticks)
    learner = Learner(cell, 2, WIDTH, 1)

    def misfit(learner: Learner, streams: int = STREAMS) -> Tensor:
        x, target = adding(streams, ticks, generator)
        output, _ = learner(x)
        loss: Tensor = (output[:, -1, 0] - target).square().mean()
        return loss

    curve = fit(learner, misfit, updates=updates, learning_rate=learning_rate, enough=SOLVED / 4)
    with torch.no_grad():
        error = float(misfit(learner, TESTED))
    return {
        "cell": cell,
        "ticks": ticks,
        "learning_rate": learning_rate,
        "updates": len(curve) * EVERY,
        "error": round(error, 4),
        "curve": [round(loss, 4) for loss in curve],
    }


def table(figures: Figures) -> str:
    """Error of every cell, as a Markdown table."""
    lines = ["| T | cell | error on new streams | of the trivial 1/6 | updates |", "|---|---|---|---|---|"]
    for run in figures["runs"]:
        share = run["error"] / figures["trivial"]
        lines.append(f"| {run['ticks']} | {run['cell']} | {run['error']:.4f} | {share:.0%} | {run['updates']} |")
    return "\n".join(lines)


def draw(figures: Figures, path: Path) -> None:
    """Draw a panel for each length: error against updates."""
    lengths = sorted({run["ticks"] for run in figures["runs"]})
    figure, axes = canvas(columns=len(lengths), share_y=True)
    for axis, ticks in zip(axes, lengths, strict=True):
        axis.axhline(figures["trivial"], color="0.4", linestyle="--", linewidth=1, label="always saying 1")
        for run in figures["runs"]:
            if run["ticks"] == ticks:
                updates = [figures["every"] * (i + 1) for i in range(len(run["curve"]))]
                axis.plot(updates, run["curve"], color=CELL_COLOURS[run["cell"]], label=run["cell"].upper())
        axis.set(title=f"T = {ticks}", xlabel="updates", yscale="log")
    axes[0].set_ylabel("squared error")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    save(figure, path)
