"""Truncated back-propagation: windows shorter than the lag of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tocsin_studies.rnn_memory.learner import Learner
from tocsin_studies.rnn_memory.plots import canvas, save
from tocsin_studies.rnn_memory.streams import latch

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin_studies.rnn_memory.catalogue import Figures, Progress

LAGS = (2, 4, 8, 16)
WINDOWS = (2, 4, 8, 16, 32)
WIDTH, STREAMS = 24, 64
TICKS_LEARNED = 9600  # of every stream, whatever the window: each run sees the same
LEARNING_RATE = 1e-2
TESTED = 2000  # ticks


def measure(*, quick: bool, progress: Progress) -> Figures:
    """Train a GRU for every lag and window; quick: one lag, a window too short for it and one long enough."""
    lags, windows, ticks = ((4,), (2, 16), 2400) if quick else (LAGS, WINDOWS, TICKS_LEARNED)
    runs = []
    for lag in lags:
        progress(f"lag {lag}")
        runs += [{"lag": lag, "window": window, "right": _right(lag, window, ticks)} for window in windows]
    return {"cell": "gru", "width": WIDTH, "streams": STREAMS, "ticks": ticks, "runs": runs}


def _right(lag: int, window: int, ticks: int) -> float:
    """Accuracy after training; chance is a half."""
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(lag)
    learner = Learner("gru", 3, WIDTH, 1)
    optimiser = torch.optim.Adam(learner.parameters(), lr=LEARNING_RATE)
    x, coin, query = latch(STREAMS, ticks, lag, generator)
    state = None
    for t in range(0, ticks, window):
        now = slice(t, t + window)
        output, state = learner(x[:, now], state)
        state = state.detach()  # what is remembered goes on into the next window; the gradient doesn't come back
        if query[:, now].sum() == 0:
            continue
        misfit = torch.nn.functional.binary_cross_entropy_with_logits(
            output[..., 0], coin[:, now] / 2 + 0.5, query[:, now], reduction="sum"
        )
        optimiser.zero_grad()
        torch.autograd.backward(misfit / query[:, now].sum())
        torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimiser.step()
    with torch.no_grad():
        x, coin, query = latch(STREAMS, TESTED, lag, generator)
        right = (learner(x)[0][..., 0] > 0) == (coin > 0)
    return round(float(right[query > 0].float().mean()), 3)


def table(figures: Figures) -> str:
    """Accuracies, lag by window, as a Markdown table."""
    windows = sorted({run["window"] for run in figures["runs"]})
    lines = [
        "| lag | " + " | ".join(f"window {window}" for window in windows) + " |",
        "|---|" + "---|" * len(windows),
    ]
    for lag in sorted({run["lag"] for run in figures["runs"]}):
        shares = [f"{run['right']:.0%}" for run in figures["runs"] if run["lag"] == lag]
        lines.append(f"| {lag} | " + " | ".join(shares) + " |")
    return "\n".join(lines)


def draw(figures: Figures, path: Path) -> None:
    """Draw the same as a map."""
    lags, windows = (sorted({run[name] for run in figures["runs"]}) for name in ("lag", "window"))
    right = np.array([run["right"] for run in figures["runs"]]).reshape(len(lags), len(windows))
    figure, (axis,) = canvas(width=5.6, height=3.6)
    image = axis.imshow(right, vmin=0.5, vmax=1.0, cmap="viridis", aspect="auto", origin="lower")
    axis.grid(visible=False)
    axis.set_xticks(range(len(windows)), [str(window) for window in windows])
    axis.set_yticks(range(len(lags)), [str(lag) for lag in lags])
    for row, values in enumerate(right.tolist()):
        for column, share in enumerate(values):
            dark = share < 0.8  # noqa: PLR2004  (of the colour below)
            axis.text(column, row, f"{share:.0%}", ha="center", va="center", color="white" if dark else "black")
    axis.set(xlabel="window: ticks that a gradient reaches back", ylabel="lag: ticks from coin to question")
    figure.colorbar(image, ax=axis, label="right answers")
    save(figure, path)
