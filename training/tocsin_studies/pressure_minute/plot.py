"""Fan chart of the next hour: quantiles of the forecast, the observed values, and the quantiles of the minimum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from tocsin_training.bundles.pressure_minute.records import HISTORY, WINDOW

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin_training.bundles.pressure_minute.records import Pressure

SHOWN = 180  # minutes before the forecast
BANDS = ((0, -1), (1, -2), (2, -3))  # pairs of quantiles: 90, 80 and 50 %
BLUE, GREY, RED = "#2a6f97", "#6c757d", "#c1121f"


def fans(
    path: Path,
    titled_records: Sequence[tuple[str, Pressure]],
    ahead: NDArray[np.float64],  # (B, 60, Q)
    lowest: NDArray[np.float64],  # (B, Q)
    limit: float,
) -> None:
    """Draw one panel for each of B titled records, and save them."""
    figure = Figure(figsize=(11, 6.5), dpi=80, layout="constrained")
    axes = figure.subplots(2, -(-len(titled_records) // 2), sharex=True, sharey=True, squeeze=False)
    minute = np.arange(HISTORY - SHOWN, HISTORY + WINDOW)
    after = np.arange(HISTORY, HISTORY + WINDOW)
    for axis, (title, record), fan, low in zip(axes.ravel(), titled_records, ahead, lowest, strict=False):
        for first, last in BANDS:
            axis.fill_between(after, fan[:, first], fan[:, last], color=BLUE, alpha=0.22, linewidth=0)
        axis.plot(after, fan[:, fan.shape[1] // 2], color=BLUE, linewidth=1.5)
        axis.plot(minute, record.values[minute], color=GREY, linewidth=1)
        axis.axhline(limit, color=RED, linewidth=0.8, linestyle="--")
        axis.axvline(HISTORY, color=GREY, linewidth=0.8, linestyle=":")
        edge = HISTORY + WINDOW + 4
        axis.plot([edge, edge], [low[0], low[-1]], color=BLUE, linewidth=2)
        axis.plot([edge] * len(low), low, color=BLUE, marker="_", linestyle="none", markersize=9)
        axis.set_title(title, fontsize=9)
        axis.set_ylim(30, 130)
    figure.supxlabel("minute", fontsize=9)
    figure.supylabel("mean arterial pressure, mmHg", fontsize=9)
    figure.savefig(path, metadata={"Software": None})
