"""Copy task: five letters, a silence, and then all of them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tocsin_studies.rnn_memory.learner import EVERY, Learner, fit
from tocsin_studies.rnn_memory.plots import CELL_COLOURS, canvas, save
from tocsin_studies.rnn_memory.streams import ALPHABET, SYMBOLS, copying

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from tocsin_studies.rnn_memory.catalogue import Figures, Progress
    from tocsin_training.nets.cells import Cell

CELLS: tuple[Cell, ...] = ("rnn", "lstm", "gru")
DELAYS = (5, 20, 50)
WIDTH, STREAMS = 48, 64
LEARNING_RATE = {"rnn": 1e-3, "lstm": 5e-3, "gru": 5e-3}
UPDATES = 1000
SOLVED = 0.02  # nats a letter; the trivial answer costs log 8 = 2.08
TESTED = 1000  # streams


def measure(*, quick: bool, progress: Progress) -> Figures:
    """Train every cell for every delay; quick: the gated ones, for two ticks of silence."""
    runs = []
    for delay in (2,) if quick else DELAYS:
        for cell in CELLS[1:] if quick else CELLS:
            progress(f"{cell}, a silence of {delay}")
            runs.append(_run(cell, delay, 400 if quick else UPDATES))
    return {"chance": 1 / ALPHABET, "every": EVERY, "width": WIDTH, "streams": STREAMS, "runs": runs}


def _run(cell: Cell, delay: int, updates: int) -> Figures:
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(delay)
    learner = Learner(cell, ALPHABET + 2, WIDTH, ALPHABET)

    def misfit(learner: Learner) -> Tensor:
        x, letters = copying(STREAMS, delay, generator)
        output = learner(x)[0][:, -SYMBOLS:]  # (B, 5, 8)
        return torch.nn.functional.cross_entropy(output.flatten(0, 1), letters.flatten())

    curve = fit(learner, misfit, updates=updates, learning_rate=LEARNING_RATE[cell], enough=SOLVED)
    with torch.no_grad():
        x, letters = copying(TESTED, delay, generator)
        right = (learner(x)[0][:, -SYMBOLS:].argmax(2) == letters).float().mean()
    return {
        "cell": cell,
        "delay": delay,
        "updates": len(curve) * EVERY,
        "right": round(float(right), 3),
        "curve": [round(loss, 4) for loss in curve],
    }


def table(figures: Figures) -> str:
    """Share of the letters that were recalled, as a Markdown table."""
    delays = sorted({run["delay"] for run in figures["runs"]})
    lines = [
        "| cell | " + " | ".join(f"silence of {delay}" for delay in delays) + " |",
        "|---|" + "---|" * len(delays),
    ]
    for cell in dict.fromkeys(run["cell"] for run in figures["runs"]):
        shares = [
            f"{run['right']:.0%} after {run['updates']}"
            for delay in delays
            for run in figures["runs"]
            if (run["cell"], run["delay"]) == (cell, delay)
        ]
        lines.append(f"| {cell} | " + " | ".join(shares) + " |")
    return "\n".join(lines)


def draw(figures: Figures, path: Path) -> None:
    """Draw a panel for each delay: loss of a letter against updates."""
    delays = sorted({run["delay"] for run in figures["runs"]})
    figure, axes = canvas(columns=len(delays), share_y=True)
    for axis, delay in zip(axes, delays, strict=True):
        axis.axhline(
            torch.tensor(float(ALPHABET)).log().item(), color="0.4", linestyle="--", linewidth=1, label="chance"
        )
        for run in figures["runs"]:
            if run["delay"] == delay:
                updates = [figures["every"] * (i + 1) for i in range(len(run["curve"]))]
                axis.plot(updates, run["curve"], color=CELL_COLOURS[run["cell"]], label=run["cell"].upper())
        axis.set(title=f"silence of {delay}", xlabel="updates")
    axes[0].set_ylabel("cross-entropy, nats a letter")
    axes[0].legend(loc="center right")
    save(figure, path)
