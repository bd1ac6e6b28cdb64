"""`tocsin streams`: list and change the streams of a running daemon."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tocsin.cli.client import (
    JsonOption,
    duration_s,
    get,
    labels,
    moment,
    pages,
    split_alarm,
)
from tocsin.cli.command_options import CommandRequest, command_with_common_options
from tocsin.cli.endpoint import ConfigOption, HttpOption, TokenOption, find
from tocsin.cli.errors import Failure
from tocsin.ingest.reject import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

StreamArgument = Annotated[str, typer.Argument(metavar="STREAM", help="Such as icu/bed-3.")]
ProfileOption = Annotated[
    list[str] | None, typer.Option("--profile", metavar="NAME=VALUE", help="Such as age=71; may be repeated.")
]
_SHOWN_CHARACTERS = 200

streams = typer.Typer(
    name="streams",
    help="List and change the streams of a running daemon: list, show, admit, transfer, limits, history, export.\n\n"
    "Exit codes: 0 done; 1 no daemon answers, or it accepts no command from here; 2 wrong usage; 3 refused, with "
    "the reason.",
    no_args_is_help=True,
)


@streams.command("list")
def list_streams(
    *,
    stream: Annotated[str | None, typer.Option("--stream", metavar="PATTERN", help="Such as 'icu/*'.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="May be repeated.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    address: HttpOption = None,
    token_file: TokenOption = None,
) -> None:
    """List the streams."""
    labels(label or [])
    found = get(find(config, address, token_file), "streams", {"stream": stream, "label": label or None})
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("stream", "watch", "last reading", "frames", "", "labels"):
        table.add_column(name, overflow="fold")
    for entry in found["streams"]:
        for watch in entry["watches"]:
            cells = (
                entry["stream"],
                watch["watch"],
                watch["newest_t"] or "none",
                str(watch["frames"]),
                _condition(watch),
                ", ".join(f"{name}={value}" for name, value in entry["labels"].items()),
            )
            table.add_row(*(Text(printable(cell, _SHOWN_CHARACTERS)) for cell in cells))
    Console(highlight=False).print(table)


@streams.command()
def show(
    stream: StreamArgument,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    address: HttpOption = None,
    token_file: TokenOption = None,
) -> None:
    """Show the watches, the profile and the own limits of a stream."""
    found = get(find(config, address, token_file), "streams/" + quote(stream), {})
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    lines = [found["stream"]]
    lines += [f"  label {name}: {value}" for name, value in found["labels"].items()]
    for watch in found["watches"]:
        lines.append(
            f"  watch {watch['watch']}: {watch['model']}, {watch['frames']} frames {_condition(watch)}".rstrip()
        )
        lines.append(f"    last reading: {watch['newest_t'] or 'none'}")
        lines += _in_force(watch)
        for name, value in watch["thresholds"].items():
            lines.append(f"    {name}: own threshold {'unknown' if value is None else f'{value:.3g}'}")
    for line in lines:
        typer.echo(printable(line, _SHOWN_CHARACTERS))


@streams.command()
def history(
    *,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="2d, 36h, or ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="2d, 36h, or ISO 8601.")] = None,
    stream: Annotated[str | None, typer.Option("--stream", metavar="PATTERN", help="Such as 'icu/*'.")] = None,
    actor: Annotated[str | None, typer.Option(metavar="NAME", help="The actor.")] = None,
    verb: Annotated[str | None, typer.Option(help="admit, set-limit, …")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Number of entries, newest first.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: ConfigOption = None,
    address: HttpOption = None,
    token_file: TokenOption = None,
) -> None:
    """Print the log of stream commands, newest last."""
    now = datetime.now(UTC)
    wanted = {
        "since": moment(since, "--since", now),
        "until": moment(until, "--until", now),
        "stream": stream,
        "actor": actor,
        "verb": verb,
    }
    endpoint = find(config, address, token_file)
    commands = list(pages(endpoint, wanted, limit, path="stream-history", of="commands"))[::-1]
    if as_json:
        for entry in commands:
            typer.echo(json.dumps(entry, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("time", "stream", "command", "", "who", "why"):
        table.add_column(name, overflow="fold")
    for entry in commands:
        arguments = (f"{name}={_shown(value)}" for name, value in entry["arguments"].items() if value not in (None, {}))
        cells = (
            entry["at"],
            entry["stream"],
            entry["verb"],
            ", ".join(arguments),
            entry["actor"],
            entry["comment"] or "",
        )
        table.add_row(*(Text(printable(cell, _SHOWN_CHARACTERS)) for cell in cells))
    Console(highlight=False).print(table)


@streams.command()
@command_with_common_options
def admit(
    stream: StreamArgument,
    *,
    label: Annotated[list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="May be repeated.")] = None,
    profile: ProfileOption = None,
) -> CommandRequest:
    """Start a new stay: another patient or machine; the former state is deleted."""
    body = {"stream": stream, "labels": labels(label or []), "profile": _numbers(profile or [])}
    return "admit", body


@streams.command()
@command_with_common_options
def discharge(stream: StreamArgument) -> CommandRequest:
    """End a stream with its state and its alarms."""
    return "discharge", {"stream": stream}


@streams.command()
@command_with_common_options
def transfer(
    stream: StreamArgument,
    to: Annotated[str, typer.Argument(metavar="TO", help="The new name.")],
) -> CommandRequest:
    """Move the state of a stream, without its alarms, to another name."""
    return "transfer", {"stream": stream, "to": to}


@streams.command()
@command_with_common_options
def standby(
    stream: StreamArgument,
    *,
    duration: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="30min, 2h, …; until `resume` by default.")
    ] = None,
) -> CommandRequest:
    """Set a stream on standby: it is not judged."""
    until = None
    if duration is not None:
        until = (datetime.now(UTC) + timedelta(seconds=duration_s(duration, "--for"))).isoformat()
    return "standby", {"stream": stream, "until": until}


@streams.command()
@command_with_common_options
def resume(stream: StreamArgument) -> CommandRequest:
    """End a standby."""
    return "resume", {"stream": stream}


@streams.command()
@command_with_common_options
def reset(stream: StreamArgument) -> CommandRequest:
    """Reset the model state of a stream and end its alarms; labels, limits and profile stay."""
    return "reset-stream", {"stream": stream}


@streams.command("set-limit")
@command_with_common_options
def set_limit(
    alarm: Annotated[str, typer.Argument(metavar="STREAM/ALARM", help="Such as icu/bed-3/spo2-low.")],
    limit: Annotated[str, typer.Argument(metavar="LIMIT", help="In the channel's unit, or `configured`.")],
) -> CommandRequest:
    """Set the limit of an alarm in one stream."""
    body = {**split_alarm(alarm), "limit": None if limit == "configured" else _number("LIMIT", limit)}
    return "set-limit", body


@streams.command("set-profile")
@command_with_common_options
def set_profile(
    stream: StreamArgument,
    values: Annotated[list[str], typer.Argument(metavar="NAME=VALUE…", help="Such as age=71; age= for unknown.")],
) -> CommandRequest:
    """Set static values of a stream, such as an age."""
    body = {"stream": stream, "values": _numbers(values)}
    return "set-profile", body


@streams.command("export")
def export_stream(
    stream: StreamArgument,
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="A NumPy archive, .npz.")],
    config: ConfigOption = None,
    address: HttpOption = None,
    token_file: TokenOption = None,
) -> None:
    """Write the state of a stream into a file, for an import elsewhere."""
    found = get(find(config, address, token_file), "memory/" + quote(stream), {})
    try:
        out.write_bytes(base64.b64decode(found["memory"], validate=True))
    except binascii.Error as error:
        raise Failure(f"the answer of the daemon is no stream state ({error})") from error
    except OSError as error:
        raise Failure(f"{out}: cannot be written: {error.strerror}") from error
    typer.echo(printable(f"wrote {out}: {stream}", _SHOWN_CHARACTERS), err=True)


@streams.command("import")
@command_with_common_options
def import_stream(
    stream: StreamArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file from `export`.")],
) -> CommandRequest:
    """Import an exported stream state under this name, without a new warm-up."""
    try:
        memory = base64.b64encode(file.read_bytes()).decode()
    except OSError as error:
        raise Failure(f"{file}: cannot be read: {error.strerror}") from error
    return "import-stream", {"stream": stream, "memory": memory}


def _in_force(watch: dict[str, Any]) -> Iterator[str]:
    """Profile and limits of the stream itself, with their origin."""
    by_name = watch["overrides"]
    for name, value in {**by_name["profile"], **watch["profile"]}.items():
        yield f"    {name}: {value:g}" + ("" if name in watch["profile"] else " (override)")
    for name, value in {**by_name["limits"], **watch["limits"]}.items():
        yield f"    limit of {name}: {value:g} ({'set by a person' if name in watch['limits'] else 'override'})"
    yield from (f"    {name}: off (override)" for name in by_name["off"])


def _condition(watch: dict[str, Any]) -> str:
    parts = []
    if watch["standby"]:
        parts.append(f"on standby until {watch['standby_until']}" if watch["standby_until"] else "on standby")
    elif watch["old_model"]:
        parts.append(f"warms up as a shadow of {watch['old_model']}")
    elif watch["warming_up"]:
        parts.append("warming up")
    if watch["admitted"]:
        parts.append("admitted")
    return ", ".join(parts)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _numbers(given: list[str]) -> dict[str, float | None]:
    """Parse `NAME=VALUE` texts; an empty value is unknown."""
    return {name: _number(name, text) if text else None for name, text in labels(given).items()}


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Failure(f"{name}: {text!r} is not a number") from None
