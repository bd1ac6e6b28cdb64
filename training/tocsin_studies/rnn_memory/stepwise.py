"""Equivalence of whole sequences in training and single steps in the daemon, also after a restart."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from tocsin.bundle.graph import Graph
from tocsin_studies.rnn_memory.plots import CELL_COLOURS, canvas, save
from tocsin_training.export import onnx_graph, parity
from tocsin_training.recipe import Recipe
from tocsin_training.tasks.registry import network_of, task_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_studies.rnn_memory.catalogue import Figures, Progress
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.nets.heads import ForecastHead

CELLS = ("rnn", "lstm", "gru")
STREAMS, TICKS, QUICK_TICKS = 16, 1000, 100


def measure(*, quick: bool, progress: Progress) -> Figures:
    """Export each cell with random weights and step it; quick: the LSTM, for fewer ticks."""
    ticks = QUICK_TICKS if quick else TICKS
    runs = []
    for cell in CELLS[1:2] if quick else CELLS:
        progress(cell)
        runs.append({"cell": cell, **_run(cell, ticks)})
    return {"streams": STREAMS, "ticks": ticks, "runs": runs}


def _recipe(cell: str) -> Recipe:
    """Recipe with four channels, two layers and all decays."""
    return Recipe.model_validate(
        {
            "name": "stepwise",
            "version": "1",
            "summary": "Drawn weights.",
            "task": "forecast",
            "channels": [{"name": name, "unit": "1", "low": 0, "high": 100} for name in "abcd"],
            "data": {"source": "none:none"},
            "network": {"cell": cell, "layers": 2, "width": 32, "decay": "both"},
            "training": {},
            "serving": {"period_s": 1, "delta_cap_s": 60, "warm_up_ticks": 0, "max_gap_ticks": 60},
            "sources": [{"name": "none", "licence": "none", "citation": "none", "part": "none"}],
        }
    )


def _run(cell: str, ticks: int) -> Figures:
    recipe = _recipe(cell)
    torch.manual_seed(1)
    network = network_of(recipe)
    torch.nn.init.normal_(
        cast("ForecastHead", network.head).forecast.weight, std=0.3
    )  # it starts at 0, where every cell says the same
    data = parity.simulated(recipe, STREAMS, ticks)  # a third of the readings is missing
    network.channel_features.fit(data.x, data.mask)
    module = task_of(recipe).step_module([network.eval()], recipe, None)
    serialised = onnx_graph.to_onnx(module)
    with torch.no_grad():
        output, _ = network(*(torch.from_numpy(part) for part in _columns(data)))
        whole = network.channel_features.denormalise(output.mean, output.mean)[0].numpy()  # (B, T, C)

    zeros = np.zeros((STREAMS, module.state_size), dtype=np.float32)
    unbroken, _ = _stepped(Graph(serialised), data, zeros, range(ticks))
    with tempfile.TemporaryDirectory() as folder:
        before, state = _stepped(Graph(serialised), data, zeros, range(ticks // 2))
        np.save(Path(folder) / "state.npy", state)  # here the daemon ends; another one goes on
        after, _ = _stepped(Graph(serialised), data, np.load(Path(folder) / "state.npy"), range(ticks // 2, ticks))
    differ = np.abs(unbroken - whole).max(axis=(0, 2)) / np.abs(whole).max()  # (T,)
    sampled = range(0, ticks, max(1, ticks // 100))
    return {
        "largest": float(differ.max()),
        "restored_equal": bool((np.concatenate([before, after], axis=1) == unbroken).all()),
        "at": list(sampled),
        "differ": [float(f"{differ[t]:.3g}") for t in sampled],
    }


def _columns(data: StreamDataset) -> list[NDArray[np.float32]]:
    """x, mask and delta, (B, T, C) each."""
    return [part.reshape(len(data), -1, len(data.channels)) for part in (data.x, data.mask, data.delta)]


def _stepped(
    graph: Graph, data: StreamDataset, state: NDArray[np.float32], ticks: range
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Forecasts (B, T, C) of these ticks from this state; and the state (B, S) after them."""
    (x, mask, delta), means = _columns(data), []
    for t in ticks:
        result = graph(x[:, t], mask[:, t], delta[:, t], state)
        means.append(result.mean)
        state = result.state
    return np.stack(means, axis=1), state


def table(figures: Figures) -> str:
    """Differences as a Markdown table."""
    lines = ["| cell | largest difference, relative | restored midway, against unbroken |", "|---|---|---|"]
    lines += [
        f"| {run['cell']} | {run['largest']:.1e} | {'equal to the bit' if run['restored_equal'] else 'different'} |"
        for run in figures["runs"]
    ]
    return "\n".join(lines)


def draw(figures: Figures, path: Path) -> None:
    """Draw the difference between whole sequences and steps by tick."""
    figure, (axis,) = canvas(width=6.0)
    for run in figures["runs"]:
        symbols = np.maximum(run["differ"], 1e-10)
        axis.plot(run["at"], symbols, color=CELL_COLOURS[run["cell"]], label=run["cell"].upper(), linewidth=1)
    axis.axvline(figures["ticks"] // 2, color="0.4", linestyle="--", linewidth=1, label="saved and restored")
    axis.axhline(parity.RELATIVE, color="0.4", linestyle=":", linewidth=1, label="what the parity check allows")
    axis.set(yscale="log", ylim=(1e-9, 1e-3), xlabel="tick", ylabel="largest difference, relative")
    axis.legend(loc="upper right", ncols=2)
    save(figure, path)
