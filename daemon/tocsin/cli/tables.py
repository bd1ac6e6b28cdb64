"""Alarms and the alarm log on the terminal, and as CSV or Parquet tables."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tocsin.cli.errors import Failure
from tocsin.ingest.reject import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

STYLE_OF = {"high": "bold red", "medium": "yellow", "low": "cyan"}  # IEC 60601-1-8
_SHOWN_CHARACTERS = 300

COLUMNS = (
    "id", "t", "t_ns", "raised_at", "raised_at_ns", "stream", "alarm", "watch", "priority", "category", "transition",
    "state", "annunciated", "occurrence", "since", "since_ns", "reason", "score", "model", "actor", "comment",
    "transaction", "verdict", "fleeting", "test",
)  # fmt: skip
"""Columns of a table of events; `labels` and `evidence` follow as JSON."""


def show_alarms(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    if not found["alarms"]:
        typer.echo("no alarm is active, shelved, suppressed or out of service")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("priority", "alarm", "state", "since", "reason", ""):
        table.add_column(name, overflow="fold")
    now = datetime.now(UTC)
    for alarm in found["alarms"]:
        style = STYLE_OF[alarm["priority"]] if alarm["annunciated"] and not alarm["acknowledged"] else ""
        table.add_row(
            Text(alarm["priority"], style=STYLE_OF[alarm["priority"]]),
            _text(alarm["id"], style),
            _text(alarm["state"] + (" ?" if alarm["uncertain"] else ""), style),
            _text(_ago(alarm["raised_at"], now)),
            _text(alarm["reason"]),
            _text(_suppression(alarm), "dim"),
        )
    _console().print(table)


def show_alarm(alarm: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(alarm, ensure_ascii=False))
        return
    console = _console()
    now = datetime.now(UTC)
    lines = [
        ("state", alarm["state"] + (", uncertain: its condition is unknown now" if alarm["uncertain"] else "")),
        ("priority", f"{alarm['priority']}, {alarm['category']}"),
        ("since", alarm["since"] and f"{alarm['since']} (raised {_ago(alarm['raised_at'], now)} ago)"),
        ("reason", alarm["reason"]),
        ("occurrence", alarm["occurrence"]),
        ("acknowledged", alarm["acknowledged_by"] and f"by {alarm['acknowledged_by']}, {alarm['acknowledged_at']}"),
        ("suppressed", _suppression(alarm)),
        ("score", alarm["model"] and alarm["score"] is not None and f"{alarm['score']:.4g} by {alarm['model']}"),
        ("labels", ", ".join(f"{name}={value}" for name, value in alarm["labels"].items())),
    ]
    console.print(_text(alarm["id"], STYLE_OF[alarm["priority"]]))
    for name, value in lines:
        if value not in {None, "", False}:
            console.print(Text(f"  {name:<13}", style="dim") + _text(str(value)))
    for evidence in alarm["evidence"]:
        seen = "not measured" if evidence["value"] is None else f"{evidence['value']:.6g} {evidence['unit']}"
        mean, scale = evidence["mean"], evidence["scale"]
        expected = "" if mean is None or scale is None else f", expected {mean:.4g} ± {scale:.2g}"
        console.print(Text(f"  {'evidence':<13}", style="dim") + _text(f"{evidence['channel']} {seen}{expected}"))


def show_events(reply: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the events that a command caused."""
    if as_json:
        typer.echo(json.dumps(reply, ensure_ascii=False))
        return
    events = reply["data"]["events"]
    if not events:
        typer.echo("no change")
    for event in events:
        by = f" by {event['actor']}" if event["actor"] else ""
        line = f"{event['stream']}/{event['alarm']}: {event['transition']}{by}; now {event['state']}"
        typer.echo(printable(line, _SHOWN_CHARACTERS))


def show_history(events: Sequence[Mapping[str, Any]]) -> None:
    """Print events, newest last."""
    if not events:
        typer.echo("no event matches")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("id", "when", "priority", "alarm", "what", "who", "reason"):
        table.add_column(name, overflow="fold")
    for event in events:
        raised = event["transition"] == "raise"
        table.add_row(
            _text(str(event["id"]), "dim"),
            _text(event["t"]),
            Text(event["priority"], style=STYLE_OF[event["priority"]]),
            _text(f"{event['stream']}/{event['alarm']}", STYLE_OF[event["priority"]] if raised else ""),
            _text(event["transition"] + (f" {event['verdict']}" if event["verdict"] else "")),
            _text(event["actor"] or ""),
            _text(event["comment"] or event["reason"]),
        )
    _console().print(table)


def columns_of(events: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Events as columns; nested values become JSON."""
    columns: dict[str, list[Any]] = {name: [event[name] for event in events] for name in COLUMNS}
    for name in ("labels", "evidence"):
        columns[name] = [json.dumps(event[name], ensure_ascii=False) for event in events]
    return columns


def check_parquet(file: Path | None) -> None:
    """Check that Parquet can be written, before any request.

    Raises:
        Failure: polars is not installed.
    """
    if file is not None and find_spec("polars") is None:
        raise Failure("--parquet needs polars", "pip install 'tocsin[demo]', or write --csv")


def write(file: Path, columns: Mapping[str, Sequence[Any]], *, as_parquet: bool) -> None:
    """Write a table.

    Raises:
        Failure: The file cannot be written.
    """
    if as_parquet:
        from tocsin.recording import RecordingError  # noqa: PLC0415  (polars is an extra)
        from tocsin.recording import write as write_table  # noqa: PLC0415

        try:
            write_table(file, columns)
        except RecordingError as error:
            raise Failure(str(error)) from error
        return
    try:
        with file.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
    except OSError as error:
        raise Failure(f"{file}: cannot be written: {error.strerror}") from error


def _suppression(alarm: Mapping[str, Any]) -> str:
    parts = []
    if alarm["shelved"]:
        parts.append(
            f"shelved by {alarm['shelved']['by']} until {alarm['shelved']['until']}: {alarm['shelved']['reason']}"
        )
    if alarm["out_of_service"]:
        parts.append("out of service")
    if alarm["suppressed_by"]:
        parts.append(f"suppressed by {', '.join(alarm['suppressed_by'])}")
    if alarm["chattering"]:
        parts.append("chattering")
    if alarm["stale"]:
        parts.append("stale")
    return "; ".join(parts)


def _ago(moment: str | None, now: datetime) -> str:
    """The time since a moment, short.

    >>> _ago("2026-01-01T00:00:00Z", datetime(2026, 1, 1, 0, 3, tzinfo=UTC))
    '3 min'
    """
    if moment is None:
        return ""
    seconds = (now - datetime.fromisoformat(moment)).total_seconds()
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _text(text: str, style: str = "") -> Text:
    """Text without control characters."""
    return Text(printable(text, _SHOWN_CHARACTERS), style=style)


def _console() -> Console:
    return Console(highlight=False)
