"""`tocsin explain`: compute the score of an alarm again from its event, and draw the frames before it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tocsin.cli.endpoint import ConfigOption, HttpOption, TokenOption, find
from tocsin.cli.errors import Failure
from tocsin.cli.explain.page import in_order, outside, page
from tocsin.cli.explain.picture import BAND
from tocsin.cli.explain.record import ask, bundle_of, is_alarm, read
from tocsin.cli.html import write
from tocsin.engine.conditions.wording import expected
from tocsin.engine.frames.history import rescore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.frames.history import Rescored
    from tocsin.engine.model import Model

EXIT_DIFFERS = 3

_BARS = "▁▂▃▄▅▆▇█"
_SHOWN, _FEWEST = 60, 10


def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ALARM|FILE",
            help="STREAM/ALARM, read from the daemon; or a file with events: JSON, JSON lines, or an answer of the "
            "API; - reads stdin.",
        ),
    ],
    *,
    model: Annotated[
        Path | None,
        typer.Option(help="The bundle's folder, if it is neither shipped nor named in --config.", show_default=False),
    ] = None,
    event: Annotated[
        int | None, typer.Option("--id", help="The id of an event; the last one with frames if left out.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with charts.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    address: HttpOption = None,
    token_file: TokenOption = None,
) -> None:
    """Explain an alarm: step its last frames again, compare the score, and draw the frames in their expected bands.

    The event that raises an alarm of a model carries its frames. It comes from the daemon or from the broker:

        tocsin explain icu/bed-3/deterioration

        tocsin alarms history --json --transition raise | tocsin explain -

        tocsin watch --json | head -1 | tocsin explain -

    Exit code 3 means that the computed score differs.
    """
    record = ask(find(config, address, token_file), what, event) if is_alarm(what) else read(what, event)
    bundle = bundle_of(record, model, config)
    try:
        rescored = rescore(bundle.model, record.frames)
    except ValueError as error:
        raise Failure(str(error)) from error
    compared, is_equal = record.compared(float(rescored.score[-1]))
    console = Console(highlight=False)
    if html is not None:
        write(html, page(record, bundle.model, rescored))
    else:
        reason, *facts = record.facts()
        console.print(Text(record.title, style="bold"))
        console.print(Text(reason))
        for fact in facts:
            console.print(Text(fact, style="dim"))
        console.print(_picture(bundle.model, rescored, record.explanation.threshold, console.width))
    console.print(Text(compared, style="" if is_equal else "red"))
    if not is_equal:
        raise typer.Exit(EXIT_DIFFERS)


def _picture(model: Model, rescored: Rescored, threshold: float | None, width: int) -> Table:
    """The last frames that fit, one row a channel: bars, value, expected band, contribution."""
    rows = []  # values and marks of the bars, and the cells of the row
    for c in in_order(rescored):
        channel = model.channels[c]
        seen = rescored.mask[:, c] != 0
        value = f"{rescored.x[-1, c]:.5g} {channel.unit}" if seen[-1] else "not measured"
        mean, scale = float(rescored.mean[-1, c]), float(rescored.scale[-1, c])
        band = "" if np.isnan(mean) else expected(mean, scale)
        row = (channel.name, value, band, f"{rescored.contribution[-1, c]:.3g}")
        rows.append((np.where(seen, rescored.x[:, c], np.nan), outside(rescored, c), row))
    above = np.zeros(len(rescored.score), dtype=np.bool_) if threshold is None else rescored.score >= threshold
    limit = "" if threshold is None else f"threshold {threshold:.3g}"
    rows.append((rescored.score, above, ("score", f"{rescored.score[-1]:.5g}", limit, "")))

    heads = ("", "value", "expected", "added")
    taken = sum(max(len(head), *(len(row[k]) for _, _, row in rows)) for k, head in enumerate(heads)) + 2 * 5
    shown = min(len(rescored.tick), max(min(_SHOWN, width - taken), _FEWEST))
    table = Table(title=None, box=None, padding=(0, 1), header_style="dim")
    frames = f"last {shown} frames, {shown * model.period_ns / 1e9:g} s"
    for name in ("", frames, "value", "expected", "added"):
        table.add_column(name, justify="left" if not name or name == frames else "right", no_wrap=True)
    for values, marked, (name, *others) in rows:
        table.add_row(name, _bars(values[-shown:], marked[-shown:]), *others)
    table.caption = f"red: outside {BAND:g} scales of the expected value; for the score: at or above its threshold"
    table.caption_style = "dim"
    return table


def _bars(values: NDArray[np.floating], marked: NDArray[np.bool_]) -> Text:
    values = values.astype(np.float64)
    known = values[~np.isnan(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    bars = Text()
    for value, is_marked in zip(values.tolist(), marked.tolist(), strict=True):
        if np.isnan(value):
            bars.append("·", style="dim")
        else:
            level = 0.5 if high == low else (value - low) / (high - low)
            bars.append(_BARS[min(int(level * len(_BARS)), len(_BARS) - 1)], style="red" if is_marked else "")
    return bars
