"""Figures as tables: the same rows on a terminal and on the page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table as RichTable

from tocsin_training.evaluation import reliability, utility

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from tocsin_training.evaluation.result import Detector, Estimate, EvaluationResult, OperatingPoint

RANKING = ("average precision", "VUS-PR", "AUROC")
WORTH = (utility.UTILITY, utility.NAB, utility.NAB_BEST, reliability.BRIER, reliability.SKILL, reliability.ERROR)
SHARES = ("recall", "precision", "F1")
DELAYS = ("delay, median", "delay, p90")


@dataclass(frozen=True, slots=True)
class Cell:
    """One formatted figure and its interval."""

    text: str
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of detectors.

    Attributes:
        title: Its caption.
        columns: Heads; the first is the detector's.
        rows: A name and its cells.
        note: Explanation below the table.
    """

    title: str
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]
    note: str


def tables(result: EvaluationResult) -> Iterator[Table]:
    """Every table that the result has figures for."""
    with_events = result.extent.events > 0
    if with_events:
        yield _of_operations(
            result,
            "At the bundle's rate of false alarms",
            lambda one: one.equal,
            "Each detector's threshold is lowered until its false alarms are as frequent as the bundle does at its own "
            "operating point, with the same delays; a score of few values, such as NEWS2, can't always. Delays count "
            "missed events as never.",
        )
    yield _of_operations(
        result,
        "At each detector's own operating point",
        lambda one: one.own,
        "Detectors that have none by custom are left out."
        if with_events
        else "The records hold no events: every alarm is false.",
        counts=True,
    )
    for title, names, note in (
        ("Ranking, without any threshold", RANKING, "Unknown scores rank last. VUS-PR: mean of streams with events."),
        (
            "Worth and calibration",
            WORTH,
            "Baselines’ thresholds for the utility: chosen on the validation part where there is one, else their own.",
        ),
    ):
        there = [name for name in names if any(name in one.figures for one in result.detectors)]
        if there:
            rows = [
                (one.name, [_figure(one.figures.get(name), _three) for name in there])
                for one in result.detectors
                if any(name in one.figures for name in there)
            ]
            yield Table(title, ["detector", *there], rows, note)

    known = {name for one in result.detectors for name, lead in one.behind.items() if not math.isnan(lead.value)}
    there = [name for name in (*RANKING, *WORTH, "events detected") if name in known and not name.startswith("NAB")]
    if there:
        rows = [
            (one.name, [_figure(one.behind.get(name), _signed) for name in there])
            for one in result.detectors
            if one.behind
        ]
        note = (
            "The bundle's figure less the baseline's; each bootstrap replicate draws the same streams for both. Where "
            "the whole interval lies above 0, the bundle is ahead by more than chance. Events detected: at equal false "
            "alarms."
        )
        yield Table(f"How far {result.setting.bundle} is ahead of", ["baseline", *there], rows, note)


def _of_operations(
    result: EvaluationResult,
    title: str,
    pick: Callable[[Detector], OperatingPoint | None],
    note: str,
    *,
    counts: bool = False,
) -> Table:
    with_events = result.extent.events > 0
    horizon = result.setting.horizon_s
    heads = ["detector", "false alarms a stream-day"]
    if with_events:
        delays = ["lead, median", "lead, 90 % have"] if horizon else ["delay, median", "delay, 90 % within"]
        heads += ["events detected", "precision", "F1", *delays]
    if counts:
        heads += ["time in alarm", "threshold"]
    rows = []
    for one in result.detectors:
        made = pick(one)
        if made is None:
            continue
        cells = [_figure(made.figures["false alarms a day"], _three)]
        if with_events:
            cells += [_figure(made.figures[name], _percent) for name in SHARES]
            cells += [_figure(made.figures[name], _lead if horizon else _delay) for name in DELAYS]
        if counts:
            cells += [_figure(made.figures["time in alarm"], _percent), Cell(f"{made.threshold:.4g}")]
        rows.append((one.name, cells))
    return Table(title, heads, rows, note)


def _figure(figure: Estimate | None, formatted: Callable[[float], str]) -> Cell:
    if figure is None or math.isnan(figure.value):
        return Cell("–")
    if math.isnan(figure.low):
        return Cell(formatted(figure.value))
    return Cell(formatted(figure.value), f"{formatted(figure.low)} to {formatted(figure.high)}")


def _three(value: float) -> str:
    return f"{value:.3g}" if abs(value) >= 1 or value == 0 else f"{value:.3f}"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _percent(value: float) -> str:
    return f"{value:.0%}" if value >= 0.1 or value == 0 else f"{value:.2%}"  # noqa: PLR2004  (a tenth)


def _delay(seconds: float) -> str:
    return "never" if math.isinf(seconds) else span(seconds)


def _lead(seconds: float) -> str:
    return "never" if math.isinf(seconds) else span(-seconds)


def span(seconds: float) -> str:
    """Format a duration.

    >>> span(45), span(600), span(5400), span(-7200), span(259200)
    ('45 s', '10 min', '1.5 h', '−2 h', '3 d')
    """
    sign, size = ("−" if seconds < 0 else ""), abs(seconds)
    for unit, length, least in (("d", 86_400.0, 172_800.0), ("h", 3_600.0, 3_600.0), ("min", 60.0, 120.0)):
        if size >= least:
            return f"{sign}{size / length:.3g} {unit}"
    return f"{sign}{size:.3g} s"


def show(result: EvaluationResult, console: Console) -> None:
    """Print the tables."""
    extent = result.extent
    console.print(
        f"[bold]{result.setting.bundle}[/bold] on {result.setting.data}: {extent.streams} streams, "
        f"{extent.days:.3g} stream-days, {extent.events} events in {extent.streams_with_events} streams; "
        f"warm-up {span(result.warm_up.median_s)}; brackets: 95 % intervals, {result.setting.replicates} bootstraps "
        "over streams"
    )
    for table in tables(result):
        rich = RichTable(title=table.title, caption=table.note, title_justify="left", caption_justify="left")
        for number, head in enumerate(table.columns):
            rich.add_column(head, justify="right" if number else "left")
        for name, cells in table.rows:
            formatted = [f"{cell.text}\n[dim]({cell.interval})[/dim]" if cell.interval else cell.text for cell in cells]
            rich.add_row(name, *formatted)
        console.print(rich)
    for name, why in result.skipped.items():
        console.print(f"[dim]without {name}: {why}[/dim]")
