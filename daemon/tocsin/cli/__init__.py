"""The command line. Each command is a thin function; what it does lives in the packages."""

from __future__ import annotations

import gc
import sys
from importlib.metadata import entry_points
from typing import Annotated

import typer

import tocsin
from tocsin.cli.alarms.commands import alarms
from tocsin.cli.check import check
from tocsin.cli.errors import Failure
from tocsin.cli.explain.command import explain
from tocsin.cli.generate import generate
from tocsin.cli.record import record
from tocsin.cli.reload import reload, rollback
from tocsin.cli.replay import replay
from tocsin.cli.run import run
from tocsin.cli.streams import streams
from tocsin.cli.watch import watch

_COMMANDS_OF_OTHERS = "tocsin.commands"


def _version(wanted: bool) -> None:  # noqa: FBT001  (typer calls it with the option's value)
    if wanted:
        typer.echo(f"tocsin {tocsin.__version__}")
        raise typer.Exit


def _about(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Watch streams of sensor readings and ring when something is wrong: early, once, with a reason.

    Start with `tocsin demo`, which needs no broker, or write a configuration, `tocsin check` it and `tocsin run` it.
    """


def build() -> typer.Typer:
    """Put the commands together: the daemon's own, and those that training adds as entry points."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False)
    app.callback()(_about)
    for command in (run, check, reload, rollback, replay, record, generate, watch, explain):
        app.command()(command)
    app.add_typer(alarms)
    app.add_typer(streams)
    for entry in sorted(entry_points(group=_COMMANDS_OF_OTHERS), key=lambda entry: entry.name):
        try:
            command = entry.load()
        except ImportError as error:  # the daemon must start whatever state an add-on is in
            typer.secho(f"command {entry.name!r} of {entry.value} is left out: {error}", err=True)
            continue
        app.command(entry.name)(command)
    return app


def main() -> None:
    """Run `tocsin`."""
    try:
        build()()
    except Failure as failure:
        typer.echo(str(failure), err=True)
        sys.exit(failure.exit_code)
    finally:
        # At its end Python looks for cycles among everything that was ever imported, which takes longer than all else
        # that ends a daemon. The process's memory goes back without it.
        gc.freeze()
