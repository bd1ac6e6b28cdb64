"""`tocsin check`: say everything that is wrong with a configuration, before it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.config import Config
from tocsin.config import check as check_configuration

if TYPE_CHECKING:
    from tocsin.config import Checked

EXIT_FAULTY = 2

ConfigurationFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The configuration, such as config/tocsin.yaml.")
]


def _print_schema(wanted: bool) -> None:  # noqa: FBT001  (typer calls it with the option's value)
    if wanted:
        typer.echo(json.dumps(Config.model_json_schema(), indent=2))
        raise typer.Exit


def check(
    file: ConfigurationFile,
    *,
    schema: Annotated[  # noqa: ARG001  (its callback acts)
        bool,
        typer.Option("--schema", help="Print the JSON Schema and stop.", callback=_print_schema, is_eager=True),
    ] = False,
) -> None:
    """Check a configuration and everything it names.

    Prints every fault with its place: keys and values, topics, models, channels, limits, files. Exit code 0 means
    that `tocsin run` will start.
    """
    checked = sound(file)
    for name, bundle in checked.bundles.items():
        manifest = bundle.manifest
        channels = ", ".join(channel.name for channel in manifest.channels)
        typer.echo(f"watch {name}: {manifest.name}/{manifest.version} ({manifest.task}, {manifest.cell}): {channels}")
    typer.echo(f"{file}: no faults")


def sound(file: Path) -> Checked:
    """Check a configuration; print its faults and leave if it has any."""
    checked = check_configuration(file)
    for fault in checked.faults:
        typer.secho(str(fault), err=True)
    if checked.faults:
        count = len(checked.faults)
        typer.secho(f"{count} fault{'s' if count > 1 else ''} in {file}", err=True, fg=typer.colors.RED)
        raise typer.Exit(EXIT_FAULTY)
    return checked
