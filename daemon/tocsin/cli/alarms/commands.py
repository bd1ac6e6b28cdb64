"""`tocsin alarms`: list and change the alarms of a running daemon."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli import tables
from tocsin.cli.alarms.report import labels_of_alarms, report_alarms
from tocsin.cli.client import (
    JsonOption,
    alarm_path,
    duration_s,
    get,
    labels,
    moment,
    pages,
    split_alarm,
)
from tocsin.cli.command_options import CommandRequest, command_with_common_options
from tocsin.cli.endpoint import ConfigOption, HttpOption, TokenOption, find

AlarmArgument = Annotated[str, typer.Argument(metavar="STREAM/ALARM", help="Such as icu/bed-3/spo2-low.")]
StreamFilter = Annotated[str | None, typer.Option("--stream", metavar="PATTERN", help="Such as 'icu/*'.")]
AlarmFilter = Annotated[str | None, typer.Option("--alarm", metavar="PATTERN", help="Such as 'spo2-*'.")]
LabelFilter = Annotated[list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="May be repeated.")]
PriorityFilter = Annotated[str | None, typer.Option("--priority", help="high, medium or low")]
CategoryFilter = Annotated[str | None, typer.Option("--category", help="physiological or technical")]
Occurrence = Annotated[
    int | None, typer.Option(min=1, help="The number of the occurrence; the present or last one if left out.")
]

alarms = typer.Typer(
    name="alarms",
    help="List and change the alarms of a running daemon: list, acknowledge, shelve, history, report.\n\n"
    "Exit codes: 0 done; 1 no daemon answers, or it accepts no command from here; 2 wrong usage; 3 refused, with "
    "the reason.",
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
    everything: Annotated[bool, typer.Option("--all", help="Include alarms that have returned to normal.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    address: HttpOption = None,
    token_file: TokenOption = None,
) -> None:
    """List alarms that are active, unacknowledged, shelved, suppressed or out of service."""
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
    found = get(find(config, address, token_file), "alarms", wanted)
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
    """Show the state and the evidence of one alarm."""
    split_alarm(alarm)
    tables.show_alarm(get(find(config, address, token_file), alarm_path(alarm), {}), as_json=as_json)


@alarms.command()
@command_with_common_options
def acknowledge(
    alarm: AlarmArgument,
    *,
    occurrence: Annotated[
        int | None, typer.Option(min=1, help="The occurrence you saw; another one is refused.")
    ] = None,
) -> CommandRequest:
    """Acknowledge an alarm."""
    body = {**split_alarm(alarm), "occurrence": occurrence}
    return "acknowledge", body


@alarms.command("acknowledge-group")
@command_with_common_options
def acknowledge_group(
    *,
    label: Annotated[list[str], typer.Option("--label", metavar="NAME=VALUE", help="May be repeated.")],
) -> CommandRequest:
    """Acknowledge all annunciated alarms of a group, such as --label ward=icu."""
    body = {"labels": labels(label)}
    return "acknowledge-group", body


@alarms.command()
@command_with_common_options
def reset(alarm: AlarmArgument) -> CommandRequest:
    """Reset a latched alarm that has been acknowledged."""
    return "reset", split_alarm(alarm)


@alarms.command()
@command_with_common_options
def shelve(
    alarm: AlarmArgument,
    *,
    duration: Annotated[str, typer.Option("--for", metavar="DURATION", help="30min, 2h, … at most a day.")],
    once: Annotated[bool, typer.Option("--once", help="End with the next clear, if it comes first.")] = False,
) -> CommandRequest:
    """Shelve an alarm: suppress it for a time. Needs a --reason."""
    body = {**split_alarm(alarm), "for_s": duration_s(duration, "--for"), "once": once}
    return "shelve", body


@alarms.command()
@command_with_common_options
def unshelve(alarm: AlarmArgument) -> CommandRequest:
    """End a shelving early."""
    return "unshelve", split_alarm(alarm)


@alarms.command("remove-from-service")
@command_with_common_options
def remove_from_service(alarm: AlarmArgument) -> CommandRequest:
    """Remove an alarm from service, for maintenance. Needs a --reason."""
    return "remove-from-service", split_alarm(alarm)


@alarms.command("return-to-service")
@command_with_common_options
def return_to_service(alarm: AlarmArgument) -> CommandRequest:
    """Return an alarm to service."""
    return "return-to-service", split_alarm(alarm)


@alarms.command()
@command_with_common_options
def annotate(
    alarm: AlarmArgument,
    reason: Annotated[str, typer.Argument(metavar="TEXT")],
    *,
    occurrence: Occurrence = None,
) -> CommandRequest:
    """Add a comment to an occurrence of an alarm."""
    body = {**split_alarm(alarm), "occurrence": occurrence}
    return "annotate", {**body, "comment": reason}


@alarms.command()
@command_with_common_options
def mark(
    alarm: AlarmArgument,
    verdict: Annotated[str, typer.Argument(metavar="true|false")],
    *,
    occurrence: Occurrence = None,
) -> CommandRequest:
    """Mark an occurrence as true (it needed a response) or false."""
    body = {**split_alarm(alarm), "verdict": verdict, "occurrence": occurrence}
    return "mark", body


@alarms.command("test")
@command_with_common_options
def raise_test(
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="The name of the test stream.")] = "tocsin/test",
) -> CommandRequest:
    """Raise a test alarm: it goes to every sink and clears after ten seconds."""
    return "test", {"stream": stream}


@alarms.command()
def history(
    *,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="2d, 36h, or ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="2d, 36h, or ISO 8601.")] = None,
    stream: StreamFilter = None,
    alarm: AlarmFilter = None,
    label: LabelFilter = None,
    priority: PriorityFilter = None,
    category: CategoryFilter = None,
    transition: Annotated[str | None, typer.Option(help="raise, clear, acknowledge, shelve, …")] = None,
    occurrence: Annotated[int | None, typer.Option(min=1, help="The number of an occurrence.")] = None,
    actor: Annotated[str | None, typer.Option(metavar="NAME", help="The actor.")] = None,
    verdict: Annotated[str | None, typer.Option(help="true or false, as marked.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="100 by default; no limit with --csv and --parquet.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a table.")] = None,
    parquet: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a table; needs 'tocsin[demo]'.")] = None,
    config: ConfigOption = None,
    address: HttpOption = None,
    token_file: TokenOption = None,
) -> None:
    """Print the alarm log, newest last."""
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
