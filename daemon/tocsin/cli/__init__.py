"""The command line `tocsin`: thin functions over the packages."""

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

_PLUGIN_COMMANDS = "tocsin.commands"


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
    """Watch streams of sensor readings and raise an alarm when something is wrong: early, once, with a reason.

    Start with `tocsin demo`, which needs no broker, or write a configuration, `tocsin check` it and `tocsin run` it.
    """


def build() -> typer.Typer:
    """Build the command line: the daemon's commands, and those of installed entry points."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False)
    app.callback()(_about)
    for command in (run, check, reload, rollback, replay, record, generate, watch, explain):
        app.command()(command)
    app.add_typer(alarms)
    app.add_typer(streams)
    for entry in sorted(entry_points(group=_PLUGIN_COMMANDS), key=lambda entry: entry.name):
        try:
            command = entry.load()
        except ImportError as error:
            if error.name == entry.module.partition(".")[0]:
                continue  # a package of the checkout that is not in the wheel
            # A broken add-on must not stop the daemon.
            typer.secho(f"command {entry.name!r} of {entry.value} is left out: {error}", err=True)
            continue
        app.command(entry.name)(command)
    return app


def main() -> None:
    try:
        build()()
    except Failure as failure:
        typer.echo(str(failure), err=True)
        sys.exit(failure.exit_code)
    finally:
        # At exit Python collects cycles among all imported objects, which takes longer than the rest of the shutdown.
        # The operating system frees the memory without it.
        gc.freeze()
