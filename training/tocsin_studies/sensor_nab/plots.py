"""Figures of real series: a detected anomaly, a missed one and a false alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from tocsin_training.evaluation import nab

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin_studies.sensor_nab.corpus import NabSeries

AROUND = 400  # rows before and after


def draw(
    folder: Path, series: list[NabSeries], scores: list[NDArray[np.float64]], threshold: float, quiet: int
) -> None:
    """Write `found.svg`, `missed.svg` and `false.svg`: each the first such excerpt of a real series."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {"found", "missed", "false"}
    for one, score in zip(series, scores, strict=True):
        if not one.category.startswith("real"):
            continue
        alarm_onsets = (nab.alarm_onsets(score, threshold, quiet) > 0) & one.truth.scored
        cases = [("found" if alarm_onsets[a : b + 1].any() else "missed", (a + b) // 2) for a, b in one.windows]
        cases += [("false", int(row)) for row in np.flatnonzero(alarm_onsets & (one.truth.window < 0))]
        for case, row in cases:
            if case in wanted:
                wanted.remove(case)
                _stretch(folder / f"{case}.svg", one, score, alarm_onsets, threshold, row)


def _stretch(
    file: Path,
    series: NabSeries,
    score: NDArray[np.float64],
    alarm_onsets: NDArray[np.bool_],
    threshold: float,
    row: int,
) -> None:
    rows = np.arange(max(row - AROUND, 0), min(row + AROUND, len(score)))
    with mpl.rc_context({"svg.hashsalt": "tocsin", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 4), layout="tight")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot(rows, series.value[rows], linewidth=0.7, color="0.2")
        lower.plot(rows, score[rows], linewidth=0.7, color="tab:blue")
        lower.axhline(threshold, linewidth=0.7, color="0.6")
        for ring in rows[alarm_onsets[rows]]:
            upper.axvline(ring, linewidth=1.2, color="tab:red")
        for first, last in series.windows:
            if last >= rows[0] and first <= rows[-1]:
                upper.axvspan(max(first, rows[0]), min(last, rows[-1]), color="tab:green", alpha=0.15)
        upper.set_title(f"{file.stem}: {series.name} (green: labelled; red: an alarm begins)", fontsize=9)
        lower.set_ylabel("score", fontsize=8)
        lower.set_xlabel("row", fontsize=8)
        figure.savefig(file, metadata={"Date": None})
