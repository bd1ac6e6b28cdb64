"""Number of weights that each cell needs for the same error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tocsin_studies.rnn_memory.learner import Learner, fit
from tocsin_studies.rnn_memory.plots import CELL_COLOURS, canvas, save
from tocsin_studies.rnn_memory.streams import held

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from tocsin_studies.rnn_memory.catalogue import Figures, Progress
    from tocsin_training.nets.cells import Cell

CHANNELS, TICKS, STREAMS = 4, 40, 64
WIDTHS: dict[Cell, tuple[int, ...]] = {"rnn": (8, 16, 32, 64, 128), "lstm": (4, 8, 16, 32), "gru": (4, 8, 16, 32)}
LEARNING_RATE = {"rnn": 3e-3, "lstm": 1e-2, "gru": 1e-2}
UPDATES = 1000
WANTED = (0.2, 0.1)  # errors, of the variance
TESTED = 500  # streams


def measure(*, quick: bool, progress: Progress) -> Figures:
    """Train each cell at each width; quick: one width each, briefly."""
    runs = []
    for cell, widths in WIDTHS.items():
        for width in widths[1:2] if quick else widths:
            progress(f"{cell}, {width} units")
            runs.append(_run(cell, width, 150 if quick else UPDATES))
    return {"channels": CHANNELS, "ticks": TICKS, "updates": UPDATES, "wanted": WANTED, "runs": runs}


def _run(cell: Cell, width: int, updates: int) -> Figures:
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(1)
    learner = Learner(cell, 2 * CHANNELS, width, CHANNELS)

    def misfit(learner: Learner) -> Tensor:
        x, target = held(STREAMS, TICKS, CHANNELS, generator)
        loss: Tensor = (learner(x)[0] - target).square().mean()
        return loss

    fit(learner, misfit, updates=updates, learning_rate=LEARNING_RATE[cell])
    with torch.no_grad():
        x, target = held(TESTED, TICKS, CHANNELS, torch.Generator().manual_seed(2))
        error = (learner(x)[0] - target).square().mean() / target.var()
    return {
        "cell": cell,
        "width": width,
        "weights": learner.weights,
        "error": round(float(error), 4),
    }


def fewest(figures: Figures, cell: str, error: float) -> Figures | None:
    """Narrowest network of this cell with an error below the given one, or None."""
    good = [run for run in figures["runs"] if run["cell"] == cell and run["error"] < error]
    return min(good, key=lambda run: run["weights"]) if good else None


def table(figures: Figures) -> str:
    """Every run, and the narrowest sufficient networks, as Markdown."""
    lines = ["| cell | units | weights | error, of the variance |", "|---|---|---|---|"]
    lines += [f"| {run['cell']} | {run['width']} | {run['weights']} | {run['error']:.1%} |" for run in figures["runs"]]
    lines += ["", "| error below | " + " | ".join(WIDTHS) + " |", "|---|" + "---|" * len(WIDTHS)]
    for error in figures["wanted"]:
        needed = [fewest(figures, cell, error) for cell in WIDTHS]
        output = [f"{run['weights']} weights, {run['width']} units" if run else "none tried" for run in needed]
        lines.append(f"| {error:.0%} | " + " | ".join(output) + " |")
    return "\n".join(lines)


def draw(figures: Figures, path: Path) -> None:
    """Draw the error against units, and against weights."""
    figure, axes = canvas(columns=2, width=3.4, share_y=True)
    for axis, size, label in zip(axes, ("width", "weights"), ("units", "weights"), strict=True):
        for cell, colour in CELL_COLOURS.items():
            runs = [run for run in figures["runs"] if run["cell"] == cell]
            axis.plot(
                [run[size] for run in runs], [run["error"] for run in runs], "o-", color=colour, label=cell.upper()
            )
        axis.set(xscale="log", yscale="log", xlabel=label)
    axes[0].set_ylabel("squared error, of the variance")
    axes[0].legend(loc="center right")
    save(figure, path)
