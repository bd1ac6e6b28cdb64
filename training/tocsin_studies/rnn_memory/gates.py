"""Gates of an LSTM on one stream of the simulated ward."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import linear

from tocsin_studies.rnn_memory.plots import canvas, save
from tocsin_training.data.dataset import DataRequest, StreamDataset, StreamRecord
from tocsin_training.recipe import Recipe
from tocsin_training.simulation.ward import episodes
from tocsin_training.simulation.ward.episodes import EpisodeKind
from tocsin_training.simulation.ward.simulator import CHANNELS, Ward
from tocsin_training.simulation.ward.vitals_source import normal
from tocsin_training.tasks.registry import task_of
from tocsin_training.train import loop

if TYPE_CHECKING:
    from tocsin_studies.rnn_memory.catalogue import Figures, Progress
    from tocsin_training.nets.cells import Recurrence

WIDTH = 12
EPOCHS = 3
RANGES = {"hr": (20, 300), "spo2": (30, 100), "rr": (0, 120), "sbp": (30, 300), "dbp": (15, 250), "temp": (25, 45)}
SPANS = {"quiet": (60, 180), "probe off": (180, 300), "quiet again": (330, 420), "fast heart": (420, 540)}
TICKS, EVERY = 600, 4
WARD_SEED = 77_000_000  # a patient that no training has met
BANDS = ("forget", "input", "output", "cell")


def measure(*, quick: bool, progress: Progress) -> Figures:
    """Train a small forecaster, and record its gates while a probe falls off and a tachycardia follows."""
    recipe = _recipe(1 if quick else EPOCHS)
    progress("simulating the ward")
    beds = 2 if quick else 16
    train, valid = (_part(recipe, part, count) for part, count in (("train", beds), ("valid", 2)))
    progress("training")
    with tempfile.TemporaryDirectory() as folder:
        network = loop.train(
            task_of(recipe), recipe, train, valid, Path(folder) / "gates.pt", seed=1, device=torch.device("cpu")
        )
    stream = _stream(recipe)
    x, mask, delta = (torch.from_numpy(part)[None] for part in (stream.x, stream.mask, stream.delta))
    with torch.no_grad():
        features, _ = network.channel_features(x, mask, delta, torch.zeros(1, network.channel_features.state_size))
        inside = _inside(network.recurrence, network.encode(features, mask, delta)[0])  # (T, 4, H)
    order = torch.argsort(inside[:, 0].mean(0), descending=True)  # the units that keep longest first
    inside = inside[:, :, order]
    means = {
        span: {band: round(float(inside[first:last, place].mean()), 3) for place, band in enumerate(BANDS[:3])}
        for span, (first, last) in SPANS.items()
    }
    readings = np.where(stream.mask > 0, stream.x, np.nan)[::EVERY]
    return {
        "width": WIDTH,
        "every_s": EVERY,
        "hr": _rounded(readings[:, CHANNELS.index("hr")], 1),
        "spo2": _rounded(readings[:, CHANNELS.index("spo2")], 1),
        "bands": {band: [_rounded(row, 2) for row in inside[::EVERY, place].T] for place, band in enumerate(BANDS)},
        "means": means,
    }


def _recipe(epochs: int) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "gates",
            "version": "1",
            "summary": "A small LSTM.",
            "task": "forecast",
            "channels": [
                {"name": name, "unit": "1", "low": RANGES[name][0], "high": RANGES[name][1]} for name in CHANNELS
            ],
            "data": {"source": "tocsin_training.simulation.ward.vitals_source:normal"},
            "network": {"cell": "lstm", "width": WIDTH},
            "training": {"bptt": 120, "batch": 4, "epochs": epochs, "learning_rate": 0.002},
            "serving": {"period_s": 1, "delta_cap_s": 600, "warm_up_ticks": 0, "max_gap_ticks": 900},
            "sources": [{"name": "ward", "licence": "none", "citation": "none", "part": "none"}],
        }
    )


def _part(recipe: Recipe, part: str, beds: int) -> StreamDataset:
    return normal(
        DataRequest(
            part=part,
            folder=Path(),
            channels=recipe.channels,
            period_s=recipe.serving.period_s,
            delta_cap_s=recipe.serving.delta_cap_s,
            seed=1,
            options={f"{part}_beds": beds, f"{part}_hours": 1},
        )
    )


def _stream(recipe: Recipe) -> StreamDataset:
    """Ten minutes of a patient with a probe that falls off, and a tachycardia later."""
    rng = np.random.default_rng(1)
    script = [
        replace(episodes.draw(kind, "ward/bed-1", SPANS[span][0], rng), hold_s=float(SPANS[span][1] - SPANS[span][0]))
        for kind, span in ((EpisodeKind.PROBE_OFF, "probe off"), (EpisodeKind.TACHYARRHYTHMIA, "fast heart"))
    ]
    ward = Ward(WARD_SEED, beds=1, artefacts=False, activity=False, script=script)
    values = ward.read(TICKS)[0]
    record = StreamRecord("ward/bed-1", np.arange(TICKS), values)
    return StreamDataset.of(recipe.channels, recipe.serving.period_s, recipe.serving.delta_cap_s, [record])


def _inside(recurrence: Recurrence, entered: Tensor) -> Tensor:
    """Forget, input and output gate and tanh c (T, 4, H) of one stream, from the recurrence's input (T, D)."""
    weights, state, found = recurrence.fused, torch.zeros(1, recurrence.state_size), []
    for x in entered[:, None]:
        h = state[:, : recurrence.width]
        sums = linear(x, weights.weight_ih_l0, weights.bias_ih_l0) + linear(h, weights.weight_hh_l0, weights.bias_hh_l0)
        let_in, forget, _, let_out = torch.split(
            torch.sigmoid(sums), recurrence.width, dim=1
        )  # gates stand as i, f, g, o
        _, state = recurrence.step(x, state)
        found.append(torch.cat([forget, let_in, let_out, torch.tanh(state[:, recurrence.width :])]))
    return torch.stack(found)


def _rounded(values: np.ndarray | Tensor, digits: int) -> list[float | None]:
    return [None if np.isnan(value) else round(value, digits) for value in values.tolist()]


def table(figures: Figures) -> str:
    """Means of the gates over spans of the stream, as a Markdown table."""
    lines = ["| gate | " + " | ".join(figures["means"]) + " |", "|---|" + "---|" * len(figures["means"])]
    lines += [
        f"| {band} | " + " | ".join(f"{means[band]:.2f}" for means in figures["means"].values()) + " |"
        for band in BANDS[:3]
    ]
    return "\n".join(lines)


def draw(figures: Figures, path: Path) -> None:
    """Draw the readings, and below them every unit's gates and cell."""
    figure, axes = canvas(rows=1 + len(BANDS), width=7.5, height=1.35)
    seconds = [figures["every_s"] * i for i in range(len(figures["hr"]))]
    for name, label in (("hr", "heart rate, /min"), ("spo2", "SpO2, %")):
        axes[0].plot(seconds, [np.nan if v is None else v for v in figures[name]], label=label, linewidth=1)
    axes[0].legend(loc="upper left", ncols=2)
    axes[0].set(xlim=(0, seconds[-1]), ylim=(40, 260))
    for axis, band in zip(axes[1:], BANDS, strict=True):
        image = axis.imshow(
            figures["bands"][band],
            aspect="auto",
            extent=(0, seconds[-1], WIDTH, 0),
            interpolation="nearest",
            cmap="RdBu" if band == "cell" else "viridis",
            vmin=-1 if band == "cell" else 0,
            vmax=1,
        )
        axis.set_ylabel(f"{band}\nunit")
        axis.grid(visible=False)
        figure.colorbar(image, ax=axis, pad=0.01)
    for axis in axes:
        for first, last in (SPANS["probe off"], SPANS["fast heart"]):
            axis.axvline(first, color="0.2", linestyle=":", linewidth=1)
            axis.axvline(last, color="0.2", linestyle=":", linewidth=1)
    axes[-1].set_xlabel("seconds: the probe is off from 180 to 300, the heart races from 420 to 540")
    save(figure, path)
