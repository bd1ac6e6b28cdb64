"""Self-contained HTML pages with SVG charts.

The daemon installs no plotting library, so the SVG is written here.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import typer

from tocsin.cli.errors import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WIDTH, HEIGHT = 720, 200
LEFT, TOP, BOTTOM = 44, 12, 26  # margins for the axes, px
PLOT = HEIGHT - TOP - BOTTOM

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1b1f24;max-width:780px;margin:2em auto;padding:0 1em}
h1{font-size:1.5em;margin-bottom:0}h2{font-size:1.1em;margin:2em 0 .4em}p{margin:.3em 0}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25em .7em .25em 0;vertical-align:top}
th{font-weight:600;border-bottom:2px solid #c8ccd1}td{border-bottom:1px solid #e6e8eb}
td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}th.n{text-align:right}
.met{color:#1b5e20}.missed{color:#b71c1c;font-weight:600}.dim{color:#5f6770;font-size:.9em}
svg{width:100%;height:auto;display:block}
svg text{font:11px system-ui,sans-serif;fill:#444b53;paint-order:stroke;stroke:#fff;stroke-width:3px}
"""


def head(title: str) -> str:
    """The start of a page, with its heading."""
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>"
    )


def chart(label: str, inside: str, height: int = HEIGHT) -> str:
    """An SVG chart with a label for screen readers."""
    return f"<svg viewBox='0 0 {WIDTH} {height}' role=img aria-label='{escape(label)}'>{inside}</svg>"


def axis(low: float, high: float, unit: str = "") -> str:
    """Grid lines at the minimum, the middle and the maximum, with their values."""
    parts = []
    for part in (0.0, 0.5, 1.0):
        y = TOP + PLOT * (1 - part)
        parts.append(f"<line x1={LEFT} x2={WIDTH} y1='{y:.1f}' y2='{y:.1f}' stroke='#dfe3e8' />")
        value = low + part * (high - low)
        parts.append(f"<text x={LEFT - 6} y='{y + 4:.1f}' text-anchor=end>{value:g}{unit}</text>")
    return "".join(parts)


def rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}' fill='{colour}' />"


def polyline(points: Iterable[tuple[float, float]], colour: str, width: float) -> str:
    through = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f"<polyline points='{through}' fill=none stroke='{colour}' stroke-width={width:g} />"


def write(file: Path, page: str) -> None:
    """Write a page and print its name.

    Raises:
        Failure: The file cannot be written.
    """
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{file}: cannot be written: {error.strerror}") from error
    typer.echo(f"wrote {file}", err=True)
