"""Figures of the machines: scores over anomalies of two servers, and false against missed alarms on the test bed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from tocsin_studies.machines.compare import NETWORK, PCA_EITHER, PCA_Q

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin_studies.machines.compare import ExperimentScores
    from tocsin_studies.machines.servers import Server

SHOWN = ("machine-2-1", "omi-4")
EVERY = {"SMD": 12, "ASD": 3}  # ticks of which the highest score is drawn: a picture has fewer dots than rows
COLOURS = {NETWORK: "tab:blue", PCA_Q: "tab:orange", PCA_EITHER: "tab:orange"}


def draw(
    folder: Path,
    servers: Sequence[Server],
    scores: Sequence[Mapping[str, NDArray[np.float64]]],
    scored: Sequence[ExperimentScores],
) -> None:
    """Write `machines-scores.svg` and `machines-skab.svg` into `folder`."""
    chosen = [(server, by) for server, by in zip(servers, scores, strict=True) if server.name in SHOWN]
    _save(_scores(chosen), folder / "machines-scores.svg")
    _save(_rates(scored), folder / "machines-skab.svg")


def _scores(chosen: Sequence[tuple[Server, Mapping[str, NDArray[np.float64]]]]) -> Figure:
    figure = Figure(figsize=(9, 2.2 * 2 * len(chosen)), layout="constrained")
    axes = figure.subplots(2 * len(chosen), 1).tolist()
    for server, by in chosen:
        every = EVERY[server.group]
        ticks = len(server.label) // every * every
        hours = np.arange(0, ticks, every) * server.period_s / 3600
        anomalous = server.label[:ticks].reshape(-1, every).max(axis=1) > 0
        for name in (NETWORK, PCA_Q):
            ax = axes.pop(0)
            highest = by[name][:ticks].reshape(-1, every).max(axis=1)
            ax.plot(hours, highest, color=COLOURS[name], linewidth=0.6)
            ax.set_yscale("log")
            ax.set_ylim(np.quantile(highest, 0.02), highest.max() * 1.3)
            ax.fill_between(
                hours, 0, 1, where=anomalous, transform=ax.get_xaxis_transform(), color="tab:red", alpha=0.3
            )
            ax.set_title(f"{server.name}: {name}; labelled stretches are red", fontsize=9)
    ax.set_xlabel("hours of the test part")
    return figure


def _rates(scored: Sequence[ExperimentScores]) -> Figure:
    figure = Figure(figsize=(5, 4), layout="constrained")
    ax = figure.subplots()
    label = np.concatenate([one.label for one in scored])
    for name in (NETWORK, PCA_EITHER):
        score = np.concatenate([one.scores[name] for one in scored])
        thresholds = np.append(np.quantile(score, np.linspace(0, 1, 300)), 1.0)
        false = [(score[label == 0] > threshold).mean() for threshold in thresholds]
        missed = [(score[label > 0] <= threshold).mean() for threshold in thresholds]
        order = np.argsort(false)
        ax.plot(np.array(false)[order], np.array(missed)[order], color=COLOURS[name], label=name)
        ax.plot(false[-1], missed[-1], "o", color=COLOURS[name])
    ax.set(xlabel="false alarms, share of normal rows", ylabel="missed, share of anomalous rows", xlim=(0, 0.6))
    ax.set_title("Fourteen experiments; dots are the limits that the fitted rows give", fontsize=9)
    ax.legend()
    return figure


def _save(figure: Figure, path: Path) -> None:
    with mpl.rc_context({"svg.hashsalt": "tocsin"}):
        figure.savefig(path, metadata={"Date": None})
