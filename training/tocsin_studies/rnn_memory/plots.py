"""Style and layout common to the experiments' figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from matplotlib.axes import Axes

CELL_COLOURS = {"rnn": "#c2410c", "lstm": "#1d4ed8", "gru": "#15803d"}
STYLE: dict[Any, Any] = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "font.size": 9.0,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "svg.hashsalt": "tocsin",  # the same figures give the same file
}


def style() -> AbstractContextManager[None]:
    """Context of the common style."""
    return mpl.rc_context(STYLE)


def canvas(
    columns: int = 1, rows: int = 1, *, width: float = 3.0, height: float = 2.8, share_y: bool = False
) -> tuple[Figure, list[Axes]]:
    """Create a figure of panels, each `width` × `height` inches, row after row."""
    figure = Figure(figsize=(max(width * columns, 5.0), height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, sharey=share_y, squeeze=False)
    return figure, list(np.ravel(axes))


def save(figure: Figure, path: Path) -> None:
    """Save as SVG (or by the path's suffix), without a date."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)
