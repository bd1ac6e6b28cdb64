"""Board of a demonstration: one row a bed, as on the central monitor of a ward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from tocsin_training.demo.view import BedView, WardView

# IEC 60601-1-8: high red, medium yellow, low cyan.
_STYLE_OF = {"high": "bold white on red", "medium": "black on yellow", "low": "cyan"}
_ORDER = ("high", "medium", "low")
_BAR = 12  # cells


def table(view: WardView, threshold: float, elapsed_s: float, speed: float) -> Table:
    """Table of the ward's present state."""
    drawn = Table(title=f"ward, {elapsed_s:.0f} s" + (f" at {speed:g} x" if speed != 1 else ""), title_justify="left")
    for name in ("bed", "HR", "SpO2", "RR", "BP", "T", "score", "alarm"):
        drawn.add_column(
            name, justify="left" if name in {"bed", "score", "alarm"} else "right", no_wrap=name != "alarm"
        )
    for stream, bed in view.beds.items():
        up = sorted(bed.active.values(), key=lambda event: _ORDER.index(event.priority))
        drawn.add_row(
            Text(stream, style=_STYLE_OF[up[0].priority] if up else ""),
            _value(bed, "hr"),
            _value(bed, "spo2"),
            _value(bed, "rr"),
            f"{_value(bed, 'sbp')}/{_value(bed, 'dbp')}",
            _value(bed, "temp", 1),
            _bar(bed.score, threshold),
            Text("\n").join(Text(f"{event.alarm}: {event.reason}", style=_STYLE_OF[event.priority]) for event in up),
        )
    return drawn


def _value(bed: BedView, channel: str, digits: int = 0) -> str:
    value = bed.values.get(channel)
    return "-" if value is None else f"{value:.{digits}f}"


def _bar(score: float | None, threshold: float) -> Text:
    """Bar of the score, full at the threshold; none for an unknown score."""
    if score is None:
        return Text("unknown", style="dim")
    cells = round(_BAR * min(max(score / threshold, 0.0), 1.0))
    return Text(f"{'█' * cells}{'·' * (_BAR - cells)} {score:.2f}", style="red" if score >= threshold else "")
