"""The report of the alarm log and the tables of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.recording import plain_value
from tocsin.alarm.performance import report
from tocsin.cli import tables as alarm_tables
from tocsin.cli.alarms import report as alarm_report


def alarm_figures(events: list[dict[str, Any]], begin: int, end: int, by: str | None, operators: int) -> Any:
    """Return the report of the alarm log's events, as in JSON; times in nanoseconds since 1970."""
    made = report(alarm_report.rows(events, by), begin, end, operators)
    return plain_value(alarm_report._plain(made))  # noqa: SLF001  (the same as `--json`)


def alarm_csv(folder: Path, events: list[dict[str, Any]]) -> dict[str, str]:
    """Return the tables of events that the command line writes, as CSV text by name."""
    tables = {"labels": alarm_report.label_columns(events), "history": alarm_tables.columns_of(events)}
    found = {}
    for name, columns in tables.items():
        file = folder / f"{name}.csv"
        alarm_tables.write(file, columns, as_parquet=False)
        found[name] = file.read_text(encoding="utf-8")
    return found
