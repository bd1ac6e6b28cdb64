"""`tocsin alarms`: work with a running daemon's alarms."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.alarms import tables
from tocsin.cli.alarms.report import labels_of_alarms, report_alarms
from tocsin.cli.client import (
    JsonOption,
    alarm_path,
    apart,
    duration_s,
    labels,
    moment,
    pages,
    question,
)
from tocsin.cli.command_options import Said, commanding
from tocsin.cli.endpoint import ConfigOption, HttpOption, TokenOption, find

AlarmArgument = Annotated[str, typer.Argument(metavar="STREAM/ALARM", help="Such as icu/bed-3/spo2-low.")]
StreamFilter = Annotated[str | None, typer.Option("--stream", metavar="PATTERN", help="Such as 'icu/*'.")]
AlarmFilter = Annotated[str | None, typer.Option("--alarm", metavar="PATTERN", help="Such as 'spo2-*'.")]
LabelFilter = Annotated[list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="May be repeated.")]
PriorityFilter = Annotated[str | None, typer.Option("--priority", help="high, medium or low")]
CategoryFilter = Annotated[str | None, typer.Option("--category", help="physiological or technical")]
Occurrence = Annotated[int | None, typer.Option(min=1, help="Which; the present or the last one if left out.")]

alarms = typer.Typer(
    name="alarms",
    help="Work with a running daemon's alarms: list, acknowledge, shelve, history, report.\n\n"
    "Exit codes: 0 done; 1 no daemon answers, or it takes no command from here; 2 wrong usage; 3 the daemon refuses, "
    "and says why.",
    no_args_is_help=True,
)


@alarms.command("list")
def list_alarms(
    *,
    stream: StreamFilter = None,
    alarm: AlarmFilter = None,
    label: LabelFilter = None,
    priority: PriorityFilter = None,
    category: CategoryFilter = None,
    state: Annotated[str | None, typer.Option(help="unacknowledged, acknowledged, returned, …")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that have been up and are normal.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    address: HttpOption = None,
    token_file: TokenOption = None,
) -> None:
    """List alarms that are up, wait for somebody, or are put aside."""
    labels(label or [])
    wanted = {
        "stream": stream,
        "alarm": alarm,
        "label": label or None,
        "priority": priority,
        "category": category,
        "state": state,
        "all": "true" if everything else None,
    }
    found = question(find(config, address, token_file), "alarms", wanted)
    tables.show_alarms(found, as_json=as_json)


@alarms.command()
def show(
    alarm: AlarmArgument,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    address: HttpOption = None,
    token_file: TokenOption = None,
) -> None:
    """Show one alarm: its state, its evidence, who did what."""
    apart(alarm)
    tables.show_alarm(question(find(config, address, token_file), alarm_path(alarm), {}), as_json=as_json)


@alarms.command()
@commanding
def acknowledge(
    alarm: AlarmArgument,
    *,
    occurrence: Annotated[int | None, typer.Option(min=1, help="The one you saw; refused if it is another.")] = None,
) -> Said:
    """Say that you have seen an alarm."""
    body = {**apart(alarm), "occurrence": occurrence}
    return "acknowledge", body


@alarms.command("acknowledge-group")
@commanding
def acknowledge_group(
    *,
    label: Annotated[list[str], typer.Option("--label", metavar="NAME=VALUE", help="May be repeated.")],
) -> Said:
    """Say that you have seen all that people are told of in a group, such as --label ward=icu."""
    body = {"labels": labels(label)}
    return "acknowledge-group", body


@alarms.command()
@commanding
def reset(alarm: AlarmArgument) -> Said:
    """End a latched alarm that has been acknowledged."""
    return "reset", apart(alarm)


@alarms.command()
@commanding
def shelve(
    alarm: AlarmArgument,
    *,
    duration: Annotated[str, typer.Option("--for", metavar="DURATION", help="30min, 2h, … at most a day.")],
    once: Annotated[bool, typer.Option("--once", help="End with the next clear, if that comes first.")] = False,
) -> Said:
    """Keep an alarm quiet for a time. Takes a --reason."""
    body = {**apart(alarm), "for_s": duration_s(duration, "--for"), "once": once}
    return "shelve", body


@alarms.command()
@commanding
def unshelve(alarm: AlarmArgument) -> Said:
    """End a shelving before its time."""
    return "unshelve", apart(alarm)


@alarms.command("take-out")
@commanding
def take_out(alarm: AlarmArgument) -> Said:
    """Take an alarm out of service, for maintenance. Takes a --reason."""
    return "take-out", apart(alarm)


@alarms.command("put-back")
@commanding
def put_back(alarm: AlarmArgument) -> Said:
    """Return an alarm to service."""
    return "put-back", apart(alarm)


@alarms.command()
@commanding
def annotate(
    alarm: AlarmArgument,
    reason: Annotated[str, typer.Argument(metavar="TEXT")],
    *,
    occurrence: Occurrence = None,
) -> Said:
    """Say something about an occurrence of an alarm."""
    body = {**apart(alarm), "occurrence": occurrence}
    return "annotate", {**body, "comment": reason}


@alarms.command()
@commanding
def mark(
    alarm: AlarmArgument,
    verdict: Annotated[str, typer.Argument(metavar="true|false")],
    *,
    occurrence: Occurrence = None,
) -> Said:
    """Say whether an occurrence of an alarm was true: was there something to do?"""
    body = {**apart(alarm), "verdict": verdict, "occurrence": occurrence}
    return "mark", body


@alarms.command("test")
@commanding
def raise_test(
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="Under which name.")] = "tocsin/test",
) -> Said:
    """Raise a test alarm, which goes through every door out and clears by itself after ten seconds."""
    return "test", {"stream": stream}


@alarms.command()
def history(
    *,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="2d, 36h, or ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Likewise.")] = None,
    stream: StreamFilter = None,
    alarm: AlarmFilter = None,
    label: LabelFilter = None,
    priority: PriorityFilter = None,
    category: CategoryFilter = None,
    transition: Annotated[str | None, typer.Option(help="raise, clear, acknowledge, shelve, …")] = None,
    occurrence: Annotated[int | None, typer.Option(min=1, help="The number of one.")] = None,
    actor: Annotated[str | None, typer.Option(metavar="NAME", help="Who did it.")] = None,
    verdict: Annotated[str | None, typer.Option(help="true or false: what it was marked as.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="100 if left out; all with --csv and --parquet.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a table.")] = None,
    parquet: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a table; needs 'tocsin[demo]'.")] = None,
    config: ConfigOption = None,
    address: HttpOption = None,
    token_file: TokenOption = None,
) -> None:
    """Read the alarm log: everything that happened to alarms, the newest last."""
    labels(label or [])
    now = datetime.now(UTC)
    wanted = {
        "since": moment(since, "--since", now),
        "until": moment(until, "--until", now),
        "stream": stream,
        "alarm": alarm,
        "label": label or None,
        "priority": priority,
        "category": category,
        "transition": transition,
        "occurrence": occurrence,
        "actor": actor,
        "verdict": verdict,
    }
    tables.check_parquet(parquet)
    at_most = limit if limit is not None or csv or parquet else 100
    events = list(pages(find(config, address, token_file), wanted, at_most))[::-1]
    for file in (csv, parquet):
        if file is not None:
            tables.write(file, tables.columns_of(events), as_parquet=file is parquet)
            typer.echo(f"wrote {file}: {len(events)} events", err=True)
    if as_json:
        for event in events:
            typer.echo(json.dumps(event, ensure_ascii=False))
    elif csv is None and parquet is None:
        tables.show_history(events)


alarms.command("report")(report_alarms)
alarms.command("labels")(labels_of_alarms)
