"""`tocsin alarms report` and `tocsin alarms labels`: figures and labels from the alarm log."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tocsin.alarm.events import Transition
from tocsin.alarm.performance import LogRow, report
from tocsin.cli import tables
from tocsin.cli.alarms.page import page, shown, verdict
from tocsin.cli.client import moment, pages
from tocsin.cli.endpoint import ConfigOption, HttpOption, TokenOption, find
from tocsin.cli.errors import Failure
from tocsin.cli.html import write
from tocsin.engine.events import Priority

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tocsin.alarm.performance import PerformanceReport

_BEFORE = timedelta(days=2)
"""The part of the log before the reported time that is read as well: a stale alarm was raised in it."""


def report_alarms(
    *,
    days: Annotated[float, typer.Option(min=0.05, help="How far back.")] = 30,
    by: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="A label that forms groups, such as ward; one group if left out."),
    ] = None,
    operators: Annotated[int, typer.Option(min=1, help="Number of operators of a group.")] = 1,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with pictures.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigOption = None,
    address: HttpOption = None,
    token_file: TokenOption = None,
) -> None:
    """Report the figures of ISA-18.2 and EEMUA 191 for the last days, with their targets."""
    now = datetime.now(UTC)
    begin = now - timedelta(days=days)
    events = list(pages(find(config, address, token_file), {"since": (begin - _BEFORE).isoformat()}, None))[::-1]
    made = report(rows(events, by), _ns(begin), _ns(now), operators)
    if html is not None:
        about = f"The last {days:g} days" + (f", by {by}" if by else "")
        write(html, page(made, about))
    if as_json:
        typer.echo(json.dumps(_plain(made), ensure_ascii=False))
    elif html is None:
        _show(made)


def labels_of_alarms(
    *,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="30d, or ISO 8601; all if left out.")] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a table.")] = None,
    parquet: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a table; needs 'tocsin[demo]'.")] = None,
    config: ConfigOption = None,
    address: HttpOption = None,
    token_file: TokenOption = None,
) -> None:
    """Write the occurrences that were marked as true or false: labels for training and calibration."""
    if csv is None and parquet is None:
        raise Failure("no output file is given", "give --csv FILE or --parquet FILE")
    tables.check_parquet(parquet)
    wanted = {"since": moment(since, "--since", datetime.now(UTC))}
    events = list(pages(find(config, address, token_file), wanted, None))[::-1]
    columns = label_columns(events)
    for file in (csv, parquet):
        if file is not None:
            tables.write(file, columns, as_parquet=file is parquet)
            typer.echo(f"wrote {file}: {len(columns['stream'])} marked occurrences", err=True)


def rows(events: Iterable[Mapping[str, Any]], by: str | None) -> list[LogRow]:
    """Events as rows for the report, without test alarms."""
    return [
        LogRow(
            group="" if by is None else event["labels"].get(by, ""),
            stream=event["stream"],
            alarm=event["alarm"],
            transition=Transition(event["transition"]),
            at=event["raised_at_ns"],
            priority=Priority(event["priority"]),
            occurrence=event["occurrence"],
            annunciated=event["annunciated"],
            actor=event["actor"],
            comment=event["comment"],
            verdict=None if event["verdict"] is None else event["verdict"] == "true",
            fleeting=event["fleeting"],
        )
        for event in events
        if not event["test"]
    ]


def label_columns(events: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """One row per marked occurrence: begin, end, and label 1 for true; the last mark counts.

    `begin` and `end` are event times in seconds since 1970; the end of an active occurrence is null.
    """
    ends: dict[int, int] = {}
    marks: dict[int, Mapping[str, Any]] = {}
    for event in events:
        occurrence = event["occurrence"]
        if event["transition"] in {Transition.CLEAR, Transition.END} and occurrence is not None:
            ends.setdefault(occurrence, event["t_ns"])
        elif event["transition"] == Transition.MARK:
            marks[occurrence] = event
    found = [(number, mark) for number, mark in sorted(marks.items()) if mark["since_ns"] is not None]
    return {
        "stream": [mark["stream"] for _, mark in found],
        "begin": [mark["since_ns"] / 1e9 for _, mark in found],
        "end": [ends[number] / 1e9 if number in ends else None for number, _ in found],
        "label": [int(mark["verdict"] == "true") for _, mark in found],
        "verdict": [mark["verdict"] for _, mark in found],
        "alarm": [mark["alarm"] for _, mark in found],
        "occurrence": [number for number, _ in found],
        "actor": [mark["actor"] for _, mark in found],
        "comment": [mark["comment"] for _, mark in found],
    }


def _show(made: PerformanceReport) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("figure", overflow="fold")
    table.add_column("is", justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    table.add_column("", overflow="fold")
    style = {"met": "green", "missed": "bold red", "": ""}
    for figure in made.figures:
        met = verdict(figure)
        table.add_row(
            Text(figure.name),
            shown(figure),
            figure.target,
            Text(met, style=style[met]),
            Text(figure.detail, style="dim"),
        )
    for stream, alarm, count in made.top:
        table.add_row(Text(f"  {stream}/{alarm}", style="dim"), Text(str(count), style="dim"))
    Console(highlight=False).print(table)


def _plain(made: PerformanceReport) -> dict[str, Any]:
    fields = ("name", "value", "unit", "target", "is_met", "detail")
    return {
        "begin_ns": made.begin,
        "end_ns": made.end,
        "alarms": made.alarms,
        "figures": [{name: getattr(figure, name) for name in fields} for figure in made.figures],
        "top": [{"stream": stream, "alarm": alarm, "count": count} for stream, alarm, count in made.top],
        "floods": [{"group": f.group, "begin_ns": f.begin, "end_ns": f.end, "alarms": f.alarms} for f in made.floods],
        "chattering": [{"stream": s, "alarm": a, "count": n} for (s, a), n in made.chattering.items()],
        "stale": [{"stream": s, "alarm": a} for s, a in made.stale],
    }


def _ns(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6) * 1000
