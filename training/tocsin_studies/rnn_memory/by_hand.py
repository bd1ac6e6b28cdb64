"""Back-propagation through time, written out, compared with autograd.

An unrolled network is a deep one whose layers share their weights: the gradient runs back tick by tick, and each tick
adds its part to the gradient of the same matrices. Everything is float64, (B, …) rows, weights in PyTorch's layout:
`w` (G H, D) for the input, `u` (G H, H) for the past, one bias `b` (G H), G = 1 gate for the plain cell and 4 for the
LSTM, in the order i, f, g, o.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import nn

from tocsin_studies.rnn_memory.plots import CELL_COLOURS, canvas, save

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin_studies.rnn_memory.catalogue import Figures, Progress

    Array = NDArray[np.float64]

STREAMS, INPUTS, WIDTH = 4, 3, 6
TICKS = (2, 5, 20, 100)
KERNELS = {"rnn": nn.RNN, "lstm": nn.LSTM}


class Gradients(NamedTuple):
    """Gradients of the loss by the weights and by the input."""

    w: Array
    u: Array
    b: Array
    x: Array


def rnn(w: Array, u: Array, b: Array, x: Array, target: Array) -> tuple[float, Gradients]:
    """The loss Σ (h - wanted)² / 2 of a plain cell, and its gradients.

    Args:
        w: (H, D).
        u: (H, H).
        b: (H,).
        x: (B, T, D).
        target: (B, T, H).
    """
    streams, ticks, _ = x.shape
    h = np.zeros((ticks + 1, streams, len(u)))  # h[t] is what tick t starts from
    for t in range(ticks):
        h[t + 1] = np.tanh(x[:, t] @ w.T + h[t] @ u.T + b)
    off = h[1:] - target.transpose(1, 0, 2)  # (T, B, H)

    found = Gradients(np.zeros_like(w), np.zeros_like(u), np.zeros_like(b), np.zeros_like(x))
    from_later = np.zeros((streams, len(u)))  # the loss of all later ticks, by h of this one
    for t in reversed(range(ticks)):
        by_h = off[t] + from_later
        by_sum = by_h * (1.0 - h[t + 1] ** 2)  # tanh' = 1 - tanh²
        found.w[:] += by_sum.T @ x[:, t]
        found.u[:] += by_sum.T @ h[t]
        found.b[:] += by_sum.sum(0)
        found.x[:, t] = by_sum @ w
        from_later = by_sum @ u  # each tick further back is one more product with uᵀ: it fades or it grows
    return 0.5 * float((off**2).sum()), found


def lstm(w: Array, u: Array, b: Array, x: Array, target: Array) -> tuple[float, Gradients]:
    """Loss and gradients of an LSTM; the shapes are those of `rnn` with 4 H for the rows of w, u and b."""
    streams, ticks, _ = x.shape
    width = u.shape[1]
    h, c = np.zeros((2, ticks + 1, streams, width))
    gates = np.zeros((ticks, 4, streams, width))  # i, f, g, o
    for t in range(ticks):
        sums = np.split(x[:, t] @ w.T + h[t] @ u.T + b, 4, axis=1)
        let_in, forget, new, let_out = (
            np.tanh(part) if gate == 2 else 1.0 / (1.0 + np.exp(-part))  # noqa: PLR2004  (g, the third)
            for gate, part in enumerate(sums)
        )
        gates[t] = let_in, forget, new, let_out
        c[t + 1] = forget * c[t] + let_in * new
        h[t + 1] = let_out * np.tanh(c[t + 1])
    off = h[1:] - target.transpose(1, 0, 2)

    found = Gradients(np.zeros_like(w), np.zeros_like(u), np.zeros_like(b), np.zeros_like(x))
    from_later = np.zeros((streams, width))
    c_from_later = np.zeros((streams, width))
    for t in reversed(range(ticks)):
        let_in, forget, new, let_out = gates[t]
        symbols = np.tanh(c[t + 1])
        by_h = off[t] + from_later
        by_c = by_h * let_out * (1.0 - symbols**2) + c_from_later
        by_sums = np.concatenate(
            [
                by_c * new * let_in * (1.0 - let_in),  # σ' = σ (1 - σ)
                by_c * c[t] * forget * (1.0 - forget),
                by_c * let_in * (1.0 - new**2),
                by_h * symbols * let_out * (1.0 - let_out),
            ],
            axis=1,
        )  # (B, 4 H)
        found.w[:] += by_sums.T @ x[:, t]
        found.u[:] += by_sums.T @ h[t]
        found.b[:] += by_sums.sum(0)
        found.x[:, t] = by_sums @ w
        from_later = by_sums @ u
        c_from_later = by_c * forget  # no matrix here: where the forget gate is open, it passes whole
    return 0.5 * float((off**2).sum()), found


def measure(*, quick: bool, progress: Progress) -> Figures:
    """Compare both over sequences of several lengths; quick leaves out the longest."""
    runs = []
    for cell in KERNELS:
        for ticks in TICKS[:-1] if quick else TICKS:
            progress(f"{cell}, {ticks} ticks")
            runs.append({"cell": cell, "ticks": ticks, **_errors(cell, ticks)})
    return {"streams": STREAMS, "width": WIDTH, "runs": runs}


def _errors(cell: str, ticks: int) -> dict[str, float]:
    """Largest error of each gradient, relative to its largest entry."""
    torch.manual_seed(ticks)
    kernel = KERNELS[cell](INPUTS, WIDTH, batch_first=True).double()
    nn.init.zeros_(kernel.bias_hh_l0)
    x = torch.randn(STREAMS, ticks, INPUTS, dtype=torch.float64, requires_grad=True)
    target = torch.randn(STREAMS, ticks, WIDTH, dtype=torch.float64)
    h, _ = kernel(x)
    torch.autograd.backward(0.5 * (h - target).square().sum())
    weights = (kernel.weight_ih_l0, kernel.weight_hh_l0, kernel.bias_ih_l0)
    given = [part.detach().numpy() for part in (*weights, x, target)]
    _, by_hand = rnn(*given) if cell == "rnn" else lstm(*given)
    errors = {}
    for name, ours, tensor in zip(Gradients._fields, by_hand, (*weights, x), strict=True):
        if tensor.grad is None:
            raise AssertionError  # backward has just filled it
        theirs = tensor.grad.numpy()
        errors[name] = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    return errors


def table(figures: Figures) -> str:
    """Errors as a Markdown table."""
    lines = ["| cell | T | by w | by u | by b | by x |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {run['cell']} | {run['ticks']} | " + " | ".join(f"{run[name]:.0e}" for name in Gradients._fields) + " |"
        for run in figures["runs"]
    ]
    return "\n".join(lines)


def draw(figures: Figures, path: Path) -> None:
    """Draw the largest error of each run against its length."""
    figure, (axis,) = canvas(width=5.0)
    for cell in KERNELS:
        runs = [run for run in figures["runs"] if run["cell"] == cell]
        worst = [max(run[name] for name in Gradients._fields) for run in runs]
        axis.plot([run["ticks"] for run in runs], worst, "o-", color=CELL_COLOURS[cell], label=cell.upper())
    axis.axhline(1e-6, color="0.4", linestyle="--", linewidth=1, label="bound")
    axis.set(xscale="log", yscale="log", xlabel="ticks", ylabel="largest relative error of a gradient")
    axis.legend(loc="center right")
    save(figure, path)
